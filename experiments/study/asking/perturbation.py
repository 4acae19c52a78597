"""Whether a verdict moves with things that mean nothing: the batch it was read in, the precision of the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...data.verdict_table import Label
from ...stats.statistic import SHARE, Statistic, Values, finite, ratio, require_same_length


def score_shift(before: Values, after: Values) -> Statistic:
    """Mean absolute change of scores.

    Example:
        >>> score_shift([0.5, 1.0], [0.5, 0.5]).value
        0.25
    """
    require_same_length(before=before, after=after)
    gap = np.abs(finite(after) - finite(before))
    known = ~np.isnan(gap)
    return ratio(np.where(known, gap, 0.0), known.astype(np.float64), reason="no item is scored in both runs")


def verdict_change(before: Sequence[Label | None], after: Sequence[Label | None]) -> Statistic:
    """Share of verdicts that change.

    Example:
        >>> verdict_change([True, False], [True, True]).value
        0.5
    """
    require_same_length(before=before, after=after)
    known = [a is not None and b is not None for a, b in zip(before, after, strict=True)]
    changed = [a != b for a, b in zip(before, after, strict=True)]
    return ratio(
        finite(known) * finite(changed), finite(known), reason="no item has a verdict in both runs", limits=SHARE
    )
