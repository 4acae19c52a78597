"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.stats.intervals import Interval


def test_interval() -> None:
    assert Interval(value=0.5, low=0.4, high=0.6, n=9, groups=3).told() == {
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "n": 9,
        "reason": None,
        "error": None,
        "groups": 3,
    }
