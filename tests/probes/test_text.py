import string

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from innerjudge.extraction import Features, Provenance
from innerjudge.models import InnerjudgeError
from innerjudge.models.markers import FORMATS
from innerjudge.models.prompts import choice_prompt, pair_prompt, rating_prompt, verdict_prompt
from innerjudge.probes import TextJudge, find_verdict
from innerjudge.probes.verdict_text import _REASONING, find_answer

SCALE = [str(s) for s in range(1, 6)]
TEN = [str(s) for s in range(1, 11)]
WORDS = ["no", "yes"]
LETTERS = list("ABCDEF")
NONE = None


def parsed(text, labels, cue=None):
    found = find_verdict(text, labels, cue=cue)
    return None if isinstance(found, str) else labels[found]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (" 4", "4"),
        ("4", "4"),
        ("\n\n4\n", "4"),
        ("4.", "4"),
        ("4!", "4"),
        ("4, since it is clear", "4"),
        ("4: clear", "4"),
        ("4\n\n5", "4"),
        ("4.\n2. And then", "4"),
        (" 5 stars", "5"),
        ("**4**", "4"),
        ("**4**.", "4"),
        ("_4_", "4"),
        ("`4`", "4"),
        ('"4"', "4"),
        ("(4)", "4"),
        ("[4]", "4"),
        ("4/5", "4"),
        ("5/5", "5"),
        ("5/5.", "5"),
        ("4 / 5", "4"),
        ("**4**/5", "4"),
        ("4 out of 5", "4"),
        ("4 of 5", "4"),
        ("", NONE),
        ("   ", NONE),
        ("0", NONE),
        ("6", NONE),
        ("10", NONE),
        ("45", NONE),
        ("4.5", NONE),
        ("4,5", NONE),
        ("4.0", NONE),
        ("-4", NONE),
        ("+4", NONE),
        ("4/10", NONE),
        ("**4**/10", NONE),
        ("4 out of 10", NONE),
        ("4/", NONE),
        ("4-5", NONE),
        ("4 - 5", NONE),
        ("4\N{EN DASH}5", NONE),
        ("4 or 5", NONE),
        ("4 to 5", NONE),
        ("4 and 5", NONE),
        ("4, 5", NONE),
        ("4, 5 stars", NONE),
        ("4, or 5", NONE),
        ("4,or 5", NONE),
        ("**4** or **5**", NONE),
        ("4~5", NONE),
        ("4|5", NONE),
        ("4%", NONE),
        ("4 %", NONE),
        ("4th", NONE),
        ("4x", NONE),
        ("4\N{SUPERSCRIPT TWO}", NONE),
        ("4:30", NONE),
        ("\N{FULLWIDTH DIGIT FOUR}", NONE),
        ("\N{ARABIC-INDIC DIGIT FOUR}", NONE),
        ("four", NONE),
        ("Score: 4", NONE),
        ("I would say 4", NONE),
        ("<think>4", NONE),
    ],
)
def test_scores(text, verdict):
    assert parsed(text, SCALE) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("10", "10"),
        ("1", "1"),
        ("10/10", "10"),
        ("1/10", "1"),
        ("100", NONE),
        ("1/5", NONE),
        ("10.5", NONE),
        ("0", NONE),
    ],
)
def test_scores_to_ten(text, verdict):
    assert parsed(text, TEN) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (" B", "B"),
        ("B.", "B"),
        ("B)", "B"),
        ("(B)", "B"),
        ("(B) pear", "B"),
        ("B. pear", "B"),
        ("B: pear", "B"),
        ("B\npear", "B"),
        ("**B**", "B"),
        ("**B. pear**", "B"),
        ("B pear", "B"),
        ("B, a fruit", "B"),
        ("B, A pear", "B"),
        ("B and nothing else", "B"),
        ("B. A pear is a fruit", "B"),
        ("A", "A"),
        ("A.", "A"),
        ("(A) iron", "A"),
        ("**A** iron", "A"),
        ("A. iron", "A"),
        ("b", "B"),
        ("b.", "B"),
        ("(b)", "B"),
        ("b\npear", "B"),
        ("a", "A"),
        ("Apple", NONE),
        ("Banana", NONE),
        ("AB", NONE),
        ("A pear", NONE),
        ("A-level", NONE),
        ("B2", NONE),
        ("b pear", NONE),
        ("a pear", NONE),
        ("A or B", NONE),
        ("A and B", NONE),
        ("A/B", NONE),
        ("A, B", NONE),
        ("A & C", NONE),
        ("**A** or **B**", NONE),
        ("(A) and (B)", NONE),
        ("G", NONE),
        ("\N{CYRILLIC CAPITAL LETTER A}", NONE),
        ("\N{GREEK CAPITAL LETTER BETA}", NONE),
        ("\N{LATIN CAPITAL LETTER A WITH ACUTE}", NONE),
        ("The answer is B", NONE),
        ("pear", NONE),
    ],
)
def test_letters(text, verdict):
    assert parsed(text, LETTERS) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("I'm sure", NONE), ("I think B", NONE), ("I", "I"), ("I.", "I"), ("(I) think", "I"), ("i", "I")],
)
def test_the_letter_i(text, verdict):
    assert parsed(text, list("ABCDEFGHI")) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (" yes", "yes"),
        ("Yes.", "yes"),
        ("YES", "yes"),
        ("**Yes**", "yes"),
        ("yes it is", "yes"),
        ("Yes, no mistakes", "yes"),
        ("Yes, no", NONE),
        ("Yes, no.", NONE),
        ("no", "no"),
        ("No.", "no"),
        ("No, it is not", "no"),
        ("No\nYes", "no"),
        ("not", NONE),
        ("none", NONE),
        ("nope", NONE),
        ("No idea", NONE),
        ("no doubt", NONE),
        ("yes/no", NONE),
        ("yes or no", NONE),
        ("Yes and no", NONE),
        ("yesterday", NONE),
        ("maybe", NONE),
        ("\N{LATIN SMALL LETTER DOTLESS I}", NONE),
    ],
)
def test_words(text, verdict):
    assert parsed(text, WORDS) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("<think>So.</think>Score: 4", "4"),
        ("<think>Score: 1, or rather</think> Score: 4", "4"),
        ("<think>Score: 1</think>good", NONE),
        ("<think>Score: 1", NONE),  # cut off while thinking
        ("<think>a</think>Score: 2<think>b", NONE),
        ("All is well. Score: 4.", "4"),
        ("Score: 2 at first. Score: 4", "4"),
        ("Score: 2 at first. Score:", NONE),
        ("**Score:** 4", "4"),
        ("**Score**: 4", "4"),
        ("Score : 4", "4"),
        ("score: 4", "4"),
        ("Score:4/5", "4"),
        ("Score:\n4", "4"),
        ("Final Score: 4", "4"),
        ("Subscore: 4", NONE),
        ("Score 4", NONE),
        ("4", NONE),
        ("", NONE),
    ],
)
def test_reasoned_texts(text, verdict):
    assert parsed(text, SCALE, cue="Score:") == verdict


