from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.experiments.data.splits import rows_by_group
from innerjudge.experiments.selection.reranking import selection_accuracy
from innerjudge.experiments.selection.rules import Rule
from innerjudge.experiments.stats import intervals
from innerjudge.experiments.stats.intervals import cluster_interval, half_samples, left_out, paired_difference
from innerjudge.experiments.stats.metrics.accuracy import accuracy, auroc, within_question_auroc
from innerjudge.experiments.stats.metrics.correlation import spearman
from innerjudge.experiments.stats.statistic import ratio
from innerjudge.models.errors import InnerjudgeError
from scipy import stats
from sklearn.metrics import roc_auc_score


def traces(questions: int = 30, candidates: int = 4, seed: int = 0):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(questions), candidates)
    labels = rng.random(len(groups)) < np.repeat(rng.random(questions), candidates)
    return labels, labels + rng.normal(size=len(groups)), groups.tolist()


def test_two_questions_by_hand() -> None:
    # left out in turn they leave 1 and 0: pulls -1/2 and 1/2, of mean square 1/4, so the error is sqrt(1/4 / 2)
    found = cluster_interval(accuracy([1, 1], [0, 1]), ["p", "q"])
    assert found.error == pytest.approx(np.sqrt(1 / 8))
    # Wilson, 1 of 2: turn = z^2 / 2 = 1.9207; 0.5 -+ 1.96 sqrt(1/8) sqrt(1 + 1.9207) / 2.9207 = 0.5 -+ 0.4055
    assert (found.value, found.n) == (0.5, 2)
    assert (found.low, found.high) == pytest.approx((0.0945, 0.9055), abs=1e-4)
    middle = cluster_interval(accuracy([1, 1], [0, 1]), ["p", "q"], confidence=0.4)
    # z = 0.5244, turn 0.1375: 0.5 -+ 0.5244 * 0.3536 sqrt(1.1375) / 1.1375 = 0.5 -+ 0.1738
    assert (middle.low, middle.high) == pytest.approx((0.3262, 0.6738), abs=1e-4)


def test_weights_that_leave_out() -> None:
    each = left_out(5)
    assert (each.sum(axis=1) == 4).all()
    assert (each.sum(axis=0) == 4).all()
    parts = left_out(1000, most=400)  # of two or three questions, each left out once
    assert parts.shape == (400, 1000)
    assert (parts == 0).sum(axis=0).tolist() == [1] * 1000
    assert set((parts == 0).sum(axis=1)) == {2, 3}


@pytest.mark.parametrize("n", [3, 8, 25, 400, 1000])
def test_halves_give_a_mean_its_error_exactly(n: int) -> None:
    """Each question is in about half of them, and any two are together about as often as apart."""
    assert half_samples(2).tolist() == [[0.0, 1.0], [1.0, 0.0]]
    halves = half_samples(n)
    assert set(halves.ravel()) == {0.0, 1.0}
    assert np.allclose(halves.mean(axis=0), 0.5, atol=0.5 / len(halves) + 1e-9)
    signs = 2 * halves[:, : min(n, 400)] - 1
    together = signs.T @ signs / len(signs)
    assert np.abs(together - np.eye(len(together))).max() <= 1 / len(signs) + 1e-9
    if n == 400:  # the variance of a mean over halves is that of the mean
        x = np.random.default_rng(0).normal(size=n)
        off = halves @ x / halves.sum(axis=1) - x.mean()
        assert np.sqrt((off**2).mean()) == pytest.approx(x.std(ddof=1) / np.sqrt(n), rel=0.02)


def test_more_questions_than_parts_give_nearly_the_same_error() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=3000)
    found = cluster_interval(ratio(x, np.ones(3000)), list(range(3000)))
    assert found.error == pytest.approx(x.std() / np.sqrt(3000), rel=0.1)  # 400 parts: 1 / sqrt(2 * 400) = 3.5 %


def test_the_error_is_that_of_leaving_questions_out_by_hand() -> None:
    """The slow way beside the fast one: scikit-learn on the rows that are left, a question at a time."""
    labels, scores, groups = traces()
    asked = np.array(groups)

    def pooled(rows: np.ndarray) -> float:
        return float(roc_auc_score(labels[rows], scores[rows]))

    def within(rows: np.ndarray) -> float | None:
        return within_question_auroc(labels[rows], scores[rows], asked[rows].tolist()).value

    for fast, plain in ((auroc(labels, scores), pooled), (within_question_auroc(labels, scores, groups), within)):
        left = np.array([plain(np.flatnonzero(asked != q)) for q in range(30)])
        error = np.sqrt(29 / 30 * ((left - left.mean()) ** 2).sum())  # Efron and Stein, with the divisor G - 1
        found = cluster_interval(fast, groups)
        assert found.value == pytest.approx(plain(np.arange(len(labels))))
        assert found.error == pytest.approx(error * np.sqrt(29 / 30))
        boundless = cluster_interval(replace(fast, limits=None, counts=()), groups)
        assert boundless.degrees is not None
        half = stats.t.isf(0.025, boundless.degrees) * error
        assert (boundless.low, boundless.high) == pytest.approx((found.value - half, found.value + half))


