"""Reliability without labels, and noise taken out of accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from innerjudge import InnerjudgeError
from innerjudge.experiments.data.verdict_table import Row, Table
from innerjudge.experiments.stats.biases.consistency import (
    consensus,
    consensus_share,
    denoised,
    flip_probability,
    flip_rate,
    inconsistent_pairs,
    majority_consistency,
    order_violations,
    sage_statistics,
    score_spread,
    self_consistency,
    square_of,
    weak_orders,
)
from innerjudge.experiments.stats.intervals import cluster_interval
from innerjudge.experiments.stats.metrics.accuracy import accuracy
from innerjudge.experiments.stats.metrics.correlation import levenshtein_distance
from innerjudge.experiments.stats.statistic import ratio


def violations(verdicts: Sequence[Sequence[int]] | np.ndarray) -> int:
    """TOV of one question."""
    return int(order_violations(np.asarray(verdicts)[None])[0])


def test_numbers_of_weak_orders() -> None:
    # Fubini numbers
    assert [len(weak_orders(n)) for n in range(1, 8)] == [1, 3, 13, 75, 541, 4683, 47293]
    with pytest.raises(InnerjudgeError, match="expected 1 to 7"):
        weak_orders(8)


def test_scores_are_consistent_by_construction() -> None:
    rng = np.random.default_rng(0)
    for n in (3, 6, 7):
        s = rng.integers(0, 4, n)
        y = np.sign(s[:, None] - s)
        assert (inconsistent_pairs(y), violations(y)) == (0.0, 0)


def test_ipi_and_tov_by_hand() -> None:
    # a circle x > y > z > x, the same in both orders: no pair contradicts, yet one must be turned (both orders): TOV 2
    circle = np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    assert (inconsistent_pairs(circle), violations(circle)) == (0.0, 2)
    # always the first: every pair contradicts; with all level each verdict is wrong (6), with a strict order half are
    first = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    assert (inconsistent_pairs(first), violations(first)) == (1.0, 3)


def test_tov_against_all_rankings_of_candidates() -> None:
    rng = np.random.default_rng(1)
    every = (np.unique(q, return_inverse=True)[1] for q in np.ndindex(4, 4, 4, 4))
    levels = np.array(sorted({tuple(level.tolist()) for level in every}))
    i, j = np.where(~np.eye(4, dtype=bool))
    for _ in range(20):
        y = rng.integers(-1, 2, (4, 4))
        costs = [(y[i, j] != np.sign(level[i] - level[j])).sum() for level in levels]
        assert violations(y) == min(costs)
        assert violations(y) >= round(6 * inconsistent_pairs(y))  # the derived bound, TOV >= C(n,2) IPI
        for order in list(permutations(range(4)))[:5]:
            assert violations(y[np.ix_(order, order)]) == violations(y)


def test_sage_over_a_table_counts_what_is_left_out() -> None:
    names = "abc"
    rows = []
    for question in ("whole", "holed"):
        for x, y in (("a", "b"), ("a", "c"), ("b", "c")):
            for order in ("given", "swapped"):
                said = {"label": "a" if names.index(x) < names.index(y) else "b"}
                if question == "holed" and (x, order) == ("b", "swapped"):
                    said = {"unscored": "no verdict in the text"}
                rows.append(Row(question=question, candidate=f"{x}|{y}", judge="j", order=order, **said))
    ipi, tov, left_out = sage_statistics(Table(rows), "j")
    assert (ipi.value, tov.value, ipi.n, left_out) == (0.0, 0.0, 1, 1)
    assert square_of({"x|y": ("a", None)}) is None
    assert square_of({"x|y": ("a", "b")}).tolist() == [[0, 1], [1, 0]]  # the first shown, both times


def test_ranking_distance() -> None:
    assert levenshtein_distance([1, 2, 3], [1, 2, 3]) == 0.0
    assert levenshtein_distance("kitten", "sitting") == pytest.approx(3 / 7)  # the textbook case
    assert levenshtein_distance([], []) == 0.0


def test_self_consistency_by_hand() -> None:
    # item 1: a a b: (2 * 1 + 0) / (3 * 2) = 1/3; item 2: b b b: 1; item 3: one verdict only
    columns = [["a", "b", "a"], ["a", "b", None], ["b", "b", None]]
    assert self_consistency(columns).value == pytest.approx((1 / 3 + 1) / 2)
    assert self_consistency(columns).n == 2
    assert majority_consistency([["a"], ["a"], ["a"], ["b"], ["b"], ["b"]]).value == 0.0  # 3 of 6 is no majority


def test_templates_by_hand() -> None:
    columns = [["a", "a", None], ["a", "b", None], ["b", "a", "b"], ["a", "b", None]]
    # item 1: a 3 of 4; item 2: two each, no consensus; item 3: 1 of 4
    assert consensus(columns) == ["a", None, None]
    assert consensus_share(columns).value == pytest.approx(1 / 3)
    assert flip_rate(columns).value == pytest.approx(1 / 4)
    assert score_spread([[1.0, 4.0], [3.0, None]]).value == pytest.approx(np.sqrt(2))


def test_noise_of_the_release_over_corrects() -> None:
    # true accuracy 0.70, flips 0.10: observed 0.7 * 0.9 + 0.3 * 0.1 = 0.66, two runs agree in 0.82
    observed, p = ratio(np.array([0.66]), np.ones(1)), 0.82
    ours, released = (1 - np.sqrt(2 * p - 1)) / 2, 1 - p
    assert ours == pytest.approx(0.1)
    assert denoised(observed, ratio(np.array([ours]), np.ones(1))).value == pytest.approx(0.70)
    assert denoised(observed, ratio(np.array([released]), np.ones(1))).value == pytest.approx(0.75)
    assert denoised(observed, ratio(np.array([0.5]), np.ones(1))).value is None


def test_a_planted_flip_rate_is_recovered() -> None:
    rng = np.random.default_rng(2)
    n, groups = 1500, [k // 3 for k in range(1500)]
    settled = rng.random(n) < 0.7
    repeats = [(settled ^ (rng.random(n) < 0.1)).tolist() for _ in range(4)]
    flips = flip_probability(repeats)
    found = cluster_interval(flips, groups)
    assert found.low < 0.1 < found.high
    clean = cluster_interval(denoised(accuracy([True] * n, repeats[0]), flips), groups)
    assert clean.low < settled.mean() < clean.high
    assert 1 - self_consistency(repeats).value == pytest.approx(0.18, abs=0.02)  # what the release takes for q
