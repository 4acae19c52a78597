"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.stats.biases.consistency import score_shift, verdict_change
from innerjudge.experiments.stats.biases.preferences import position_bias


def test_verdict_change() -> None:
    assert verdict_change([True, False], [True, True]).value == 0.5


def test_score_shift() -> None:
    assert score_shift([0.5, 1.0], [0.5, 0.5]).value == 0.25


def test_position_bias() -> None:
    # always the first one shown
    assert position_bias(["a", "b"], ["a", "a"], ["b", "b"]).value == 1.0
