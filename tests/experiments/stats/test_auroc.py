from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.experiments.stats.metrics.accuracy import (
    accuracy,
    auroc,
    balanced_accuracy,
    pair_accuracy,
    permutation_accuracy,
    within_question_auroc,
    wqd,
)
from innerjudge.experiments.stats.metrics.correlation import kendall, pearson, spearman
from innerjudge.experiments.stats.statistic import Statistic
from innerjudge.models.errors import InnerjudgeError
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

ORACLES = {
    "pearson": (pearson, stats.pearsonr),
    "spearman": (spearman, stats.spearmanr),
    "kendall": (kendall, stats.kendalltau),
}


def repeated(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.repeat(values, weights.astype(int))


def test_auroc_by_hand() -> None:
    # right 0.9 and 0.4, wrong 0.4 and 0.1: pairs 1, 1, 1/2, 1 -> 3.5 / 4
    found = auroc([True, True, False, False], [0.9, 0.4, 0.4, 0.1])
    assert (found.value, found.n, found.reason) == (0.875, 4, None)


def test_unscored_and_unlabelled_rows_are_left_out() -> None:
    found = auroc([True, False, True, None], [0.9, 0.1, None, 0.5])
    assert (found.value, found.n, found.size) == (1.0, 2, 4)
    assert auroc([True, False, True], [0.9, 0.1, float("nan")]).n == 2


@pytest.mark.parametrize(
    ("labels", "scores", "reason"),
    [
        ([True, True], [1.0, 2.0], "all 2 labels are true"),
        ([False, True], [1.0, None], "all 1 labels are false"),
        ([], [], "no scored row with a label"),
        ([True], [None], "no scored row with a label"),
    ],
)
def test_one_class_is_undefined_with_a_reason(labels: list[bool], scores: list[float], reason: str) -> None:
    for found in (auroc(labels, scores), balanced_accuracy(labels, [None if s is None else s > 0 for s in scores])):
        assert (found.value, found.reason) == (None, reason)
        assert np.isnan(found.over(np.ones((3, len(labels))))).all()


def test_balanced_accuracy_by_hand() -> None:
    # 2 of 3 true ones and 1 of 2 false ones: (2/3 + 1/2) / 2 = 7/12
    found = balanced_accuracy([1, 1, 1, 0, 0, 1], [1, 1, 0, 0, 1, None])
    assert found.value == pytest.approx(7 / 12)
    assert found.n == 5


LABELS, SCORES = [1, 0, 1, 0, 0, 1, 1], [0.9, 0.1, 0.5, 0.5, 0.7, 0.2, 0.3]
GROUPS = ["p", "p", "q", "q", "q", "r", "r"]


def test_within_question_by_hand() -> None:
    # p: 1 of 1 pair; q: right 0.5 against 0.5 (half) and 0.7 (lost): 0.5 of 2; r: all right, no pair
    question, pairs = within_question_auroc(LABELS, SCORES, GROUPS), wqd(LABELS, SCORES, GROUPS)
    assert (question.value, question.n) == (0.625, 2)  # (1 + 1/4) / 2
    assert (pairs.value, pairs.n) == (0.5, 3)  # (1 + 0.5) / 3
    assert wqd(LABELS, SCORES, GROUPS, tie=0.0).value == pytest.approx(1 / 3)


def test_difficulty_alone_is_nothing_within_questions() -> None:
    # the score knows the question only: pooled it looks good, within questions every pair is a tie
    labels, scores, groups = [1, 1, 1, 0, 1, 0, 0, 0], [0.9] * 4 + [0.1] * 4, ["easy"] * 4 + ["hard"] * 4
    assert auroc(labels, scores).value == 0.75
    assert within_question_auroc(labels, scores, groups).value == 0.5


def test_within_question_undefined() -> None:
    found = within_question_auroc([1, 0], [0.1, 0.2], ["p", "q"])
    assert (found.value, found.n, found.reason) == (None, 0, "no question has right and wrong scored candidates")
    assert wqd([1, 0], [0.1, None], ["p", "p"]).value is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.sampled_from("pqrs")), min_size=1, max_size=30))
def test_within_question_equals_sklearn_by_question(rows: list[tuple[bool, int, str]]) -> None:
    labels, scores, groups = (np.array(c) for c in zip(*rows, strict=True))
    each = [
        (
            roc_auc_score(labels[groups == g], scores[groups == g]),
            (labels[groups == g]).sum() * (~labels[groups == g]).sum(),
        )
        for g in set(groups.tolist())
        if len(set(labels[groups == g].tolist())) == 2
    ]
    question, pairs = within_question_auroc(labels, scores, groups.tolist()), wqd(labels, scores, groups.tolist())
    if each:
        assert question.value == pytest.approx(np.mean([a for a, _ in each]))
        assert pairs.value == pytest.approx(sum(a * n for a, n in each) / sum(n for _, n in each))
    else:
        assert question.value is pairs.value is None


def test_accuracy() -> None:
    assert accuracy([0, 1, 2, None], [0, 2, None, 1]).value == 0.5
    assert accuracy([0, 1, 2, None], [0, 2, None, 1]).n == 2
    counted = accuracy([0, 1, 2, None], [0, 2, None, 1], unscored="wrong")
    assert (counted.value, counted.n) == (pytest.approx(1 / 3), 3)
    assert accuracy([None], [1]).reason == "no scored row with a label"
    with pytest.raises(InnerjudgeError, match="unscored='zero'"):
        accuracy([1], [1], unscored="zero")


