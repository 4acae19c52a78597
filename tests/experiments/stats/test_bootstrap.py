from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from innerjudge.experiments.data.splits import rows_by_group
from innerjudge.experiments.selection.reranking import selection_accuracy
from innerjudge.experiments.selection.rules import Rule
from innerjudge.experiments.stats import resamples
from innerjudge.experiments.stats.bootstrap import both_scored, cluster_bootstrap, paired_difference
from innerjudge.experiments.stats.metrics.accuracy import accuracy
from innerjudge.experiments.stats.metrics.auroc import auroc, within_question_auroc
from innerjudge.experiments.stats.metrics.correlation import spearman
from innerjudge.experiments.stats.resamples import draw_counts
from innerjudge.models.errors import InnerjudgeError
from sklearn.metrics import roc_auc_score


def traces(questions: int = 30, candidates: int = 4, seed: int = 0):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(questions), candidates)
    labels = rng.random(len(groups)) < np.repeat(rng.random(questions), candidates)
    return labels, labels + rng.normal(size=len(groups)), groups.tolist()


def test_two_questions_by_hand() -> None:
    # resamples of {0, 1}: (0,0) 1/4 -> 0, (0,1) 1/2 -> 0.5, (1,1) 1/4 -> 1: their variance is 1/2 * 1/4 = 1/8
    found = cluster_bootstrap(accuracy([1, 1], [0, 1]), ["p", "q"], n_resamples=20_000, seed=0)
    assert found.error == pytest.approx(np.sqrt(1 / 8), abs=0.003)
    # Wilson, 1 of 2: turn = z^2 / 2 = 1.921; 0.5 -+ 1.96 sqrt(1/8) sqrt(1 + 1.921) / 2.921 = 0.5 -+ 0.405
    assert (found.value, found.n, found.skipped) == (0.5, 2, 0)
    assert (found.low, found.high) == pytest.approx((0.095, 0.905), abs=0.003)
    middle = cluster_bootstrap(accuracy([1, 1], [0, 1]), ["p", "q"], n_resamples=20_000, seed=0, confidence=0.4)
    # z = 0.5244, turn 0.1375: 0.5 -+ 0.5244 * 0.3536 sqrt(1.1375) / 1.1375 = 0.5 -+ 0.174
    assert (middle.low, middle.high) == pytest.approx((0.326, 0.674), abs=0.003)


def test_counts() -> None:
    counts = draw_counts(5, n_resamples=2000, seed=1)
    assert (counts.sum(axis=1) == 5).all()
    assert counts.mean(axis=0) == pytest.approx([1.0] * 5, abs=0.1)
    # a group is missing from a resample with chance (4/5)^5 = 0.328
    assert (counts == 0).mean() == pytest.approx(0.8**5, abs=0.02)


def test_fast_and_plain_statistics_agree_on_the_same_resamples() -> None:
    labels, scores, groups = traces()

    def pooled(rows: np.ndarray, draws: np.ndarray) -> float | None:
        return float(roc_auc_score(labels[rows], scores[rows])) if len(set(labels[rows])) == 2 else None

    def within(rows: np.ndarray, draws: np.ndarray) -> float | None:
        return within_question_auroc(labels[rows], scores[rows], draws.tolist()).value

    for fast, plain in ((auroc(labels, scores), pooled), (within_question_auroc(labels, scores, groups), within)):
        a = cluster_bootstrap(fast, groups, n_resamples=100, seed=4)
        b = cluster_bootstrap(plain, groups, n_resamples=100, seed=4)
        assert (a.value, a.error) == pytest.approx((b.value, b.error))
        boundless = cluster_bootstrap(replace(fast, limits=None, counts=()), groups, n_resamples=100, seed=4)
        assert (boundless.low, boundless.high) == pytest.approx((b.low, b.high))


def test_a_question_drawn_twice_counts_as_two() -> None:
    # p's AUROC is 1, q's is 0. Drawn (p, p, q), the mean over clusters is 2/3; merged by name it would be 1/2.
    labels, scores, groups = [1, 0, 1, 0], [2.0, 1.0, 1.0, 2.0], ["p", "p", "q", "q"]
    twice_p = np.array([[2.0, 2.0, 1.0, 1.0]])
    assert within_question_auroc(labels, scores, groups).over(twice_p)[0] == pytest.approx(2 / 3)
    rows, draws = np.array([0, 1, 0, 1, 2, 3]), [0, 0, 1, 1, 2, 2]
    taken = [labels[i] for i in rows], [scores[i] for i in rows]
    assert within_question_auroc(*taken, draws).value == pytest.approx(2 / 3)
    assert within_question_auroc(*taken, [groups[i] for i in rows]).value == 0.5  # the mistake
    # and the callable gets a number of its own for each draw
    seen = []
    cluster_bootstrap(lambda r, d: seen.append((r, d)), ["p", "p", "q", "q"], n_resamples=20, seed=0)
    assert [r.tolist() for r, _ in seen[21:]] == [[2, 3], [0, 1]]  # each left out in turn
    for r, d in seen[1:21]:
        assert d.tolist() == [0, 0, 1, 1]
        assert sorted(set(r.tolist())) in ([0, 1], [2, 3], [0, 1, 2, 3])


