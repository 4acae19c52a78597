"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.study.asking.ask import Question, ask
from innerjudge.experiments.study.asking.distractors import DISTRACTORS


def test_ask() -> None:
    from innerjudge.models.loading import load
    from innerjudge.models.prompts import verdict_prompt

    one = Question(
        prompt=verdict_prompt("2+2?", "4"),
        values=(0, 1),
        answers=(False, True),
        columns={"question": "q", "candidate": "0"},
    )
    (row,) = ask(load("reference"), [one], judge="logits")
    assert (row.judge, 0 <= row.score <= 1, row.label == (row.score > 0.5)) == ("logits", True, True)


def test_sycophantic() -> None:
    assert DISTRACTORS["sycophantic"]("It is 4.").startswith("What a brilliant question!")


def test_assertive() -> None:
    found = DISTRACTORS["assertive"]("It is 4.")
    assert found == (
        "I am absolutely certain of this answer. It is 4. There is no doubt whatsoever that this is right."
    )
