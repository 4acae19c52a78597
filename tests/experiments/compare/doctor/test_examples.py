"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import pandas as pd
from innerjudge.experiments.compare.doctor.checks import opponents
from innerjudge.experiments.compare.doctor.diagnosis import label_ceiling
from innerjudge.experiments.compare.doctor.scores import read_scores


def test_label_ceiling() -> None:
    assert label_ceiling([True, False] * 50, [True, False] * 50) == 1.0
    # 18 % differ: e = 0.1
    again = [False, True] * 9 + [True, False] * 41
    # 9 of 10 labels hold: 0.81 + 0.5 (0.09 + 0.09)
    assert round(label_ceiling([True, False] * 50, again), 3) == 0.9


def test_opponents() -> None:
    rows = [
        {"question": str(k // 2), "label": k % 2 == 0, "score": 0.0, "text": "no" if k % 2 else "yes"}
        for k in range(20)
    ]
    found = opponents(read_scores(pd.DataFrame(rows)))
    assert sorted(found) == ["length", "pass rate of the others", "text"]
    assert found["text"][0] > found["text"][1]