def test_the_error_of_a_mean_is_its_own() -> None:
    x = np.array([1.0, 2.0, 4.0, 9.0])
    found = cluster_interval(ratio(x, np.ones(4)), "pqrs")
    assert found.error == pytest.approx(x.std() / 2)
    # two rows a question: pulls of the questions' means 1.5 and 6.5 about 4, so 2.5 / sqrt(2)
    assert cluster_interval(ratio(x, np.ones(4)), "ppqq").error == pytest.approx(2.5 / np.sqrt(2))


def test_a_question_drawn_twice_counts_as_two() -> None:
    # p's AUROC is 1, q's is 0. Drawn (p, p, q), the mean over clusters is 2/3; merged by name it would be 1/2.
    labels, scores, groups = [1, 0, 1, 0], [2.0, 1.0, 1.0, 2.0], ["p", "p", "q", "q"]
    twice_p = np.array([[2.0, 2.0, 1.0, 1.0]])
    assert within_question_auroc(labels, scores, groups).over(twice_p)[0] == pytest.approx(2 / 3)
    rows, draws = np.array([0, 1, 0, 1, 2, 3]), [0, 0, 1, 1, 2, 2]
    taken = [labels[i] for i in rows], [scores[i] for i in rows]
    assert within_question_auroc(*taken, draws).value == pytest.approx(2 / 3)
    assert within_question_auroc(*taken, [groups[i] for i in rows]).value == 0.5  # the mistake


def test_selection_draws_whole_questions() -> None:
    labels, scores, groups = traces(questions=3)
    answers = [str(i) for i in range(len(groups))]
    made = selection_accuracy(answers, scores, labels.tolist(), groups, rule=Rule("best-of-n"))
    best = Rule("best-of-n")
    each = [
        selection_accuracy([answers[i] for i in r], scores[r], labels[r].tolist(), [0] * 4, rule=best).value
        for r in rows_by_group(groups)
    ]
    weights = np.repeat([[2.0, 0.0, 1.0]], 4, axis=1)
    assert made.over(weights)[0] == pytest.approx((2 * each[0] + each[2]) / 3)


def test_figures_that_need_one_question_have_no_interval() -> None:
    # two questions all right and two all wrong: without any of them the figure is 1 still
    found = cluster_interval(auroc([True, True, False, False], [1.0, 0.9, 0.0, 0.1]), "pqrs")
    # two questions of either class that all say the same: 0.025 ** (1 / 2) = 0.158
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 0.1581, 1.0), abs=1e-4)
    assert found.reason is None
    # one question of a class: nothing is known of how another would have come out
    alone = cluster_interval(auroc([True, False], [1.0, 0.0]), ["p", "q"])
    assert (alone.value, alone.low, alone.reason) == (1.0, None, "no interval: it rests on one question")
    hidden = cluster_interval(replace(auroc([True, False, False], [1.0, 0.0, 0.5]), counts=()), "pqr")
    assert (hidden.value, hidden.low) == (1.0, None)
    assert hidden.reason == "no interval: undefined without one of its questions"
    # without bounds, where all say the same, nothing is known of how far others would lie
    plain = cluster_interval(ratio(np.ones(3), np.ones(3)), "pqr")
    assert (plain.low, plain.reason) == (None, "no interval: all questions say the same, and the figure has no bounds")


def test_no_interval_without_a_value_or_a_second_question() -> None:
    one_class = cluster_interval(auroc([True, True], [1.0, 0.0]), ["p", "q"])
    assert (one_class.value, one_class.low, one_class.reason) == (None, None, "all 2 labels are true")
    single = cluster_interval(auroc([True, False], [1.0, 0.0]), ["p", "p"])
    assert (single.value, single.low, single.high) == (1.0, None, None)
    assert single.reason == "no interval from fewer than 2 questions"
    empty = cluster_interval(accuracy([], []), [])
    assert (empty.value, empty.reason) == (None, "no scored row with a label")


def test_bad_calls() -> None:
    made = accuracy([1, 1], [0, 1])
    with pytest.raises(InnerjudgeError, match="given a metric of 2 rows and 3 groups"):
        cluster_interval(made, ["p", "q", "r"])
    with pytest.raises(InnerjudgeError, match="confidence 95"):
        cluster_interval(made, ["p", "q"], confidence=95)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from("pqrst")), min_size=1, max_size=25), st.floats(0.5, 0.99))
