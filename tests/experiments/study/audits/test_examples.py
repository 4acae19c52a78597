"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.data.verdict_table import Row
from innerjudge.experiments.study.audits.wordings import on_scale


def test_on_scale() -> None:
    found = on_scale(Row(question="q", candidate="0", judge="j", score=4.0, label=5), (1, 9), (1, 5))
    assert (found.score, found.label) == (2.5, 3)