@pytest.mark.parametrize(
    ("text", "labels", "cue", "verdict"),
    [
        # The scale said again is no score; what is said of it after that is.
        ("Score: 1 (worst) to 5 (best): 4", SCALE, "Score:", NONE),
        ("Score: 1 (worst) to 5 (best). Score: 4", SCALE, "Score:", "4"),
        ("Score: 1 (worst)", SCALE, "Score:", "1"),
        ("Score: 1 (worst) - 5 (best)", SCALE, "Score:", NONE),
        ("Score: from 1 to 5: 4", SCALE, "Score:", NONE),
        # Numbers that go on.
        ("Score: 4 1/2", SCALE, "Score:", NONE),
        ("Score: 4\N{VULGAR FRACTION ONE HALF}", SCALE, "Score:", NONE),
        ("Score: 4 \N{VULGAR FRACTION ONE HALF}", SCALE, "Score:", NONE),
        (" 4 5", SCALE, None, NONE),
        (" 4\n5", SCALE, None, "4"),
        ("4 1/2", SCALE, None, NONE),
        ("Score: 4 4", SCALE, "Score:", "4"),
        # Ties and comparisons.
        ("Better: A=B", ["A", "B"], "Better:", NONE),
        ("Better: A = B", ["A", "B"], "Better:", NONE),
        ("Better: A < B", ["A", "B"], "Better:", NONE),
        ("Better: A>B", ["A", "B"], "Better:", NONE),
        ("Better: [[A=B]]", ["A", "B"], "Better:", NONE),
        ("Better: [[A]]", ["A", "B"], "Better:", "A"),
        ("Better: [[A]]=[[B]]", ["A", "B"], "Better:", NONE),
        (" A<B", ["A", "B"], None, NONE),
        ("A\N{ALMOST EQUAL TO}B", ["A", "B"], None, NONE),
        ("Better: A vs B", ["A", "B"], "Better:", NONE),
        ("Better: A vs. B", ["A", "B"], "Better:", NONE),
        # Reasoning of other families that is cut off, and that ends.
        ("[THINK]A first guess is Score: 2, but", SCALE, "Score:", NONE),
        ("[THINK]Score: 2[/THINK]Score: 4", SCALE, "Score:", "4"),
        ("<|channel|>analysis<|message|>A first guess is Score: 2, but", SCALE, "Score:", NONE),
        (
            "<|channel|>analysis<|message|>Score: 2<|end|><|start|>assistant<|channel|>final<|message|>Score: 4",
            SCALE,
            "Score:",
            "4",
        ),
    ],
)
def test_what_is_said_of_the_scale_is_no_verdict(text, labels, cue, verdict):
    assert parsed(text, labels, cue) == verdict


