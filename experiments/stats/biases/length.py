"""Length: whether longer responses are preferred more than people prefer them."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ..metrics.accuracy import accuracy
from ..metrics.correlation import spearman
from ..statistic import SIGNED, Statistic, Values, combine, finite, require_same_length
from .position import Preferences, denoised_gap, right_where_known


def length_bias(preferences: Preferences, verdicts: Preferences, lengths: Values) -> Statistic:
    """Accuracy where the better response is the longer one less accuracy where it is not.

    Args:
        preferences: ``"a"``, ``"b"`` or ``"tie"`` (left out).
        verdicts: The judge's, named alike; ``"tie"`` is wrong.
        lengths: Length of response a less that of b; pairs of equal length count as "not longer", as in the source.

    Source:
        arXiv 2408.13006, ``acc(chosen longer) - acc(chosen not longer)``.

    Example:
        >>> length_bias(["a", "b"], ["a", "a"], [5, 5]).value  # always the longer one
        1.0
    """
    longer, shorter = _sides(preferences, verdicts, lengths)
    return combine(
        [accuracy(right_where_known(longer), longer), accuracy(right_where_known(shorter), shorter)],
        lambda a, b: a - b,
        limits=SIGNED,
    )


def length_bias_denoised(
    preferences: Preferences, repeats: Sequence[Preferences], lengths: Values, *, published: bool = False
) -> Statistic:
    """:func:`length_bias` without what random flips take from it, from several repeats.

    Args:
        preferences: What people prefer.
        repeats: One column of verdicts a repeat.
        lengths: As in :func:`length_bias`.
        published: Correct by twice the noise, as the release of arXiv 2408.13006 does.

    Example:
        >>> length_bias_denoised(["a", "b"], [["a", "a"], ["a", "a"]], [5, 5]).value
        1.0
    """
    runs = [_sides(preferences, column, lengths) for column in repeats]
    return denoised_gap(runs, published=published)


def length_correlation(scores: Values, lengths: Values) -> Statistic:
    """Spearman correlation of scores with lengths, over all rows; for point-wise judges, and no bias by itself.

    Example:
        >>> round(length_correlation([1.0, 2.0, 3.0], [10, 20, 30]).value, 6)
        1.0
    """
    return spearman(lengths, scores)


def length_beyond_labels(
    scores: Values, lengths: Values, labels: Sequence[Any], groups: Sequence[Hashable]
) -> Statistic:
    """Spearman correlation of scores with lengths among rows of one question and one label: length that is not quality.

    Scores and lengths are ranked within each such cell and centred on its mean rank; cells of one row are left out.
    Where questions have one candidate each, pass one group for all.

    Example:
        >>> length_beyond_labels([1, 2, 9, 8], [10, 20, 5, 4], [0, 0, 1, 1], list("qqqq")).value
        1.0
    """
    require_same_length(scores=scores, lengths=lengths, labels=labels, groups=groups)
    x, y = finite(lengths), finite(scores)
    cells: dict[Hashable, list[int]] = {}
    for k, cell in enumerate(zip(groups, labels, strict=True)):
        if cell[1] is not None and not np.isnan(x[k]) and not np.isnan(y[k]):
            cells.setdefault(cell, []).append(k)
    ranks = [np.full(len(x), np.nan), np.full(len(x), np.nan)]
    for rows in cells.values():
        if len(rows) > 1:
            for rank, values in zip(ranks, (x, y), strict=True):
                rank[rows] = rankdata(values[rows]) - (len(rows) + 1) / 2
    return spearman(ranks[0], ranks[1])


def _sides(preferences: Preferences, verdicts: Preferences, lengths: Values) -> tuple[list[bool | None], ...]:
    """Whether the verdicts are right: where the better response is longer, and where it is not."""
    require_same_length(preferences=preferences, verdicts=verdicts, lengths=lengths)
    gap = finite(lengths)
    right = [
        None if p in (None, "tie") or v is None or np.isnan(gap[k]) else v == p
        for k, (p, v) in enumerate(zip(preferences, verdicts, strict=True))
    ]
    longer = [(g > 0) if p == "a" else (g < 0) for p, g in zip(preferences, gap, strict=True)]
    return (
        [r if up else None for r, up in zip(right, longer, strict=True)],
        [None if up else r for r, up in zip(right, longer, strict=True)],
    )
