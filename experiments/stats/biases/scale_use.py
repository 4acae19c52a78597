"""How a judge uses its scale, and how it treats groups of items, its own writing among them."""

from collections.abc import Hashable, Sequence

import numpy as np
from scipy.stats import entropy

from ....models.errors import InnerjudgeError
from ...data.splits import rows_by_group
from ..statistic import SHARE, Floats, Statistic, Values, combine, finite, mean, ratio, require_same_length, undefined


def grades_used(grades: Values, *, scale: Sequence[float]) -> Statistic:
    """Share of the scale in use: the exponential of the entropy of the grades, over the number of grades.

    1 where all grades are given equally often, ``1 / len(scale)`` where one alone is. Grades off the scale are rounded
    to the nearest one on it.
    """
    steps = np.array(sorted(scale), dtype=np.float64)
    if len(steps) < 2:
        raise InnerjudgeError(f"given a scale of {len(steps)} grades, expected at least two")
    x = finite(grades)
    kept = np.flatnonzero(~np.isnan(x))
    if not len(kept):
        return undefined("no row has a grade", n=0, size=len(x))
    member = np.zeros((len(kept), len(steps)))
    member[np.arange(len(kept)), np.abs(x[kept, None] - steps).argmin(axis=1)] = 1.0

    def over(weights: Floats) -> Floats:
        held = weights[:, kept] @ member
        empty = held.sum(axis=1) == 0
        found = np.exp(entropy(np.where(empty[:, None], 1.0, held), axis=1)) / len(steps)
        return np.where(empty, np.nan, found)

    return Statistic(value=float(over(np.ones((1, len(x))))[0]), n=len(kept), size=len(x), limits=SHARE, over=over)


def tied_share(scores: Values, groups: Sequence[Hashable]) -> Statistic:
    """Share of pairs of one question's candidates with equal scores: what a judge cannot tell apart at all."""
    require_same_length(scores=scores, groups=groups)
    x = finite(scores)
    tied, pairs = np.zeros(len(x)), np.zeros(len(x))
    for rows in rows_by_group(groups):
        scored = x[rows][~np.isnan(x[rows])]
        counts = np.unique(scored, return_counts=True)[1]
        pairs[rows[0]], tied[rows[0]] = len(scored) * (len(scored) - 1) / 2, (counts * (counts - 1) / 2).sum()
    return ratio(tied, pairs, n=int(pairs.sum()), reason="no question has two scored candidates", limits=SHARE)


def over_scoring(labels: Values, scores: Values, members: Sequence[bool | None]) -> Statistic:
    """Mean of score less label among the ``members`` of a group (``None``: left out) less the same among all others.

    Above 0 the judge flatters the group beyond what its labels say; of the responses that its own model (or family)
    wrote that is self-preference: where they are better, higher scores are deserved. Scores and labels (1 and 0, or
    human scores) must be on one scale.

    Source:
        The over-scoring of low-resource languages in arXiv 2309.07462.
    """
    require_same_length(labels=labels, scores=scores, members=members)
    gap = finite(scores) - finite(labels)
    sides = []
    for side in (True, False):
        here = np.where([m is side for m in members], gap, np.nan)
        sides.append(mean(here, reason=f"no scored row with a label {'in' if side else 'outside'} the group"))
    return combine(sides, lambda a, b: a - b)