def test_selection_draws_whole_questions() -> None:
    labels, scores, groups = traces(questions=3)
    answers = [str(i) for i in range(len(groups))]
    made = selection_accuracy(answers, scores, labels.tolist(), groups, rule=Rule("top@1"))
    each = [
        selection_accuracy([answers[i] for i in r], scores[r], labels[r].tolist(), [0] * 4, rule=Rule("top@1")).value
        for r in rows_by_group(groups)
    ]
    weights = np.repeat([[2.0, 0.0, 1.0]], 4, axis=1)
    assert made.over(weights)[0] == pytest.approx((2 * each[0] + each[2]) / 3)


def test_undefined_resamples_are_skipped_and_counted() -> None:
    # two questions all right and two all wrong: 2 of 16 resamples have one class only
    found = cluster_bootstrap(auroc([True, True, False, False], [1.0, 0.9, 0.0, 0.1]), "pqrs", n_resamples=1000, seed=0)
    # two questions of either class that all say the same: 0.025 ** (1 / 2) = 0.158
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 0.1581, 1.0), abs=1e-4)
    assert found.reason is None
    assert 80 < found.skipped < 170
    # one question of a class: nothing is known of how another would have come out
    alone = cluster_bootstrap(auroc([True, False], [1.0, 0.0]), ["p", "q"], n_resamples=1000, seed=0)
    assert (alone.value, alone.low) == (1.0, None)
    assert 430 < alone.skipped < 570
    plain = cluster_bootstrap(
        lambda r, d: None if len(set(r.tolist())) == 1 else 1.0, ["p", "q"], n_resamples=1000, seed=0
    )
    assert plain.skipped == alone.skipped
    # a callable has no bounds: where all say the same, nothing is known of how far others would lie
    assert (plain.low, plain.reason) == (None, "no interval: all questions say the same, and the figure has no bounds")


def test_no_interval_without_a_value_or_a_second_question() -> None:
    one_class = cluster_bootstrap(auroc([True, True], [1.0, 0.0]), ["p", "q"], seed=0)
    assert (one_class.value, one_class.low, one_class.reason) == (None, None, "all 2 labels are true")
    single = cluster_bootstrap(auroc([True, False], [1.0, 0.0]), ["p", "p"], seed=0)
    assert (single.value, single.low, single.high) == (1.0, None, None)
    assert single.reason == "no interval from fewer than 2 questions"
    empty = cluster_bootstrap(lambda r, d: 1.0, [], seed=0)
    assert (empty.value, empty.reason) == (None, "no rows")
    never = cluster_bootstrap(lambda r, d: None, ["p", "q"], n_resamples=10, seed=0)
    assert (never.value, never.low, never.skipped, never.reason) == (None, None, 10, "undefined on these rows")


def test_bad_calls() -> None:
    made = accuracy([1, 1], [0, 1])
    with pytest.raises(InnerjudgeError, match="given a metric of 2 rows and 3 groups"):
        cluster_bootstrap(made, ["p", "q", "r"], seed=0)
    with pytest.raises(InnerjudgeError, match="confidence 95"):
        cluster_bootstrap(made, ["p", "q"], seed=0, confidence=95)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from("pqrst")), min_size=1, max_size=25), st.integers(0, 99),
    st.floats(0.5, 0.99),
)  # fmt: skip
def test_bounds(rows: list[tuple[bool, str]], seed: int, confidence: float) -> None:
    rights, groups = [r for r, _ in rows], [g for _, g in rows]
    made = accuracy([True] * len(rows), rights)
    found = cluster_bootstrap(made, groups, n_resamples=200, seed=seed, confidence=confidence)
    if len(set(groups)) < 2:
        assert found.low is found.high is None
        return
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.01, "few questions never make a point of an interval"
    wider = cluster_bootstrap(made, groups, n_resamples=200, seed=seed, confidence=0.995)
    assert wider.low <= found.low  # type: ignore[operator]
    assert wider.high >= found.high  # type: ignore[operator]
    assert cluster_bootstrap(made, groups, n_resamples=200, seed=seed, confidence=confidence) == found


def test_interval_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    groups, hits = np.repeat(np.arange(60), 3).tolist(), 0
    for trial in range(200):
        rights = rng.random(180) < np.repeat(rng.random(60), 3)  # the truth is 0.5; questions differ
        found = cluster_bootstrap(accuracy([True] * 180, rights.tolist()), groups, n_resamples=300, seed=trial)
        hits += found.low <= 0.5 <= found.high
    assert 0.89 <= hits / 200 <= 0.99


