"""ICC(3,k): how far the mean of a fixed set of raters can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from ..intervals import Interval
from ..statistic import Floats, Statistic, Values, divide, finite, require_same_length, undefined, where

#: Share of a sum of squares that must be left after centring, or float error shows.
_LEAST_SPREAD = 1e-4


def icc3k(ratings: Sequence[Values], *, z_score: bool = False) -> Statistic:
    r"""Consistency of the mean of ``k`` fixed raters: :math:`(MS_{rows} - MS_{err}) / MS_{rows}`.

    Args:
        ratings: One column a rater, ``k >= 2`` of one length; items with a missing grade are left out.
        z_score: First put every rater's grades on mean 0 and standard deviation 1, so that harsh and narrow raters
            count like others.

    Returns:
        ``n`` counts items. Undefined with fewer than 2 items or 2 raters, where all item means are equal, or (with
        ``z_score``) where a rater gives one grade only.

    Source:
        Shrout and Fleiss 1979; z-scored within raters as in MedHELM (arXiv 2505.23802).

    Example:
        >>> round(icc3k([[1, 2, 3], [2, 3, 5]]).value, 6)  # MS_rows 19/6, MS_err 1/6: 18/19
        0.947368
    """
    matrix, kept, size = _complete(ratings)
    n, k = matrix.shape

    if n < 2 or k < 2:
        return undefined(f"{n} items graded by all of {k} raters, fewer than 2", n=n, size=size)

    def over(weights: Floats) -> Floats:
        return _consistency(*_mean_squares_of_many(matrix, weights[:, kept], z_score))

    value = float(_consistency(*_mean_squares(matrix, np.ones((1, n)), z_score))[0])
    if not np.isfinite(value):
        return undefined("the items, or the grades of a rater, do not differ", n=n, size=size)
    return Statistic(value=value, n=n, size=size, counts=(where(np.array(kept), size),), over=over)


def icc3k_f_interval(ratings: Sequence[Values], *, z_score: bool = False, confidence: float = 0.95) -> Interval:
    """The analytic interval of :func:`icc3k`, by the F distribution: for items that are independent of one another.

    For items that share questions use :func:`~innerjudge.experiments.stats.intervals.cluster_interval` on
    :func:`icc3k`.

    Example:
        >>> found = icc3k_f_interval([[1, 2, 3], [2, 3, 5]])
        >>> round(found.low, 2), round(found.high, 3)  # F = 19, F(0.975; 2, 2) = 39
        (-1.05, 0.999)
    """
    made = icc3k(ratings, z_score=z_score)
    if made.value is None:
        return Interval(value=None, low=None, high=None, n=made.n, reason=made.reason)
    matrix, _, _ = _complete(ratings)
    (rows,), (error,) = _mean_squares(matrix, np.ones((1, len(matrix))), z_score)
    if error <= 0:
        return Interval(value=made.value, low=None, high=None, n=made.n, reason="no disagreement to estimate from")
    n, k = matrix.shape
    free, tail = (n - 1, (n - 1) * (k - 1)), (1 + confidence) / 2
    f = rows / error
    low = 1 - float(stats.f.ppf(tail, *free)) / f
    high = 1 - 1 / (f * float(stats.f.ppf(tail, free[1], free[0])))
    return Interval(value=made.value, low=float(low), high=float(high), n=made.n)


def z_scored(values: Values) -> list[float | None]:
    """Scores of one rater on mean 0 and standard deviation 1 (``n - 1``); ``None`` stays.

    All is ``None`` where the scores do not differ.

    Example:
        >>> z_scored([1.0, None, 3.0])
        [-0.7071067811865475, None, 0.7071067811865475]
    """
    x = finite(values)
    known = x[~np.isnan(x)]
    spread = known.std(ddof=1) if len(known) > 1 else 0.0
    if not spread > 0:
        return [None] * len(x)
    return [None if np.isnan(v) else float((v - known.mean()) / spread) for v in x]


def _complete(ratings: Sequence[Values]) -> tuple[Floats, list[int], int]:
    require_same_length(**{f"rater {k}": column for k, column in enumerate(ratings, start=1)})
    matrix = np.stack([finite(column) for column in ratings], axis=1) if ratings else np.zeros((0, 0))
    kept = np.flatnonzero(~np.isnan(matrix).any(axis=1)).tolist()
    return matrix[kept], kept, len(matrix)


def _consistency(rows: Floats, error: Floats) -> Floats:
    return divide(rows - error, rows)


def _mean_squares_of_many(x: Floats, w: Floats, z_score: bool) -> tuple[Floats, Floats]:
    """:func:`_mean_squares` by sums of products, one product of matrices; resamples that would cancel go there."""
    k = x.shape[1]
    near = x - x.mean(axis=0)
    table = np.concatenate([near, np.einsum("nj,nk->njk", near, near).reshape(len(x), -1)], axis=1)
    sums, products = np.split(w @ table, [k], axis=1)
    total = w.sum(axis=1)
    squares = products.reshape(len(w), k, k)
    shared = squares - np.einsum("rj,rk->rjk", sums, sums) / np.maximum(total, 1.0)[:, None, None]
    spread = np.einsum("rjj->rj", shared)
    steady = (spread > _LEAST_SPREAD * np.einsum("rjj->rj", squares)).all(axis=1)
    if z_score:
        scale = np.sqrt(np.where(steady[:, None], spread, 1.0) / np.maximum(total - 1, 1.0)[:, None])
        shared = shared / np.einsum("rj,rk->rjk", scale, scale)
    within = np.einsum("rjj->r", shared)
    between = shared.sum(axis=(1, 2)) / k
    steady &= between > _LEAST_SPREAD * within
    rows = divide(between, total - 1)
    error = divide(within - between, (total - 1) * (k - 1))
    left = np.flatnonzero(~steady)
    if len(left):
        rows[left], error[left] = _mean_squares(x, w[left], z_score)
    return rows, error


def _mean_squares(x: Floats, w: Floats, z_score: bool) -> tuple[Floats, Floats]:
    """Mean squares between items and of the residual under weights ``[R, n]``, ``[R]`` each."""
    k = x.shape[1]
    total = w.sum(axis=1)
    safe = np.maximum(total, 1.0)
    column = w @ x / safe[:, None]  # [R, k]
    scale = np.ones_like(column)
    if z_score:
        spread = np.stack([(w * (x[:, j] - column[:, j, None]) ** 2).sum(axis=1) for j in range(k)], axis=1)
        scale = np.sqrt(spread / np.maximum(total - 1, 1.0)[:, None])
        scale = np.where(scale > 0, scale, np.nan)
    centred = [(x[:, j] - column[:, j, None]) / scale[:, j, None] for j in range(k)]
    item = sum(centred) / k  # [R, n]
    between = k * (w * item**2).sum(axis=1)
    residual = sum((w * (c - item) ** 2).sum(axis=1) for c in centred)
    rows, error = total - 1, (total - 1) * (k - 1)
    return divide(np.asarray(between), rows), divide(np.asarray(residual), error)
