"""How well scores put right answers before wrong ones: pooled, and within the question. Scores: higher is better.

Each function returns a :class:`.statistic.Statistic`: ``.value`` (``None`` with ``.reason`` where undefined, never NaN)
and what an interval needs. Rows whose label or score is ``None`` (unscored) are left out and do not count in ``.n``,
unless the metric says otherwise.
"""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from ...data.splits import rows_by_group
from ..statistic import SHARE, Floats, Labels, Statistic, Ties, Values, divide, finite, ratio, require_same_length
from .accuracy import of_two_classes


def auroc(labels: Labels, scores: Values) -> Statistic:
    """Area under the ROC curve, all rows pooled; a tie counts one half. Undefined with one class only.

    Example:
        >>> auroc([True, False, False], [0.9, 0.1, 0.9]).value
        0.75
    """
    return of_two_classes(labels, scores, _auroc)


def _auroc(positive: npt.NDArray[np.bool_], score: Floats) -> tuple[float, Callable[[Floats], Floats]]:
    """The value is scikit-learn's; without each of 500 questions (2,000 rows) its function takes 60 times as long."""
    ties = Ties.of(score)

    def over(rows: Floats) -> Floats:
        right, wrong = ties.sums(rows * positive), ties.sums(rows * ~positive)
        won = (right * (np.cumsum(wrong, axis=1) - wrong / 2)).sum(axis=1)
        return divide(won, right.sum(axis=1) * wrong.sum(axis=1))

    return float(roc_auc_score(positive, score)), over


def within_question_auroc(labels: Labels, scores: Values, groups: Sequence[Hashable]) -> Statistic:
    """Mean over questions of the AUROC among the candidates of one question.

    Every question that has right and wrong scored candidates weighs the same; the others contribute nothing. ``n``
    counts questions. :func:`wqd` weighs every pair the same instead.

    Example:
        >>> within_question_auroc([1, 0, 1, 0, 0], [0.9, 0.1, 0.5, 0.5, 0.7], ["p", "p", "q", "q", "q"]).value
        0.625
    """
    won, pairs = _pairs_won(labels, scores, groups)
    counts = pairs > 0
    per_question = np.where(counts, won / np.where(counts, pairs, 1.0), 0.0)
    reason = "no question has right and wrong scored candidates"
    return ratio(per_question, counts.astype(np.float64), reason=reason, limits=SHARE)


def wqd(labels: Labels, scores: Values, groups: Sequence[Hashable], *, tie: float = 0.5) -> Statistic:
    """Within-question discrimination: share of (right, wrong) pairs of one question won by the right one.

    Pairs are pooled over questions, so a question with more pairs weighs more; ``n`` counts pairs. ``tie`` is the
    credit of a pair with equal scores: 0.5 as in AUROC, 0 for the strict form of the source.

    Source:
        CISC, within-question discrimination.
    """
    won, pairs = _pairs_won(labels, scores, groups, tie=tie)
    reason = "no question has right and wrong scored candidates"
    return ratio(won, pairs, n=int(pairs.sum()), reason=reason, limits=SHARE)


def decomposition(
    labels: Labels, scores: Values, groups: Sequence[Hashable]
) -> tuple[float, float | None, float | None, float] | None:
    """``(pooled, within, between, share)`` with ``pooled = share * within + (1 - share) * between``, ties one half.

    ``share`` is that of the (right, wrong) pairs which are of one question; ``within`` and ``between`` weigh every pair
    alike, and are ``None`` where there is no such pair. ``None`` without right and wrong scored rows.

    Source:
        arXiv 2609.03436, equation 1.

    Example:
        >>> values = decomposition([1, 1, 0, 1, 0, 0], [0.9, 0.4, 0.6, 0.5, 0.3, 0.2], "aaabbb")
        >>> [round(v, 6) for v in values]  # of 9 pairs 4 are within, 3 of them won; of the other 5, 4
        [0.777778, 0.75, 0.8, 0.444444]
    """
    pooled = auroc(labels, scores).value
    if pooled is None:
        return None
    inner = wqd(labels, scores, groups)
    truth = finite(labels)[~np.isnan(finite(scores))]
    pairs = int((truth == 1).sum() * (truth == 0).sum())
    share = inner.n / pairs
    if inner.value is None:
        return pooled, None, pooled, 0.0
    between = (pooled - share * inner.value) / (1 - share) if inner.n < pairs else None
    return pooled, inner.value, between, share


def _pairs_won(
    labels: Labels, scores: Values, groups: Sequence[Hashable], *, tie: float = 0.5
) -> tuple[Floats, Floats]:
    """Pairs won and pairs of each question, both ``[n]``, standing at the question's first row."""
    require_same_length(labels=labels, scores=scores, groups=groups)
    truth, score = finite(labels), finite(scores)
    won, pairs = np.zeros(len(truth)), np.zeros(len(truth))
    for rows in rows_by_group(groups):
        scored = rows[~np.isnan(score[rows])]
        gap = score[scored[truth[scored] == 1], None] - score[scored[truth[scored] == 0]]
        won[rows[0]] = (gap > 0).sum() + tie * (gap == 0).sum()
        pairs[rows[0]] = gap.size
    return won, pairs


def auprc(labels: Labels, scores: Values) -> Statistic:
    """Average precision, all rows pooled: precision at every score that is given, weighted by the recall won there.

    A judge that knows nothing gets the share of right rows, not one half. Undefined with one class only.
    """
    return of_two_classes(labels, scores, _auprc)


def _auprc(positive: npt.NDArray[np.bool_], score: Floats) -> tuple[float, Callable[[Floats], Floats]]:
    """The value is scikit-learn's; without each of 500 questions (2,000 rows) its function takes 25 times as long."""
    ties = Ties.of(-score)

    def over(rows: Floats) -> Floats:
        right, every = ties.sums(rows * positive), ties.sums(rows)
        seen = np.cumsum(every, axis=1)
        precision = np.cumsum(right, axis=1) / np.maximum(seen, 1e-300)
        return divide((precision * right).sum(axis=1), right.sum(axis=1))

    return float(average_precision_score(positive, score)), over


def within_question_auprc(labels: Labels, scores: Values, groups: Sequence[Hashable]) -> Statistic:
    """Mean over questions of the average precision among the candidates of one question; ``n`` counts questions.

    Every question that has right and wrong scored candidates weighs the same.
    """
    require_same_length(labels=labels, scores=scores, groups=groups)
    truth, score = finite(labels), finite(scores)
    value, counts = np.zeros(len(truth)), np.zeros(len(truth))
    for rows in rows_by_group(groups):
        known = rows[~np.isnan(score[rows]) & ~np.isnan(truth[rows])]
        positive = truth[known] == 1
        if positive.any() and not positive.all():
            value[rows[0]] = average_precision_score(positive, score[known])
            counts[rows[0]] = 1.0
    return ratio(value, counts, reason="no question has right and wrong scored candidates", limits=SHARE)