def test_bounds(rows: list[tuple[bool, str]], confidence: float) -> None:
    rights, groups = [r for r, _ in rows], [g for _, g in rows]
    made = accuracy([True] * len(rows), rights)
    found = cluster_interval(made, groups, confidence=confidence)
    if len(set(groups)) < 2:
        assert found.low is found.high is None
        return
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.01, "few questions never make a point of an interval"
    wider = cluster_interval(made, groups, confidence=0.995)
    assert wider.low <= found.low  # type: ignore[operator]
    assert wider.high >= found.high  # type: ignore[operator]
    assert cluster_interval(made, groups, confidence=confidence) == found


def test_interval_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    groups, hits = np.repeat(np.arange(60), 3).tolist(), 0
    for _ in range(200):
        rights = rng.random(180) < np.repeat(rng.random(60), 3)  # the truth is 0.5; questions differ
        found = cluster_interval(accuracy([True] * 180, rights.tolist()), groups)
        hits += found.low <= 0.5 <= found.high
    assert 0.89 <= hits / 200 <= 0.99


def test_clusters_widen_the_interval() -> None:
    labels, _, groups = traces(questions=40, candidates=8)
    right = [bool(b) for b in labels]
    by_question = cluster_interval(accuracy([True] * 320, right), groups)
    by_row = cluster_interval(accuracy([True] * 320, right), list(range(320)))
    assert by_question.high - by_question.low > 1.5 * (by_row.high - by_row.low)


def test_paired_difference_by_hand() -> None:
    # a is right where b is, and on one question more: the difference is that question's
    a, b = accuracy([1] * 4, [1, 1, 1, 0]), accuracy([1] * 4, [1, 1, 0, 0])
    found = paired_difference(a, b, list("pqrs"))
    assert found.value == 0.25
    # on the scale of -1 to 1: p = 0.625, p (1 - p) = 0.2344; differences 0 0 1 0 have variance 0.1875, so the error is
    # sqrt(0.1875 / 4) = 0.2165, widened by sqrt(4 / 3) 0.25, on the scale 0.125; 3 degrees, t = 3.182.
    # turn = 3.182^2 0.125^2 / 0.2344 = 0.675; middle (0.625 + 0.3375) / 1.675 = 0.5747;
    # half 3.182 * 0.125 sqrt(1 + 0.675 / 0.9375) / 1.675 = 0.3114: 0.263 to 0.886, which is -0.47 to 0.77
    assert (found.degrees, found.error) == (3.0, pytest.approx(0.2165, abs=1e-4))
    assert (found.low, found.high) == pytest.approx((-0.473, 0.772), abs=2e-3)
    assert found.n == 4


def test_paired_difference_is_narrower_than_the_two_alone_and_antisymmetric() -> None:
    labels, scores, groups = traces(questions=60)
    rng = np.random.default_rng(1)
    a, b = auroc(labels, scores), auroc(labels, scores + rng.normal(scale=0.2, size=len(scores)))
    both, back = paired_difference(a, b, groups), paired_difference(b, a, groups)
    alone = cluster_interval(a, groups)
    assert both.high - both.low < (alone.high - alone.low) / 2
    assert (both.value, both.low, both.high) == pytest.approx((-back.value, -back.high, -back.low))
    same = paired_difference(a, a, groups)
    # 51 questions have a row of the scarcer class, and on all of them the two agree: with 95 % confidence at most
    # 1 - 0.025 ** (1 / 51) = 0.0698 of others differ
    assert same.groups == 51
    assert (same.value, same.low, same.high) == pytest.approx((0.0, -0.0698, 0.0698), abs=1e-4)


def test_paired_difference_rests_on_the_scarcest_question_of_either() -> None:
    a, b = auroc([True, False], [1.0, 0.0]), accuracy([1, 1], [1, 0])
    found = paired_difference(a, b, ["p", "q"])
    assert (found.value, found.low, found.reason) == (0.5, None, "no interval: it rests on one question")
    gone = paired_difference(b, auroc([True, True], [1.0, 0.0]), ["p", "q"])
    assert (gone.value, gone.low, gone.reason) == (None, None, "all 2 labels are true")


def test_an_interval_is_the_same_whatever_is_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, scores, groups = [1, 0, 1, 1, 0, 1], [0.9, 0.2, 0.4, 0.8, 0.5, 0.3], list("ppqqrs")
    found = []
    for entries in (1, 13, 1 << 16):
        monkeypatch.setattr(intervals, "_AT_ONCE", entries)
        rows: list[int] = []
        made = spearman(labels, scores)
        spied = replace(made, over=lambda w, of=made.over, rows=rows: (rows.append(len(w)), of(w))[1])
        found.append(cluster_interval(spied, groups))
        assert sum(rows) == 4, "four questions, left out in turn"
    assert all(one == found[0] for one in found)
