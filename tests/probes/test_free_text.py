"""Answers in the many forms in which models write them when nothing holds them to one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st
from innerjudge.probes.verdict_text import FORMS, answered_freely, find_answer

LETTERS = list("ABCD")
OPTIONS = ["iron", "pear", "gold", "pear tree"]
WORDS = ["no", "yes"]
SCALE = [str(s) for s in range(1, 6)]


def said(text: str, labels: Sequence[str], options: Sequence[str] = ()) -> str | None:
    found = find_answer(text, labels, options=options)
    return None if found.index is None else labels[found.index]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("B", "B"),
        ("**B**", "B"),
        ("B. pear", "B"),
        ("The correct answer is **B. pear**.", "B"),
        ("The answer is: (B)", "B"),
        (r"The answer is: \(B\)", "B"),
        ("### Answer\n**C**", "C"),
        ("Answer: B", "B"),
        ("**Answer:** B", "B"),
        ("Option C is correct because it shines.", "C"),
        ("Antwort: D", "D"),
        ("Die richtige Antwort ist B.", "B"),
        ("La respuesta es B.", "B"),
        ("La réponse est C.", "C"),
        ("答案是B", "B"),
        ("答案\N{FULLWIDTH COLON}C\N{IDEOGRAPHIC FULL STOP}", "C"),
        (r"\boxed{B}", "B"),
        (r"\[ \boxed{\text{C}} \]", "C"),
        ("$B$", "B"),
        ("I think it is a pear.", "B"),
        ("It is the pear tree.", "D"),  # "pear" stands only inside the longer option
        ("<think>A?</think>The answer is D", "D"),
        ("Let me see\n\nB\n", "B"),
        ("A or B", None),
        ("The answer is A or B", None),
        ("Answer: A. No: answer: B", None),  # contradicts itself
        ("iron or gold", None),
        ("The answer is not B", None),
        ("The answer isn't clear", None),
        ("<think>The answer is B", None),
        ("", None),
        ("The answer is E", None),
    ],
)
def test_letters(text: str, label: str | None) -> None:
    assert said(text, LETTERS, OPTIONS) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Yes, it is.", "yes"),
        ("Verdict: **No**", "no"),
        ("Nein.", "no"),
        ("Oui", "yes"),
        ("True", "yes"),
        ("Incorrect. The sum is 5.", "no"),
        ("Verdict: yes", "yes"),
        ("The response is long.", None),
        ("Nonsense", None),
    ],
)
def test_yes_and_no(text: str, label: str | None) -> None:
    assert said(text, WORDS) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("4", "4"),
        ("Score: 4", "4"),
        ("Rating: 4/5", "4"),
        ("I would give a score of 3.", "3"),
        ("The score is 4 out of 5", "4"),
        ("Score: 4/10", None),
        ("Score: 4.5", None),
        ("4 1/2", None),
        ("There are 3 mistakes", None),
    ],
)
def test_scores(text: str, label: str | None) -> None:
    assert said(text, SCALE) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Response A is better.", "A"),
        ("Better: A", "A"),
        ("Better: Response B", "B"),
        ("The better response is B.", "B"),
        ("Better: A=B", None),
        ("Both are good.", None),
    ],
)
def test_pairs(text: str, label: str | None) -> None:
    assert said(text, ["A", "B"]) == label


def test_a_response_that_is_written_out_again_is_no_verdict_by_its_heading() -> None:
    pair = ["The fire was warm and bright tonight.", "It was cold."]
    found = {
        "A: The correct answer is B.": 1,
        "A:\nThe answer is A.": 0,
        "Response A:\n2, 3, 5": None,
        "A) I live in Ireland": None,
        "A": 0,
        "**B**": 1,
        "The fire was warm and": 0,  # five words of one response, from its beginning
        "The fire was": None,
    }
    for text, index in found.items():
        assert find_answer(text, ["A", "B"], options=pair, quotes=True).index == index, text
    assert answered_freely("A: The answer is B. It", ["A", "B"], quotes=True)


def test_a_text_is_settled_when_it_goes_on_after_its_answer() -> None:
    assert not answered_freely("The answer is B", LETTERS)
    assert answered_freely("The answer is B. It", LETTERS)
    assert answered_freely("B\n\nIt", LETTERS)
    assert not answered_freely("<think>The answer is B. It", LETTERS)


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    found = find_answer(text, LETTERS, options=OPTIONS)
    assert (found.index is None) != (found.form in FORMS)


@pytest.mark.parametrize("filler", ["answer ", "A ", "\\boxed{", "is ", "**", "option A is "])
def test_long_texts_are_read(filler: str) -> None:
    find_answer(filler * 5_000, LETTERS, options=OPTIONS)
