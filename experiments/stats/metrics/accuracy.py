"""Shares of right verdicts, under permutations and in both orders too; how well scores put right answers before wrong.

Each function returns a :class:`.statistic.Statistic`: ``.value`` (``None`` with ``.reason`` where undefined, never NaN)
and what an interval needs. Rows whose label or score is ``None`` (unscored) are left out and do not count in ``.n``,
unless the metric says otherwise.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from ....models.errors import InnerjudgeError
from ...data.splits import Index, rows_by_group
from .. import statistic
from ..statistic import SHARE, Floats, Groups, Labels, Rights, Said, Statistic, Ties, Values, divide, finite, ratio

#: Which pairs of some rows and some others count, ``[rows, others]``.
Alike = Callable[[Index, Index], npt.NDArray[np.bool_]]
#: A figure, and what weights of its rows give.
Made = tuple[float, Callable[[Floats], Floats]]
_NEITHER = "no question has right and wrong scored candidates"


def one_class(positive: npt.NDArray[np.bool_]) -> str:
    """Why a two-class metric is undefined."""
    if not len(positive):
        return "no scored row with a label"
    return f"all {len(positive)} labels are {'true' if positive[0] else 'false'}"


def of_two_classes(labels: Labels, scores: Values, make: Callable[[npt.NDArray[np.bool_], Floats], Made]) -> Statistic:
    """A metric of the scored rows that have a label; undefined with one class only.

    ``make`` gets the class and the score of the rows that count, and gives the value and what weights of these rows
    give.
    """
    statistic.require_same_length(labels=labels, scores=scores)
    truth, score = statistic.finite(labels), statistic.finite(scores)
    kept = np.flatnonzero(~np.isnan(truth) & ~np.isnan(score))
    positive = truth[kept] == 1
    if not positive.any() or positive.all():
        return statistic.undefined(one_class(positive), n=len(kept), size=len(truth))
    value, over = make(positive, score[kept])
    counts = tuple(statistic.where(kept[side], len(truth)) for side in (positive, ~positive))
    return Statistic(
        value=float(value), n=len(kept), size=len(truth), counts=counts, limits=SHARE, over=lambda w: over(w[:, kept])
    )


def balanced_accuracy(labels: Labels, predicted: Labels) -> Statistic:
    """Mean of the shares of true and of false rows that are called so. Undefined with one class of labels only."""

    def make(positive: npt.NDArray[np.bool_], said: Floats) -> Made:
        hit = ((said == 1) == positive).astype(np.float64)

        def over(weights: Floats) -> Floats:
            first, second = (statistic.divide(weights @ (side * hit), weights @ side) for side in (positive, ~positive))
            return (first + second) / 2

        return float(balanced_accuracy_score(positive, said == 1)), over

    return of_two_classes(labels, [None if p is None else float(p) for p in predicted], make)


def accuracy(labels: Said, predicted: Said, *, unscored: str = "skip") -> Statistic:
    """Share of rows whose prediction equals the label; rows without a label are left out.

    ``unscored="skip"`` leaves rows without a prediction out, ``"wrong"`` counts them as wrong.
    """
    statistic.require_same_length(labels=labels, predicted=predicted)
    rights = [None if p is None else p == t for t, p in zip(labels, predicted, strict=True)]
    return _share(rights, [t is not None for t in labels], unscored)


def permutation_accuracy(right: Rights, right_permuted: Rights, *, unscored: str = "skip") -> Statistic:
    """Share of questions answered right both as given and with the option texts permuted.

    Source:
        QK-score, arXiv 2410.02343: ``PA = (1/N) sum_i I_i I_i^p``, one random permutation, letters stay.
    """
    statistic.require_same_length(right=right, right_permuted=right_permuted)
    both = [None if a is None or b is None else a and b for a, b in zip(right, right_permuted, strict=True)]
    return _share(both, [True] * len(both), unscored)


def pair_accuracy(preferences: Said, forward: Said, backward: Said, *, unscored: str = "skip") -> Statistic:
    """Share of pairs judged as people did in both orders, verdicts *named as in the item* (``"a"``: ``response_a``).

    Human ties are left out; a verdict ``"tie"`` is wrong. ``unscored`` as in :func:`accuracy`.
    """
    statistic.require_same_length(preferences=preferences, forward=forward, backward=backward)
    rows = zip(preferences, forward, backward, strict=True)
    rights = [None if f is None or b is None else f == b == p for p, f, b in rows]
    return _share(rights, [p not in (None, "tie") for p in preferences], unscored)


def _share(rights: Rights, counts: Sequence[bool], unscored: str) -> Statistic:
    if unscored not in ("skip", "wrong"):
        raise InnerjudgeError(f'given unscored={unscored!r}, expected "skip" or "wrong"')
    right = statistic.finite(rights)
    if unscored == "wrong":
        right = np.nan_to_num(right)
    return statistic.mean(np.where(counts, right, np.nan), reason="no scored row with a label", limits=SHARE)


def auroc(labels: Labels, scores: Values) -> Statistic:
    """Area under the ROC curve, all rows pooled; a tie counts one half. Undefined with one class only.

    Example:
        >>> auroc([True, False, False], [0.9, 0.1, 0.9]).value
        0.75
    """
    return of_two_classes(labels, scores, _auroc)


def _auroc(positive: npt.NDArray[np.bool_], score: Floats) -> Made:
    """The value is scikit-learn's; without each of 500 questions (2,000 rows) its function takes 60 times as long."""
    ties = Ties.of(score)

    def over(rows: Floats) -> Floats:
        right, wrong = ties.sums(rows * positive), ties.sums(rows * ~positive)
        won = (right * (np.cumsum(wrong, axis=1) - wrong / 2)).sum(axis=1)
        return divide(won, right.sum(axis=1) * wrong.sum(axis=1))

    return float(roc_auc_score(positive, score)), over


