"""Area under the precision-recall curve, pooled and within questions."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from ...data.splits import rows_by_group
from ..statistic import SHARE, Floats, Labels, Statistic, Ties, Values, divide, finite, ratio, require_same_length
from .accuracy import of_two_classes


def auprc(labels: Labels, scores: Values) -> Statistic:
    """Average precision, all rows pooled: precision at every score that is given, weighted by the recall won there.

    A judge that knows nothing gets the share of right rows, not one half. Undefined with one class only.

    Example:
        >>> round(auprc([True, False, True], [0.9, 0.8, 0.1]).value, 4)  # 1/2 * 1 + 1/2 * 2/3
        0.8333
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

    Example:
        >>> within_question_auprc([1, 0, 1, 1], [0.9, 0.1, 0.5, 0.7], ["p", "p", "q", "q"]).value
        1.0
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
