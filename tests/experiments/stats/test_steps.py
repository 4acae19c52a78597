"""ProcessBench and best-of-N by steps: the worked examples of methods.md (28, 29), and a border by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from innerjudge.experiments.stats.intervals import cluster_interval
from innerjudge.experiments.stats.metrics.steps import (
    aggregated,
    best_border,
    first_below,
    first_error_accuracy,
    first_error_f1,
)

KNOWN, SAID = [-1, 2, 0, -1, -1], [-1, 2, 1, 3, -1]


def test_processbench() -> None:
    # Of two traces with an error one is hit, of three without one two: 1/2, 2/3, 2 * 1/3 / (7/6) = 4/7.
    assert first_error_accuracy(KNOWN, SAID, wrong=True).value == 0.5
    assert first_error_accuracy(KNOWN, SAID, wrong=False).value == pytest.approx(2 / 3)
    assert first_error_f1(KNOWN, SAID).value == pytest.approx(4 / 7)
    assert first_error_f1([-1, 0], [0, 1]).value == 0.0  # both are 0, where the published code says NaN
    assert first_error_f1([-1, -1], [0, -1]).value is None
    assert "an error" in str(first_error_f1([-1, None], [0, 0]).reason)
    assert first_error_f1([*KNOWN, -1], [*SAID, None]).value == pytest.approx(2 * 0.5 * 0.5)  # no prediction: missed


def test_its_interval_is_by_question() -> None:
    f1 = first_error_f1(KNOWN * 8, SAID * 8)
    weights = np.ones((2, 40))
    weights[1, :5] = 0
    assert f1.over(weights) == pytest.approx([4 / 7, 4 / 7])
    none = np.ones((1, 40))
    none[:, np.array(KNOWN * 8) >= 0] = 0
    assert np.isnan(f1.over(none)).all()
    found = cluster_interval(f1, [k // 5 for k in range(40)])
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 4 / 7 <= found.high


def test_best_of_n_scores() -> None:
    steps = [[0.9, 0.5, 0.8], None, []]
    # .9 * .5 * .8 = .36; its third root is .711379; (.9 + .5 + .8) / 3 = .733333.
    for how, value in (("min", 0.5), ("last", 0.8), ("product", 0.36), ("mean", 2.2 / 3), ("geometric mean", 0.711379)):
        assert aggregated(steps, how) == [pytest.approx(value, abs=1e-6), None, None]
    # The product falls with the number of steps: .95^10 < .9^2.
    assert aggregated([[0.95] * 10, [0.9] * 2], "product") == pytest.approx([0.598737, 0.81], abs=1e-6)


def test_the_first_step_below_a_border() -> None:
    assert first_below([[0.9, 0.2, 0.1], [0.9], [0.5], None], 0.5) == [1, -1, -1, None]


traces = st.lists(
    st.tuples(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.7, 0.9]), min_size=1, max_size=5), st.integers(-1, 4)),
    min_size=2,
    max_size=12,
).map(lambda many: [(one, min(first, len(one) - 1)) for one, first in many])


@given(traces)
def test_no_border_does_better(many: list[tuple[list[float], int]]) -> None:
    scores, known = [one for one, _ in many], [first for _, first in many]
    border = best_border(scores, known)
    if len({first < 0 for first in known}) < 2:
        assert border is None
        return
    tried = [first_error_f1(known, first_below(scores, at)).value for at in (0, 0.15, 0.25, 0.4, 0.6, 0.8, 1.5)]
    assert border is not None
    assert first_error_f1(known, first_below(scores, border)).value == pytest.approx(max(tried))  # type: ignore[type-var]


def test_unknown_traces_choose_no_border() -> None:
    assert best_border([[0.9], [0.1], None, [0.5]], [-1, 0, 0, None]) == pytest.approx(0.5)
    assert best_border([[0.9], [0.5]], [-1, None]) is None
