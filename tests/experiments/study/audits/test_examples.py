"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.data.verdict_table import Row
from innerjudge.experiments.study.parts.prompts import on_scale


def test_grades_of_another_scale_are_spread_evenly() -> None:
    """1 to 9 on 1 to 5 are 1, 1.5, ... 5: half a grade goes up."""
    grades = [Row(question="q", candidate="0", judge="j", score=float(k), label=k) for k in range(1, 10)]
    assert [on_scale(one, (1, 9), (1, 5)).label for one in grades] == [1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_on_scale() -> None:
    found = on_scale(Row(question="q", candidate="0", judge="j", score=4.0, label=5), (1, 9), (1, 5))
    assert (found.score, found.label) == (2.5, 3)
