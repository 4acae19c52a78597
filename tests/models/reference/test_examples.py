"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.models.reference.choose import choices, synthetic
from innerjudge.models.reference.rate import ratings
from innerjudge.models.reference.solve import final_answer, problems
from innerjudge.models.reference.training.simulated import difficulty


def test_synthetic() -> None:
    c = synthetic(1, seed=1, n_options=8)[0]
    assert c.options[c.answer] in c.question


def test_ratings() -> None:
    r = ratings(4, seed=1)
    assert (len({x.extra["question_id"] for x in r}), len(r[0].scores)) == (1, 3)


def test_choices() -> None:
    c = choices(2, seed=1)[0]
    assert (len(c.options), 0 <= c.answer < 4) == (4, True)


def test_problems() -> None:
    assert [p.answer.isdigit() for p in problems(3, seed=1)] == [True, True, True]


def test_final_answer() -> None:
    assert (final_answer("<think>7+5=12</think>ok 12"), final_answer("<think>7+5=")) == ("12", None)


def test_difficulty() -> None:
    assert difficulty(20, "+", 5) < difficulty(27, "+", 5) < difficulty(7, "*", 8)