def test_permutation_accuracy() -> None:
    # both right in 1 of 3 scored; the fourth has no verdict on the permuted question
    found = permutation_accuracy([True, True, False, True], [True, False, True, None])
    assert (found.value, found.n) == (pytest.approx(1 / 3), 3)
    assert permutation_accuracy([True, None], [True, True], unscored="wrong").value == 0.5


def test_pair_accuracy() -> None:
    human = ["a", "b", "tie", "a", None, "b"]
    forward = ["a", "b", "tie", "tie", "a", None]
    backward = ["a", "a", "tie", "tie", "a", "b"]
    # decided and scored: a/a right, b/(b, a) wrong, a/(tie, tie) wrong
    skip = pair_accuracy(human, forward, backward)
    assert (skip.value, skip.n) == (pytest.approx(1 / 3), 3)
    wrong = pair_accuracy(human, forward, backward, unscored="wrong")
    assert (wrong.value, wrong.n) == (0.25, 4)


@pytest.mark.parametrize("name", ORACLES)
def test_correlations_equal_scipy(name: str) -> None:
    ours, theirs = ORACLES[name]
    rng = np.random.default_rng(0)
    x, y = rng.integers(1, 6, 50).astype(float), rng.normal(size=50)
    assert ours(x, y).value == pytest.approx(theirs(x, y)[0])
    gaps = y.tolist()
    gaps[3] = None
    kept = np.arange(50) != 3
    assert ours(x, gaps).value == pytest.approx(theirs(x[kept], y[kept])[0])
    assert ours(x, gaps).n == 49


@pytest.mark.parametrize("name", ORACLES)
def test_correlations_that_are_undefined(name: str) -> None:
    ours, _ = ORACLES[name]
    assert ours([1, 2, 3], [5, 5, 5]).reason == "the scores are constant"
    assert ours([5, 5, 5], [1, 2, 3]).reason == "the human scores are constant"
    assert ours([0.1] * 3, [1, 2, 3]).value is None
    assert ours([1.0], [1.0]).reason == "1 scored rows with human scores, fewer than 2"
    assert ours([1.0, 2.0], [None, 2.0]).value is None
    with pytest.raises(InnerjudgeError, match="given 1 human scores and 2 scores"):
        ours([1.0], [1.0, 2.0])


rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12)


def agree(statistic: Statistic, weights: np.ndarray, expected: float | None) -> None:
    got = statistic.over(weights[None].astype(float))[0]
    assert (np.isnan(got) and expected is None) or got == pytest.approx(expected, abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(rows)
def test_weights_are_repetitions(drawn: list[tuple[int, int, int]]) -> None:
    """Every metric under weights equals sklearn or scipy on the rows repeated as often."""
    x, y, w = (np.array(c, dtype=float) for c in zip(*drawn, strict=True))
    rx, ry = repeated(x, w), repeated(y, w)
    for ours, theirs in ORACLES.values():
        made = ours(x, y)
        varied = len(set(rx)) > 1 and len(set(ry)) > 1
        if made.value is not None:
            agree(made, w, theirs(rx, ry)[0] if varied else None)
    labels = x > 1
    two = len(set(repeated(labels, w).tolist())) > 1
    area, balanced = auroc(labels, y), balanced_accuracy(labels, y > 1)
    if area.value is not None:
        agree(area, w, roc_auc_score(repeated(labels, w), ry) if two else None)
        agree(balanced, w, balanced_accuracy_score(repeated(labels, w), ry > 1) if two else None)
    agree(accuracy(x.tolist(), y.tolist()), w, np.mean(rx == ry) if len(rx) else None)


@settings(max_examples=100, deadline=None)
@given(rows, st.booleans())
def test_value_is_the_value_under_weights_of_one(drawn: list[tuple[int, int, int]], gaps: bool) -> None:
    x, y, g = (list(c) for c in zip(*drawn, strict=True))
    scores = [None if gaps and i % 3 == 0 else float(v) for i, v in enumerate(y)]
    labels = [v > 1 for v in x]
    for made in (
        auroc(labels, scores), within_question_auroc(labels, scores, g), wqd(labels, scores, g),
        spearman(x, scores), pearson(x, scores), kendall(x, scores), accuracy(x, scores),
        balanced_accuracy(labels, [None if s is None else s > 1 for s in scores]),
    ):  # fmt: skip
        agree(made, np.ones(len(x)), made.value)
        assert (made.value is None) == (made.reason is not None)
        assert made.size == len(x)


def test_kendall_in_blocks_equals_scipy() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(1, 9, 2100).astype(float), rng.normal(size=2100).round(1)
    weights = rng.multinomial(2100, np.full(2100, 1 / 2100))
    agree(kendall(x, y), weights, stats.kendalltau(repeated(x, weights), repeated(y, weights))[0])


def test_columns_of_different_lengths() -> None:
    with pytest.raises(InnerjudgeError, match=r"lengths \{'labels': 1, 'scores': 2\}"):
        auroc([True], [0.1, 0.2])
