"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.compare.sections.candidates import border_of
from innerjudge.experiments.data.verdict_table import Row


def test_border_of() -> None:
    said = [(0.1, False), (0.4, False), (0.9, True)]
    found = border_of([Row(question="q", candidate="0", judge="j", score=s, label=label) for s, label in said])
    assert found == (True, 0.65)