def within_question_auroc(labels: Labels, scores: Values, groups: Groups) -> Statistic:
    """Mean over questions of the AUROC among the candidates of one question.

    Every question that has right and wrong scored candidates weighs the same; the others contribute nothing. ``n``
    counts questions. :func:`wqd` weighs every pair the same instead.

    Example:
        >>> within_question_auroc([1, 0, 1, 0, 0], [0.9, 0.1, 0.5, 0.5, 0.7], ["p", "p", "q", "q", "q"]).value
        0.625
    """
    won, pairs = pairs_won(labels, scores, groups)
    return statistic.mean(divide(won, pairs), reason=_NEITHER, limits=SHARE)


def wqd(labels: Labels, scores: Values, groups: Groups, *, tie: float = 0.5) -> Statistic:
    """Within-question discrimination: share of (right, wrong) pairs of one question won by the right one.

    Pairs are pooled over questions, so a question with more pairs weighs more; ``n`` counts pairs. ``tie`` is the
    credit of a pair with equal scores: 0.5 as in AUROC, 0 for the strict form of the source.

    Source:
        CISC, within-question discrimination.
    """
    won, pairs = pairs_won(labels, scores, groups, tie=tie)
    return ratio(won, pairs, n=int(pairs.sum()), reason=_NEITHER, limits=SHARE)


def decomposition(
    labels: Labels, scores: Values, groups: Groups
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


def pairs_won(
    labels: Labels, scores: Values, groups: Groups, *, tie: float = 0.5, alike: Alike | None = None
) -> tuple[Floats, Floats]:
    """(Right, wrong) pairs won and pairs of each question, both ``[n]``, standing at the question's first row.

    ``tie`` is the credit of equal scores; only pairs that are ``alike`` count, if that is given.
    """
    statistic.require_same_length(labels=labels, scores=scores, groups=groups)
    truth, score = finite(labels), finite(scores)
    won, pairs = np.zeros(len(truth)), np.zeros(len(truth))
    for rows in rows_by_group(groups):
        scored = rows[~np.isnan(score[rows])]
        right, wrong = scored[truth[scored] == 1], scored[truth[scored] == 0]
        gap = score[right, None] - score[wrong]
        gap = gap if alike is None else gap[alike(right, wrong)]
        won[rows[0]], pairs[rows[0]] = (gap > 0).sum() + tie * (gap == 0).sum(), gap.size
    return won, pairs


def auprc(labels: Labels, scores: Values) -> Statistic:
    """Average precision, all rows pooled: precision at every score that is given, weighted by the recall won there.

    A judge that knows nothing gets the share of right rows, not one half. Undefined with one class only.
    """
    return of_two_classes(labels, scores, _auprc)


def _auprc(positive: npt.NDArray[np.bool_], score: Floats) -> Made:
    """The value is scikit-learn's; without each of 500 questions (2,000 rows) its function takes 25 times as long."""
    ties = Ties.of(-score)

    def over(rows: Floats) -> Floats:
        right, every = ties.sums(rows * positive), ties.sums(rows)
        precision = np.cumsum(right, axis=1) / np.maximum(np.cumsum(every, axis=1), 1e-300)
        return divide((precision * right).sum(axis=1), right.sum(axis=1))

    return float(average_precision_score(positive, score)), over


def within_question_auprc(labels: Labels, scores: Values, groups: Groups) -> Statistic:
    """Mean over questions of the average precision among the candidates of one question; ``n`` counts questions.

    Every question that has right and wrong scored candidates weighs the same.
    """
    statistic.require_same_length(labels=labels, scores=scores, groups=groups)
    truth, score = finite(labels), finite(scores)
    value = np.full(len(truth), np.nan)
    for rows in rows_by_group(groups):
        known = rows[~np.isnan(score[rows]) & ~np.isnan(truth[rows])]
        positive = truth[known] == 1
        if positive.any() and not positive.all():
            value[rows[0]] = average_precision_score(positive, score[known])
    return statistic.mean(value, reason=_NEITHER, limits=SHARE)
