"""Krippendorff's alpha: agreement of any number of raters who need not all grade every item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from ...models.errors import InnerjudgeError
from ..extra import require
from ..statistic import Floats, Statistic, Values, divide, finite, require_same_length, undefined

Level = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(ratings: Sequence[Values], *, level: Level = "interval") -> Statistic:
    r"""Alpha, :math:`1 - D_o / D_e`: observed over expected disagreement.

    Args:
        ratings: One column a rater, ``None`` where a rater gave no grade; all of one length.
        level: How far two grades are apart: ``"nominal"`` (different or not), ``"interval"`` (squared difference) or
            ``"ordinal"`` (squared number of grades given between them).

    Returns:
        ``n`` counts the items with at least two grades. Undefined where there are none, or all grades are the same.

    Source:
        Krippendorff 2004, with the expected disagreement over all pairable grades.

    Example:
        >>> round(krippendorff_alpha([[1, 2, 3, None], [1, 2, 2, 4]], level="nominal").value, 4)  # 1 - (2/6)/(22/30)
        0.5455
    """
    if level not in ("nominal", "ordinal", "interval"):
        raise InnerjudgeError(f'given level={level!r}, expected "nominal", "ordinal" or "interval"')
    if len(ratings) < 2:
        raise InnerjudgeError(f"given {len(ratings)} raters, expected at least two: agreement needs a second opinion")
    require_same_length(**{f"rater {k}": column for k, column in enumerate(ratings, start=1)})
    values = np.stack([finite(column) for column in ratings])  # [raters, n]
    kept = np.flatnonzero((~np.isnan(values)).sum(axis=0) >= 2)
    part, size = values[:, kept], values.shape[1]
    known = part[~np.isnan(part)]
    if not len(known) or (known == known[0]).all():
        reason = "no item has two grades" if not len(known) else "all grades are the same"
        return undefined(reason, n=len(kept), size=size)
    resampled = _interval(part) if level == "interval" else _by_grade(part, level)
    value = float(require("krippendorff", "lab").alpha(reliability_data=part, level_of_measurement=level))
    return Statistic(value=value, n=len(kept), size=size, over=lambda w: resampled(w[:, kept]))


def _interval(part: Floats) -> Callable[[Floats], Floats]:
    """Squared differences need only sums and sums of squares: no table of grades, however many there are."""
    there = ~np.isnan(part)
    centred = np.where(there, part - part[there].mean(), 0.0)
    count, total, squares = there.sum(axis=0), centred.sum(axis=0), (centred**2).sum(axis=0)
    within = 2 * (count * squares - total**2) / (count - 1)

    def over(weights: Floats) -> Floats:
        n, s, q = weights @ count, weights @ total, weights @ squares
        spread = 2 * (n * q - s**2)
        spread = np.where(spread > 1e-9 * np.maximum(n * q, 1e-300), spread, 0.0)
        return 1 - divide((weights @ within) * (n - 1), spread)

    return over


def _by_grade(part: Floats, level: Level) -> Callable[[Floats], Floats]:
    grades = np.unique(part[~np.isnan(part)])
    counts = np.stack([(part == g).sum(axis=0) for g in grades], axis=1).astype(np.float64)  # [n, C]
    m, c = counts.sum(axis=1), len(grades)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, np.arange(c), np.arange(c)] -= counts
    cells = (pairs / (m - 1)[:, None, None]).reshape(len(m), c * c)

    def over(weights: Floats) -> Floats:
        held = weights @ counts  # [R, C]
        n = held.sum(axis=1)
        if level == "nominal":
            distance = np.broadcast_to(1.0 - np.eye(c), (len(weights), c, c))
        else:  # grades given from the one to the other, half of those at either end
            middle = np.cumsum(held, axis=1) - held / 2
            distance = (middle[:, :, None] - middle[:, None, :]) ** 2
        observed = np.einsum("rab,rab->r", (weights @ cells).reshape(-1, c, c), distance)
        expected = np.einsum("ra,rb,rab->r", held, held, distance)
        return 1 - divide(observed * (n - 1), expected)

    return over