@pytest.mark.parametrize(("opening", "closing"), _REASONING)
def test_markers_of_every_format(opening, closing):
    """Text inside the marks is not the verdict, and without the closing one nothing is."""
    assert parsed(f"{opening}So Score: 2, no.{closing}Score: 4", SCALE, "Score:") == "4"
    assert parsed(f"{opening}A first guess is Score: 2, but", SCALE, "Score:") is None
    assert parsed(f"{opening}Score: 2{closing}All is well.", SCALE, "Score:") is None
    assert find_answer(f"{opening}The answer is A.{closing}The answer is B.", list("ABCD")).index == 1
    assert find_answer(f"{opening}The answer is A.", list("ABCD")).index is None


def test_every_format_of_a_template_is_known_here():
    assert {pair for pair in FORMATS.values() if not pair[0].startswith("Here is")} <= set(_REASONING)


def test_reasons_show_the_first_forty_characters():
    long = "I would rather not give a number for this response at all"
    assert find_verdict(long, SCALE) == f"no verdict in the text '{long[:40]}...'"
    assert find_verdict(long, SCALE, cue="Score:") == f"no verdict in the text '{long[:40]}...': it has no 'Score:'"
    assert find_verdict("Score: 10", SCALE, cue="Score:") == "no verdict after the last 'Score:' ' 10'"
    assert find_verdict("<think>hm", SCALE, cue="Score:") == "no end of the reasoning in the text '<think>hm'"


@given(st.text(max_size=60), st.sampled_from([SCALE, TEN, WORDS, LETTERS]), st.sampled_from([None, "Score:"]))
@example("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", LETTERS, None)
@example("ye\N{LATIN SMALL LETTER LONG S}", WORDS, None)
@example("\N{KELVIN SIGN}", ["J", "K"], None)
def test_any_text_has_a_verdict_that_it_contains_or_a_reason(text, labels, cue):
    found = find_verdict(text, labels, cue=cue)
    if isinstance(found, str):
        assert found.startswith("no ")
    else:
        assert 0 <= found < len(labels)
        assert labels[found].casefold() in text.casefold()


@given(
    st.sampled_from([SCALE, TEN, WORDS, LETTERS]).flatmap(lambda x: st.tuples(st.just(x), st.sampled_from(x))),
    st.sampled_from(["", " ", "\n", "**", "(", '"', "`"]),
    st.sampled_from(["", ".", "\n", "\nand more 3 B yes", "!", " \n"]),
)
def test_a_decorated_label_is_found(case, before, after):
    labels, label = case
    closing = {"(": ")"}.get(before, before.strip())
    assert parsed(before + label + closing + after, labels) == label
    assert parsed(f"<think>1 A no</think>So: Score:{before}{label}{closing}{after}", labels, cue="Score:") == label


