"""Correlations under resampling weights, on every way that they are computed, against scipy on rows repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.experiments.stats.metrics.correlation import kendall, pearson, spearman
from scipy import stats

ORACLES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "pearson": (pearson, stats.pearsonr),
    "spearman": (spearman, stats.spearmanr),
    "kendall": (kendall, stats.kendalltau),
}


def naive(oracle: Callable[..., Any], x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """The library's figure on rows repeated as often as they were drawn; NaN where a side does not vary."""
    rows = np.repeat(np.arange(len(x)), weights.astype(int))
    if len(set(x[rows])) < 2 or len(set(y[rows])) < 2:
        return float("nan")
    return float(oracle(x[rows], y[rows])[0])


@pytest.mark.parametrize("name", ORACLES)
@settings(max_examples=60, deadline=None)
@given(st.integers(2, 90), st.sampled_from([2, 5, 40, 1000]), st.sampled_from([2, 5, 40, 1000]), st.integers(0, 10_000))
def test_few_and_many_values_on_either_side(name: str, n: int, many_x: int, many_y: int, seed: int) -> None:
    """2 to 1000 different values: cells put together or not, a table of the ranks or not, ties or none."""
    made, oracle = ORACLES[name]
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, many_x, n) / 7, rng.integers(0, many_y, n) / 3
    weights = rng.multinomial(n, np.full(n, 1 / n), size=4).astype(float)
    statistic = made(x, y)
    if statistic.value is None:
        return
    expected = [naive(oracle, x, y, w) for w in weights]
    np.testing.assert_allclose(statistic.over(weights), expected, rtol=1e-9, atol=1e-12)


def test_pearson_where_the_sums_would_cancel() -> None:
    """One row far out, in some resamples and not in others: what is left varies by a millionth of it."""
    rng = np.random.default_rng(0)
    x = np.append(1e6 + rng.normal(size=40), 1e12)
    y = x * 2 + rng.normal(size=41)
    weights = np.stack([np.ones(41), np.append(np.ones(40), 0.0), np.append(rng.integers(0, 3, 40), 0.0)])
    expected = [naive(stats.pearsonr, x, y, w) for w in weights]
    np.testing.assert_allclose(pearson(x, y).over(weights), expected, rtol=1e-4)


def test_a_resample_of_one_value_is_undefined_exactly() -> None:
    x, y = [0.1, 0.1, 0.3, 0.7], [1.0, 2.0, 2.0, 3.0]
    one_x, one_y = np.array([[3.0, 1.0, 0.0, 0.0]]), np.array([[0.0, 2.0, 2.0, 0.0]])
    for made, _ in ORACLES.values():
        assert np.isnan(made(x, y).over(one_x)).all()
        assert np.isnan(made(x, y).over(one_y)).all()
