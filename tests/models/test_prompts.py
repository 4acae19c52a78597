"""Prompts say what they should, and their spans are where they say."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies as st
from innerjudge.models.errors import InnerjudgeError, UnreadableError
from innerjudge.models.items import Choice, Pair, Rating, Trace
from innerjudge.models.prompts import (
    ABSTAIN_OPTIONS,
    choice_prompt,
    pair_prompt,
    ranking_prompt,
    rating_prompt,
    verdict_prompt,
)


def test_rating_word_for_word() -> None:
    prompt = rating_prompt("Say hi.", "hi", criterion="kindness", reference="hello", scale=(1, 3))
    assert prompt.user == (
        "Say hi.\n\nResponse:\nhi\n\nReference:\nhello\n\nCriterion: kindness\n\n"
        'Rate the response from 1 to 3. Reply with "Score:" and the number.'
    )
    assert (prompt.cue, prompt.labels, prompt.option_spans) == ("Score:", ("1", "2", "3"), ())


def test_choice_word_for_word() -> None:
    prompt = choice_prompt("Which is a fruit?", ["iron", "a\n pear"])
    assert prompt.user == (
        "Question: Which is a fruit?\nOptions:\nA. iron\nB. a pear\nC. None of the above\nD. I don't know\n"
        'Reply with "Answer:" and the letter.'
    )
    assert prompt.labels == ("A", "B", "C", "D")


@pytest.mark.parametrize("reasoned", [False, True])
def test_every_prompt_asks_for_its_own_cue(reasoned: bool) -> None:
    for prompt in (
        rating_prompt("p", "r", reasoned=reasoned),
        verdict_prompt("p", "r", reasoned=reasoned),
        choice_prompt("q", ["a", "b"], reasoned=reasoned),
        pair_prompt("p", "r", "s", reasoned=reasoned),
    ):
        last = prompt.user.splitlines()[-1]
        assert f'"{prompt.cue}"' in last
        assert ("Think first" in last) is reasoned


def one_line(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


abstaining = [one_line(option) for option in ABSTAIN_OPTIONS]
texts = st.text(max_size=20).filter(lambda text: one_line(text) not in abstaining)  # those would be there twice


@given(st.lists(texts, min_size=2, max_size=24, unique_by=one_line), st.text(max_size=20))
def test_option_spans_are_the_lettered_lines(options: list[str], question: str) -> None:
    prompt = choice_prompt(question, options)
    lines = [prompt.user[a:b] for a, b in prompt.option_spans]
    shown = [" ".join(o.split()) for o in (*options, *ABSTAIN_OPTIONS)]
    assert lines == [f"{chr(65 + k)}. {text}\n" for k, text in enumerate(shown)]
    assert all(line.count("\n") == 1 for line in lines)
    assert all(a[1] == b[0] for a, b in zip(prompt.option_spans, prompt.option_spans[1:], strict=False))


@pytest.mark.parametrize("n", [0, 1, 25, 26])
def test_numbers_of_options_that_cannot_be_lettered(n: int) -> None:
    with pytest.raises(InnerjudgeError, match=f"given {n} options, expected 2 to 24"):
        choice_prompt("q", ["x"] * n)


def test_twenty_six_letters_without_abstaining() -> None:
    assert choice_prompt("q", list(map(str, range(26))), abstain=False).labels[-1] == "Z"


@pytest.mark.parametrize(
    "options",
    [
        *(["x", "y", " x"], ["a  b", "a\nb"], ["e\u0301", "\u00e9"], ["x", "None of the above"]),
        *(["50%", "50 %"], ["7/14", "7 / 14"], ["- 5", "-5"], ["$ 5", "$5"], ["( 1, 2 )", "(1,2)"]),
    ],
)
def test_options_that_are_one_text_cannot_be_told_apart(options: list[str]) -> None:
    with pytest.raises(UnreadableError, match="given one text as option"):
        choice_prompt("q", options)
    with pytest.raises(UnreadableError, match="given one text as response"):
        ranking_prompt("q", [*options, "None of the above"])


@pytest.mark.parametrize(
    "pair",
    [
        ["50%", "50"],
        ["1 2", "12"],
        ["1 1/2", "11/2"],
        ["a lot", "alot"],
        ["x + +y", "x ++ y"],
        ["1 -2", "1-2"],
        ["* *", "**"],
        ["> =", ">="],
    ],
)
def test_options_that_are_spelled_alike_and_mean_another_thing_are_both_there(pair: list[str]) -> None:
    assert len(choice_prompt("q", pair, abstain=False).labels) == 2


@pytest.mark.parametrize("scale", [(5, 1), (3, 3), (1, 1002), (0, 10**9)])
def test_a_scale_must_rise_and_be_of_labels(scale: tuple[int, int]) -> None:
    with pytest.raises(InnerjudgeError, match="expected low < high"):
        rating_prompt("p", "r", scale=scale)


def test_items_name_and_group_themselves() -> None:
    trace = Trace(question_id="q", candidate_id="7", prompt="p", response="r")
    rating = Rating(item_id="r", prompt="p", response="r", scores=(1, 2, 4), extra={"question_id": 3})
    assert (trace.id, trace.group) == ("q/7", "q")
    assert (rating.id, rating.group) == ("r", "3")
    assert rating.mean_score == pytest.approx(7 / 3)
    assert Rating(item_id="r", prompt="p", response="r").mean_score is None
    assert Rating(item_id="r", prompt="p", response="r").group == "r"
    assert Choice(question_id="c", question="q", options=("a", "b")).group == "c"
    assert Pair(pair_id="p", prompt="p", response_a="a", response_b="b").id == "p"
