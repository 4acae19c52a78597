"""Intervals and p-values from a figure, its error and its bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.experiments.selection.reranking import interval
from innerjudge.experiments.stats.evidence import Evidence, degrees_of_freedom
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

SHARE, SIGNED = (0.0, 1.0), (-1.0, 1.0)


@pytest.mark.parametrize(("right", "n"), [(1, 4), (9, 25), (49, 50)])
def test_single_right_or_wrong_items_have_wilsons_interval(right: int, n: int) -> None:
    each = np.array([1.0] * right + [0.0] * (n - right))
    low, high = interval(each[:, None])
    assert (low[0], high[0]) == pytest.approx(proportion_confint(right, n, method="wilson"))


@pytest.mark.parametrize("n", [2, 8, 200])
def test_all_alike_has_the_bound_of_clopper_and_pearson(n: int) -> None:
    for share in (0, 1):
        low, high = interval(np.full((n, 1), float(share)))
        assert (low[0], high[0]) == pytest.approx(proportion_confint(share * n, n, method="beta"))


def test_all_alike_by_hand() -> None:
    # 8 questions: at most u = 1 - 0.025 ** (1 / 8) = 0.3694 of others differ. From 0 on -1 to 1 they move it 0.3694
    # either way; from 1 on -1 to 1 they move it 0.3694 of 2 down; from 0.5 on 0 to 1, 0.3694 of a half either way
    ends = [
        Evidence(value=v, error=0.0, groups=8, limits=b).ends() for v, b in ((0, SIGNED), (1, SIGNED), (0.5, SHARE))
    ]
    assert ends[0] == pytest.approx((-0.3694, 0.3694), abs=1e-4)
    assert ends[1] == pytest.approx((0.2612, 1.0), abs=1e-4)
    assert ends[2] == pytest.approx((0.3153, 0.6847), abs=1e-4)
    assert Evidence(value=3.0, error=0.0, groups=8).ends() is None


def test_without_bounds_it_is_students_interval() -> None:
    x = np.random.default_rng(0).normal(3, 2, 12)
    made = Evidence(value=float(x.mean()), error=float(x.std() / np.sqrt(12)), groups=12)
    exact = stats.ttest_1samp(x, 2.0)
    assert made.ends() == pytest.approx(exact.confidence_interval())
    assert made.p_value(2.0) == pytest.approx(exact.pvalue)


@settings(max_examples=300, deadline=None)
@given(
    st.floats(-1, 1), st.sampled_from([0.0, 0.01, 0.1, 0.4]), st.integers(2, 300), st.sampled_from([None, 1.5, np.inf]),
    st.sampled_from([None, SIGNED]), st.floats(-1.2, 1.2),
)  # fmt: skip
def test_a_value_outside_of_the_interval_is_refused_and_one_inside_is_not(value, error, groups, degrees, limits, null):
    made = Evidence(value=value, error=error, groups=groups, degrees=degrees, limits=limits)
    ends, p = made.ends(), made.p_value(null)
    assert 0 <= p <= 1
    assert p >= 2.0 ** (1 - groups)
    if ends is None:
        assert (limits, error) == (None, 0.0)
        return
    low, high = ends
    assert low <= value + 1e-12
    assert value <= high + 1e-12
    if limits is not None:
        assert limits[0] <= low
        assert high <= limits[1]
    inside = low + 1e-6 < null < high - 1e-6
    outside = null < low - 1e-6 or high + 1e-6 < null
    if inside:
        assert p >= 0.05 - 1e-6
    elif outside and 2.0 ** (1 - groups) < 0.05:
        assert p <= 0.05 + 1e-6


def test_an_interval_turns_with_its_scale() -> None:
    one = Evidence(value=0.9, error=0.03, groups=30, degrees=12.0, limits=SHARE)
    other = Evidence(value=0.1, error=0.03, groups=30, degrees=12.0, limits=SHARE)
    wide = Evidence(value=0.8, error=0.06, groups=30, degrees=12.0, limits=SIGNED)  # 2 * 0.9 - 1
    low, high = one.ends()
    assert other.ends() == pytest.approx((1 - high, 1 - low))
    assert wide.ends() == pytest.approx((2 * low - 1, 2 * high - 1))
    assert high < 1
    assert 0.9 - low > high - 0.9  # more room below


def test_degrees_by_hand() -> None:
    # pulls -1, 1, -1, 1 of a figure without bounds: the mean square is 1 whichever are drawn, so nothing is unsure
    assert degrees_of_freedom(np.array([-1.0, 1.0, -1.0, 1.0]), 5.0, None, 4) == 3.0
    # pulls 0 0 0 0 3 -3 : mean square 3; off is -1 four times and 2 twice: its mean square (4 + 8) / 6 = 2, so the
    # error is as unsure as 2 / 6, and 2 / (1 / 3) = 6 degrees are held down to 5
    assert degrees_of_freedom(np.array([0.0, 0, 0, 0, 3, -3]), 5.0, None, 6) == 5.0
    # 0 nine times, 10 once, less 1: pulls -1 nine times and 9: mean square 9; off -8/9 nine times and 8: mean square
    # (9 * 64/81 + 64) / 10 = 7.111; 2 / 0.7111 = 2.8125
    one = np.array([0.0] * 9 + [10.0]) - 1
    assert degrees_of_freedom(one, 1.0, None, 10) == pytest.approx(2.8125)
    assert degrees_of_freedom(one, 1.0, None, 3) == 2.0
    assert degrees_of_freedom(np.zeros(4), 1.0, SHARE, 4) == 3.0


def test_a_share_of_single_items_has_no_estimated_error() -> None:
    single = np.array([1.0] * 7 + [0.0] * 3) - 0.7
    assert degrees_of_freedom(single, 0.7, SHARE, 10) == np.inf
    several = np.array([1.0] * 6 + [0.5] * 2 + [0.0] * 2) - 0.7
    assert degrees_of_freedom(several, 0.7, SHARE, 10) <= 9


def test_one_question_says_nothing_of_others() -> None:
    low, high = interval(np.array([[0.2, 1.0]]))
    assert (low.tolist(), high.tolist()) == ([0.0, 0.0], [1.0, 1.0])
