"""Rank and linear correlation of scores with human scores, ready for the bootstrap.

Rows with ``None`` on either side are left out. A correlation is undefined, with a reason, on fewer than two rows and
where one side is constant. Correlate one criterion at a time where criteria have scales of their own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import stats

from ..models.errors import InnerjudgeError
from .statistic import SIGNED, Floats, Statistic, Ties, Values, divide, finite, undefined, where

#: Columns of the sign matrix of Kendall's tau that are held at once.
_BLOCK = 1024

Exact = Callable[[Floats, Floats], float]
Weighted = Callable[[Floats, Floats], Callable[[Floats], Floats]]


def pearson(human: Values, scores: Values) -> Statistic:
    """Pearson's r.

    Example:
        >>> round(pearson([1.0, 2.0, 3.0], [10.0, 20.0, 30.0]).value, 6)
        1.0
    """
    return _correlation(human, scores, lambda x, y: float(stats.pearsonr(x, y)[0]), _pearson)


def spearman(human: Values, scores: Values) -> Statistic:
    """Spearman's rho: Pearson's r of the mid-ranks.

    Example:
        >>> spearman([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]).reason
        'the scores are constant'
    """
    return _correlation(human, scores, lambda x, y: float(stats.spearmanr(x, y)[0]), _spearman)


def kendall(human: Values, scores: Values) -> Statistic:
    """Kendall's tau-b.

    Example:
        >>> round(kendall([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]).value, 6)  # (5 - 1) / 6
        0.666667
    """
    return _correlation(human, scores, lambda x, y: float(stats.kendalltau(x, y)[0]), _kendall)


def _correlation(human: Values, scores: Values, exact: Exact, weighted: Weighted) -> Statistic:
    if len(human) != len(scores):
        raise InnerjudgeError(f"given {len(human)} human scores and {len(scores)} scores, expected one of each an item")
    x, y = finite(human), finite(scores)
    kept = np.flatnonzero(~np.isnan(x) & ~np.isnan(y))
    size, n, x, y = len(x), len(kept), x[kept], y[kept]
    if n < 2:
        return undefined(f"{n} scored rows with human scores, fewer than 2", n=n, size=size)
    for name, side in (("human scores", x), ("scores", y)):
        if (side == side[0]).all():
            return undefined(f"the {name} are constant", n=n, size=size)
    value, resampled = exact(x, y), weighted(x, y)
    if not np.isfinite(value):
        return undefined("the scores differ by less than floating point can tell", n=n, size=size)
    counts = (where(kept, size),)
    over: Callable[[Floats], Floats] = lambda weights: resampled(weights[:, kept])  # noqa: E731
    return Statistic(value=value, n=n, size=size, counts=counts, limits=SIGNED, over=over)


def _varies(ties: Ties, weights: Floats) -> npt.NDArray[np.bool_]:
    """Whether a resample holds at least two different values, exactly."""
    return np.asarray((ties.sums(weights) > 0).sum(axis=1) > 1)


def _moments(weights: Floats, x: Floats, y: Floats, varies: npt.NDArray[np.bool_]) -> Floats:
    """Weighted Pearson's r; ``x`` and ``y`` are ``[n]`` or ``[R, n]``."""
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    dx = x - (weights * x).sum(axis=1, keepdims=True) / total
    dy = y - (weights * y).sum(axis=1, keepdims=True) / total
    spread = np.sqrt((weights * dx * dx).sum(axis=1) * (weights * dy * dy).sum(axis=1))
    return np.clip(divide((weights * dx * dy).sum(axis=1), np.where(varies, spread, 0.0)), -1.0, 1.0)


def _pearson(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    tx, ty = Ties.of(x), Ties.of(y)
    sx, sy = (x - x.mean()) / np.abs(x - x.mean()).max(), (y - y.mean()) / np.abs(y - y.mean()).max()
    return lambda w: _moments(w, sx, sy, _varies(tx, w) & _varies(ty, w))


def _spearman(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    tx, ty = Ties.of(x), Ties.of(y)
    return lambda w: _moments(w, tx.ranks(w), ty.ranks(w), _varies(tx, w) & _varies(ty, w))


def _kendall(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    tx, ty = Ties.of(x), Ties.of(y)
    rx, ry = tx.run.astype(np.int32), ty.run.astype(np.int32)

    def over(weights: Floats) -> Floats:
        thin = weights.astype(np.float32)
        balance = np.zeros(len(weights))  # sum over ordered pairs of sign times sign: twice concordant less discordant
        for start in range(0, len(x), _BLOCK):
            part = slice(start, start + _BLOCK)
            signs = np.sign(rx[:, None] - rx[part]) * np.sign(ry[:, None] - ry[part])
            balance += ((thin @ signs.astype(np.float32)).astype(np.float64) * weights[:, part]).sum(axis=1)
        total = weights.sum(axis=1)
        pairs = total * (total - 1)
        untied = [pairs - (held * (held - 1)).sum(axis=1) for held in (tx.sums(weights), ty.sums(weights))]
        return divide(balance, np.sqrt(np.maximum(untied[0] * untied[1], 0.0)))

    return over