@given(st.sampled_from(SCALE), st.text(string.digits + string.ascii_letters, min_size=1, max_size=3))
def test_a_label_inside_a_longer_word_is_not_one(label, rest):
    assert parsed(label + rest, SCALE) is None


@pytest.mark.parametrize("filler", [" ", "\n", "*", "4 ", "- ", ", ", "Score:", "<think>"])
def test_long_degenerate_texts_are_read(filler):
    for labels in (SCALE, LETTERS, WORDS):
        for cue in (None, "Score:"):
            # A pattern that backtracks would not return at all.
            assert isinstance(find_verdict(labels[1] + filler * 20_000, labels, cue=cue), int | str)
            # Only fours, one after another, are a verdict of their own, and only on the scale.
            fours = filler == "4 " and labels == SCALE and cue is None
            assert isinstance(find_verdict(filler * 20_000, labels, cue=cue), int if fours else str)


# The judge.


def texts(direct, **arrays):
    n = len(direct)
    return Features(
        ids=tuple(map(str, range(n))),
        groups=tuple(map(str, range(n))),
        provenance=Provenance("m", None, "f", "", "", ""),
        arrays={k: np.asarray(v, np.float32) for k, v in arrays.items()},
        texts={"direct": tuple(direct)},
    )


def test_ratings():
    verdicts = TextJudge.rating().verdicts(texts([" 4", "ten", "1."]))
    assert [(v.score, v.label) for v in verdicts] == [(4.0, 4), (None, None), (1.0, 1)]
    assert verdicts[1].unscored == "no verdict in the text 'ten'"
    with pytest.raises(InnerjudgeError, match="1 of 3 items"):
        TextJudge.rating().decision_function(texts([" 4", "ten", "1."]))


def test_verdicts_and_pairs():
    judge = TextJudge.verdict()
    assert judge.predict(texts(["yes", "No."])).tolist() == [True, False]
    assert judge.decision_function(texts(["yes", "No."])).tolist() == [1.0, 0.0]
    pair = TextJudge.pair()
    assert pair.predict(texts(["A", "B."])).tolist() == ["a", "b"]
    assert pair.decision_function(texts(["A", "B."])).tolist() == [1.0, 0.0]


def test_choices_are_one_hot():
    features = texts(["B", "C", "C"], labels=[4, 3, 2])
    judge = TextJudge.choice()
    verdicts = judge.verdicts(features)
    assert verdicts[0].score == [0.0, 1.0, 0.0, 0.0]
    assert verdicts[1].score == [0.0, 0.0, 1.0]
    assert (verdicts[0].label, verdicts[1].label) == (1, 2)
    assert verdicts[2].unscored == "no verdict in the text 'C'"  # it has two options
    assert judge.decision_function(features.take([0, 1]))[1, 3] == -np.inf
    three = TextJudge.choice(n_options=3)
    assert three.decision_function(texts(["B"], labels=[3])).tolist() == [[0.0, 1.0, 0.0]]


def test_choices_need_the_number_of_options():
    assert TextJudge.choice().needs == ("direct", "labels")
    with pytest.raises(InnerjudgeError, match="expected 'labels'"):
        TextJudge.choice().verdicts(texts([" Z"]))
    verdicts = TextJudge.choice().verdicts(texts([" Z", "A"], labels=[4, 0]))
    assert [v.unscored for v in verdicts] == ["no verdict in the text ' Z'", "no options to choose from"]


def test_the_named_judges_ask_as_the_prompts_do():
    for judge, prompt in (
        (TextJudge.rating(), rating_prompt("p", "r")),
        (TextJudge.rating(scale=(0, 9)), rating_prompt("p", "r", scale=(0, 9))),
        (TextJudge.verdict(), verdict_prompt("p", "r")),
        (TextJudge.choice(n_options=4), choice_prompt("q", ["x", "y"])),
        (TextJudge.pair(), pair_prompt("p", "a", "b")),
    ):
        assert (judge.cue, judge.labels) == (prompt.cue, prompt.labels)
