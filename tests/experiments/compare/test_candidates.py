"""Accuracy against the number of candidates."""

from __future__ import annotations

import pytest
from innerjudge.experiments.compare.candidate_curves import candidate_curves
from innerjudge.experiments.compare.results import Outcome
from innerjudge.models.items import Trace
from innerjudge.probes import Verdict

RIGHT = [True, False, False, False, True, False]
ITEMS = [
    Trace(question_id=f"q{k // 3}", candidate_id=str(k % 3), prompt="", response="", answer=str(right), correct=right)
    for k, right in enumerate(RIGHT)
]


def outcome(judge: str, scores: list[float | None]) -> Outcome:
    made = [
        Verdict(i.id, unscored="no") if s is None else Verdict(i.id, score=s)
        for i, s in zip(ITEMS, scores, strict=True)
    ]
    return Outcome(judge=judge, verdicts=made)


def test_the_ends_of_each_curve() -> None:
    knows = outcome("knows", [float(r) for r in RIGHT])
    curves = {c.label: c for c in candidate_curves([knows, outcome("mute", [None] * 6)], ITEMS, seed=0)}
    assert "mute" not in curves
    assert curves["knows"].x == (1, 2, 3)
    # One of three is right: 1/3 with one candidate; the best of two holds it in 2 of 3 pairs; of all three always.
    assert curves["oracle"].y == pytest.approx((1 / 3, 2 / 3, 1))
    assert curves["random candidate"].y == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert curves["knows"].y[2] == 1.0
    assert curves["knows"].y[1] == pytest.approx(2 / 3, abs=0.12)


def test_nothing_where_a_question_has_one_candidate() -> None:
    assert candidate_curves([outcome("knows", [1.0] * 6)][:1], ITEMS, seed=0)
    single = [ITEMS[0], ITEMS[3]]
    made = Outcome(judge="j", verdicts=[Verdict(i.id, score=1.0) for i in single])
    assert candidate_curves([made], single, seed=0) == ()
