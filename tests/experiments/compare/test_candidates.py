"""Accuracy against the number of candidates."""

from __future__ import annotations

import pytest
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.compare.sections.candidates import candidate_curves
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.data.verdict_table import Row, Table

RIGHT = [True, False, False, False, True, False]
ITEMS = [
    {"question": f"q{k // 3}", "candidate": str(k % 3), "answer": str(right), "truth": right}
    for k, right in enumerate(RIGHT)
]


def lens(items: list[dict[str, object]], **scores: list[float | None]) -> Lens:
    rows = [
        Row(**item, judge=judge, **({"unscored": "no"} if score is None else {"score": score}))
        for judge, column in scores.items()
        for item, score in zip(items, column, strict=True)
    ]
    families = dict.fromkeys(scores, "hidden")
    table = Table(rows)
    return Lens(data="", kind="trace", table=table, calibration=Table([]), families=families, settings=Settings())


def test_the_ends_of_each_curve() -> None:
    seen = lens(ITEMS, knows=[float(r) for r in RIGHT], mute=[None] * 6)
    curves = {c.label: c for c in candidate_curves(seen)}
    assert "mute" not in curves
    assert curves["knows"].x == (1, 2, 3)
    # One of three is right: 1/3 with one candidate; the best of two holds it in 2 of 3 pairs; of all three always.
    assert curves["oracle"].y == pytest.approx((1 / 3, 2 / 3, 1))
    assert curves["random candidate"].y == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert curves["knows"].y[2] == 1.0
    assert curves["knows"].y[1] == pytest.approx(2 / 3, abs=0.12)


def test_nothing_where_a_question_has_one_candidate() -> None:
    assert candidate_curves(lens(ITEMS, knows=[1.0] * 6))
    assert candidate_curves(lens([ITEMS[0], ITEMS[3]], knows=[1.0, 1.0])) == ()
