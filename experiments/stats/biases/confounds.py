"""Difficulty and length taken out of scores; how a judge uses its scale, and how it treats groups of items."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import entropy

from ....models.errors import InnerjudgeError
from ...data.splits import Index, rows_by_group
from .. import statistic
from ..metrics.accuracy import auroc, pairs_won
from ..statistic import SHARE, Floats, Labels, Statistic, Values


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
    statistic.require_same_length(scores=scores, groups=groups)
    x = statistic.finite(scores)
    truth = np.zeros(len(x)) if labels is None else statistic.finite(labels)
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
    statistic.require_same_length(labels=labels, scores=scores, groups=groups, lengths=lengths)
    size = statistic.finite(lengths)  # NaN is like nothing

    def near(right: Index, wrong: Index) -> npt.NDArray[np.bool_]:
        return np.abs(size[right, None] - size[wrong]) <= tolerance * np.maximum(size[right, None], size[wrong])

    won, pairs = pairs_won(labels, scores, groups, alike=near)
    reason = "no question has a right and a wrong scored candidate of like length"
    return statistic.ratio(won, pairs, n=int(pairs.sum()), reason=reason, limits=SHARE)


def residual(scores: Values, confounds: Sequence[Values], groups: Sequence[Hashable]) -> list[float | None]:
    """Scores less what a linear fit on the confounds (lengths, say) predicts, both first centred within questions."""
    x, columns = statistic.finite(scores), [statistic.finite(c) for c in confounds]
    known = np.asarray(~np.isnan([x, *columns]).any(axis=0))
    scored = [[v if k else None for v, k in zip(c, known, strict=True)] for c in (x, *columns)]
    y, *z = (statistic.finite(centred(c, groups)) for c in scored)
    rows = np.flatnonzero(known)
    design = np.stack([c[rows] for c in z], axis=1)
    slope = np.linalg.lstsq(design, y[rows], rcond=None)[0]
    found = np.full(len(x), np.nan)
    found[rows] = y[rows] - design @ slope
    return [None if np.isnan(v) else float(v) for v in found]


def grades_used(grades: Values, *, scale: Sequence[float]) -> Statistic:
    """Share of the scale in use: the exponential of the entropy of the grades, over the number of grades.

    1 where all grades are given equally often, ``1 / len(scale)`` where one alone is. Grades off the scale are rounded
    to the nearest one on it.
    """
    steps = np.array(sorted(scale), dtype=np.float64)
    if len(steps) < 2:
        raise InnerjudgeError(f"given a scale of {len(steps)} grades, expected at least two")
    x = statistic.finite(grades)
    kept = np.flatnonzero(~np.isnan(x))
    if not len(kept):
        return statistic.undefined("no row has a grade", n=0, size=len(x))
    member = np.zeros((len(kept), len(steps)))
    member[np.arange(len(kept)), np.abs(x[kept, None] - steps).argmin(axis=1)] = 1.0

    def over(weights: Floats) -> Floats:
        held = weights[:, kept] @ member
        empty = held.sum(axis=1) == 0
        return np.where(empty, np.nan, np.exp(entropy(np.where(empty[:, None], 1.0, held), axis=1)) / len(steps))

    return Statistic(value=float(over(np.ones((1, len(x))))[0]), n=len(kept), size=len(x), limits=SHARE, over=over)


def tied_share(scores: Values, groups: Sequence[Hashable]) -> Statistic:
    """Share of pairs of one question's candidates with equal scores: what a judge cannot tell apart at all."""
    statistic.require_same_length(scores=scores, groups=groups)
    x = statistic.finite(scores)
    tied, pairs = np.zeros(len(x)), np.zeros(len(x))
    for rows in rows_by_group(groups):
        scored = x[rows][~np.isnan(x[rows])]
        counts = np.unique(scored, return_counts=True)[1]
        pairs[rows[0]], tied[rows[0]] = len(scored) * (len(scored) - 1) / 2, (counts * (counts - 1) / 2).sum()
    reason = "no question has two scored candidates"
    return statistic.ratio(tied, pairs, n=int(pairs.sum()), reason=reason, limits=SHARE)


def over_scoring(labels: Values, scores: Values, members: Sequence[bool | None]) -> Statistic:
    """Mean of score less label among the ``members`` of a group (``None``: left out) less the same among all others.

    Above 0 the judge flatters the group beyond what its labels say; for responses that its own model (or family) wrote,
    that is self-preference: what better responses deserve does not count. Scores and labels (1 and 0, or human scores)
    must be on one scale.

    Source:
        The over-scoring of low-resource languages in arXiv 2309.07462.
    """
    statistic.require_same_length(labels=labels, scores=scores, members=members)
    gap = statistic.finite(scores) - statistic.finite(labels)
    sides = []
    for side in (True, False):
        here = np.where([m is side for m in members], gap, np.nan)
        sides.append(statistic.mean(here, reason=f"no scored row with a label {'in' if side else 'outside'} the group"))
    return statistic.combine(sides, lambda a, b: a - b)
