"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.compare.doctor.diagnosis import label_ceiling


def test_label_ceiling() -> None:
    assert label_ceiling([True, False] * 50, [True, False] * 50) == 1.0
    # 18 % differ: e = 0.1
    again = [False, True] * 9 + [True, False] * 41
    # 9 of 10 labels hold: 0.81 + 0.5 (0.09 + 0.09)
    assert round(label_ceiling([True, False] * 50, again), 3) == 0.9
