import string

import pytest
from hypothesis import example, given, strategies as st
from innerjudge.probes import find_verdict

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
