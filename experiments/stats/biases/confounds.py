"""Difficulty and length taken out: what a judge still tells apart when neither can help it."""

from collections.abc import Hashable, Sequence

import numpy as np

from ...data.splits import rows_by_group
from ..metrics.accuracy import auroc
from ..statistic import SHARE, Labels, Statistic, Values, finite, ratio, require_same_length


def centred_auroc(labels: Labels, scores: Values, groups: Sequence[Hashable]) -> Statistic:
    """AUROC of scores from which their question's mean was taken, rows of all questions pooled.

    What a judge knows of the question alone is gone; rows are still compared across questions. Only questions with
    right and wrong scored candidates count, since in the others every centred score is about the question.
    """
    return auroc(labels, centred(scores, groups, labels=labels))


def centred(scores: Values, groups: Sequence[Hashable], *, labels: Labels | None = None) -> list[float | None]:
    """Scores less the mean of their question's scored rows; ``None`` for unscored rows.

    With ``labels``, rows without one and questions without both classes become ``None`` too.
    """
    require_same_length(scores=scores, groups=groups)
    x = finite(scores)
    truth = np.zeros(len(x)) if labels is None else finite(labels)
    found = np.full(len(x), np.nan)
    for rows in rows_by_group(groups):
        known = rows[~np.isnan(x[rows]) & ~np.isnan(truth[rows])]
        if len(known) and (labels is None or len(np.unique(truth[known])) > 1):
            found[known] = x[known] - x[known].mean()
    return [None if np.isnan(v) else float(v) for v in found]


def length_matched_pairs(
    labels: Labels, scores: Values, groups: Sequence[Hashable], lengths: Values, *, tolerance: float = 0.1
) -> Statistic:
    """Share of (right, wrong) pairs of one question and of like length that the right one wins; a tie is one half.

    Neither difficulty nor length can decide such a pair. ``n`` counts pairs; lengths of one may differ by at most the
    share ``tolerance`` of the longer.

    Example:
        >>> length_matched_pairs([1, 0, 0], [0.9, 0.1, 0.95], list("qqq"), [100, 95, 300]).value  # one pair is left
        1.0
    """
    require_same_length(labels=labels, scores=scores, groups=groups, lengths=lengths)
    truth, x, size = finite(labels), finite(scores), finite(lengths)
    won, pairs = np.zeros(len(x)), np.zeros(len(x))
    for rows in rows_by_group(groups):
        known = rows[~np.isnan(x[rows]) & ~np.isnan(size[rows])]
        right, wrong = known[truth[known] == 1], known[truth[known] == 0]
        near = np.abs(size[right, None] - size[wrong]) <= tolerance * np.maximum(size[right, None], size[wrong])
        gap = x[right, None] - x[wrong]
        won[rows[0]] = ((gap > 0) * near).sum() + 0.5 * ((gap == 0) * near).sum()
        pairs[rows[0]] = near.sum()
    reason = "no question has a right and a wrong scored candidate of like length"
    return ratio(won, pairs, n=int(pairs.sum()), reason=reason, limits=SHARE)


def residual(scores: Values, confounds: Sequence[Values], groups: Sequence[Hashable]) -> list[float | None]:
    """Scores less what a straight line in the confounds (lengths ...) says, both centred within questions first."""
    x = finite(scores)
    columns = [finite(c) for c in confounds]
    known = ~np.isnan(x)
    for column in columns:
        known &= ~np.isnan(column)
    y, *z = (finite(centred([v if k else None for v, k in zip(c, known, strict=True)], groups)) for c in (x, *columns))
    rows = np.flatnonzero(known)
    design = np.stack([c[rows] for c in z], axis=1)
    slope = np.linalg.lstsq(design, y[rows], rcond=None)[0]
    found = np.full(len(x), np.nan)
    found[rows] = y[rows] - design @ slope
    return [None if np.isnan(v) else float(v) for v in found]