def test_clusters_widen_the_interval() -> None:
    labels, _, groups = traces(questions=40, candidates=8)
    right = [bool(b) for b in labels]
    by_question = cluster_bootstrap(accuracy([True] * 320, right), groups, seed=0)
    by_row = cluster_bootstrap(accuracy([True] * 320, right), list(range(320)), seed=0)
    assert by_question.high - by_question.low > 1.5 * (by_row.high - by_row.low)


def test_paired_difference_by_hand() -> None:
    # a is right where b is, and on one question more: the difference is that question's share of the resample
    a, b = accuracy([1] * 4, [1, 1, 1, 0]), accuracy([1] * 4, [1, 1, 0, 0])
    found = paired_difference(a, b, list("pqrs"), seed=0)
    assert found.value == 0.25
    # on the scale of -1 to 1: p = 0.625, p (1 - p) = 0.2344; differences 0 0 1 0 have variance 0.1875, so the error is
    # sqrt(0.1875 / 4) = 0.2165, widened by sqrt(4 / 3) 0.25, on the scale 0.125; 3 degrees, t = 3.182.
    # turn = 3.182^2 0.125^2 / 0.2344 = 0.675; middle (0.625 + 0.3375) / 1.675 = 0.5747;
    # half 3.182 * 0.125 sqrt(1 + 0.675 / 0.9375) / 1.675 = 0.3114: 0.263 to 0.886, which is -0.47 to 0.77
    assert (found.degrees, found.error) == (3.0, pytest.approx(0.2165, abs=0.01))
    assert (found.low, found.high) == pytest.approx((-0.473, 0.772), abs=0.03)
    assert (found.n, found.skipped) == (4, 0)


def test_paired_difference_is_narrower_than_the_two_alone_and_antisymmetric() -> None:
    labels, scores, groups = traces(questions=60)
    rng = np.random.default_rng(1)
    a, b = auroc(labels, scores), auroc(labels, scores + rng.normal(scale=0.2, size=len(scores)))
    both, back = paired_difference(a, b, groups, seed=0), paired_difference(b, a, groups, seed=0)
    alone = cluster_bootstrap(a, groups, seed=0)
    assert both.high - both.low < (alone.high - alone.low) / 2
    assert (both.value, both.low, both.high) == pytest.approx((-back.value, -back.high, -back.low))
    same = paired_difference(a, a, groups, seed=0)
    # 51 questions have a row of the scarcer class, and on all of them the two agree: with 95 % confidence at most
    # 1 - 0.025 ** (1 / 51) = 0.0698 of others differ
    assert same.groups == 51
    assert (same.value, same.low, same.high) == pytest.approx((0.0, -0.0698, 0.0698), abs=1e-4)


def test_paired_difference_skips_where_either_is_undefined() -> None:
    a, b = auroc([True, False], [1.0, 0.0]), accuracy([1, 1], [1, 0])
    found = paired_difference(a, b, ["p", "q"], seed=0)
    assert found.skipped == cluster_bootstrap(a, ["p", "q"], seed=0).skipped > 0
    gone = paired_difference(b, auroc([True, True], [1.0, 0.0]), ["p", "q"], seed=0)
    assert (gone.value, gone.low, gone.reason) == (None, None, "all 2 labels are true")


def test_both_scored() -> None:
    assert both_scored([1, None, 3, None], [1, 2, None, None]).tolist() == [True, False, False, False]


def test_a_metric_is_resampled_once_and_whatever_the_size_of_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of the weights are of one row, a few or all of them; a second figure asks for nothing anew."""
    labels, scores, groups = [1, 0, 1, 1, 0, 1], [0.9, 0.2, 0.4, 0.8, 0.5, 0.3], list("ppqqrs")
    found = []
    for entries, kept in ((1, 0), (13, 0), (1 << 16, 0), (1, 1 << 22), (1 << 16, 1 << 22)):
        monkeypatch.setattr(resamples, "_KEPT", kept)
        rows: list[int] = []
        made = spearman(labels, scores)
        spied = replace(made, at_once=entries, over=lambda w, of=made.over, rows=rows: (rows.append(len(w)), of(w))[1])
        intervals = [cluster_bootstrap(spied, groups, n_resamples=50, seed=1) for _ in range(2)]
        assert sum(rows) == 54  # and four questions left out in turn
        assert intervals[0] == intervals[1]
        found.append(intervals[0])
        cluster_bootstrap(spied, groups, n_resamples=50, seed=2)
        assert sum(rows) == 108, "another seed is another figure"
    assert all(one == found[0] for one in found)
