"""Rank and linear correlation of scores with human scores.

Rows with ``None`` on either side are left out. A correlation is undefined, with a reason, on fewer than two rows and
where one side is constant. Correlate one criterion at a time where criteria have scales of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from ....models.errors import InnerjudgeError
from ..statistic import SIGNED, Floats, Statistic, Ties, Values, divide, finite, undefined, where

#: Columns of the sign matrix of Kendall's tau that are held at once.
_BLOCK = 1024
#: Values of a side up to which ranks go through a table of them.
_FEW = 32
#: Share of a sum of squares that must be left after centring, or float error shows.
_LEAST_SPREAD = 1e-4

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
    over = resampled if n == size else lambda weights: resampled(weights[:, kept])
    return Statistic(value=value, n=n, size=size, counts=(where(kept, size),), limits=SIGNED, over=over)


def _varies(ties: Ties, weights: Floats) -> npt.NDArray[np.bool_]:
    """Whether a resample holds at least two different values, exactly."""
    return np.asarray((ties.sums(weights) > 0).sum(axis=1) > 1)


def _moments(weights: Floats, x: Floats, y: Floats, varies: npt.NDArray[np.bool_]) -> Floats:
    """Weighted Pearson's r of two columns ``[n]``, centred anew in every resample."""
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    dx = x - (weights * x).sum(axis=1, keepdims=True) / total
    dy = y - (weights * y).sum(axis=1, keepdims=True) / total
    spread = np.sqrt((weights * dx * dx).sum(axis=1) * (weights * dy * dy).sum(axis=1))
    return np.clip(divide((weights * dx * dy).sum(axis=1), np.where(varies, spread, 0.0)), -1.0, 1.0)


def _pearson(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """By sums of powers, one product of matrices; resamples in which they would cancel are centred first."""
    tx, ty = Ties.of(x), Ties.of(y)
    sx, sy = (x - x.mean()) / np.abs(x - x.mean()).max(), (y - y.mean()) / np.abs(y - y.mean()).max()
    powers = np.stack([np.ones_like(sx), sx, sy, sx * sx, sy * sy, sx * sy], axis=1)

    def over(weights: Floats) -> Floats:
        total, one, two, xx, yy, xy = (weights @ powers).T
        total = np.maximum(total, 1.0)
        spread = xx - one * one / total, yy - two * two / total
        steady = (spread[0] > _LEAST_SPREAD * xx) & (spread[1] > _LEAST_SPREAD * yy)
        product = np.where(steady, spread[0] * spread[1], 0.0)
        found = np.clip(divide(xy - one * two / total, np.sqrt(product)), -1.0, 1.0)
        rest = np.flatnonzero(~steady)
        if len(rest):
            part = weights[rest]
            found[rest] = _moments(part, sx, sy, _varies(tx, part) & _varies(ty, part))
        return found

    return over


def _spearman(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """By cells of equal ``x`` and ``y``, in the order of the side with more values.

    Mid-ranks are halves and their mean is known, so that all sums are exact: a side that does not vary in a resample
    has a spread of exactly 0.
    """
    coarse, fine = sorted((Ties.of(x), Ties.of(y)), key=lambda ties: len(ties.starts))
    cells = _Cells.of(fine.run, coarse.run)
    ends = np.flatnonzero(np.append(np.diff(cells.first) != 0, True))
    few = len(coarse.starts) <= _FEW
    member = (cells.second[:, None] == np.arange(len(coarse.starts))).astype(np.float64) if few else None

    def over(weights: Floats) -> Floats:
        cell = cells.sums(weights)
        reached = np.cumsum(cell, axis=1)
        if len(ends) < reached.shape[1]:
            reached = reached[:, ends]
            ranks, spread = _centred_ranks(np.diff(reached, axis=1, prepend=0.0), reached)
        else:
            ranks, spread = _centred_ranks(cell, reached)
        pulled = cell * (ranks if len(ends) == cell.shape[1] else ranks[:, cells.first])
        if member is not None:
            others, other_spread = _centred_ranks(cell @ member)
            both = np.einsum("rg,rg->r", pulled @ member, others)
        else:
            others, other_spread = _centred_ranks(coarse.sums(weights))
            both = np.einsum("rc,rc->r", pulled, others[:, cells.second])
        return np.clip(divide(both, np.sqrt(spread * other_spread)), -1.0, 1.0)

    return over


@dataclass(frozen=True, slots=True)
class _Cells:
    """Rows with the same two values, put together where that leaves less than half of them.

    Args:
        order: Rows by the first value, then the second, ``[n]``.
        starts: Where each of the ``C`` cells begins in ``order``.
        first: Run of the first value in each cell, ``[C]``.
        second: Of the second.
    """

    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]

    @classmethod
    def of(cls, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]) -> _Cells:
        order = np.lexsort((second, first))
        one, two = first[order], second[order]
        starts = np.flatnonzero(np.append(True, (np.diff(one) != 0) | (np.diff(two) != 0)))
        if 2 * len(starts) > len(order):
            starts = np.arange(len(order))
        return cls(order, starts, one[starts], two[starts])

    def sums(self, weights: Floats) -> Floats:
        """Weights ``[R, n]`` -> summed by cell, ``[R, C]``."""
        ordered = weights[:, self.order]
        return ordered if len(self.starts) == len(self.order) else np.add.reduceat(ordered, self.starts, axis=1)


def _centred_ranks(held: Floats, reached: Floats | None = None) -> tuple[Floats, Floats]:
    """Mid-ranks of runs that hold so much weight, ``[R, G]``, less their mean; and their weighted squares' sum ``[R]``.

    ``reached`` are the sums of ``held`` up to each run, where they are there already; they are overwritten.
    """
    ranks = np.cumsum(held, axis=1) if reached is None else reached
    ranks -= ranks[:, -1:] / 2
    ranks -= held / 2
    return ranks, np.einsum("rg,rg,rg->r", held, ranks, ranks)


def _kendall(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """By cells of equal ``x`` and ``y``."""
    cells = _Cells.of(Ties.of(x).run, Ties.of(y).run)
    rx, ry = cells.first.astype(np.int32), cells.second.astype(np.int32)
    tx, ty = Ties.of(rx.astype(np.float64)), Ties.of(ry.astype(np.float64))

    @lru_cache(maxsize=1)  # where one block is all, it is made once
    def signs(start: int) -> npt.NDArray[np.float32]:
        part = slice(start, start + _BLOCK)
        return np.asarray(np.sign(rx[:, None] - rx[part]) * np.sign(ry[:, None] - ry[part]), dtype=np.float32)

    def over(weights: Floats) -> Floats:
        cell = cells.sums(weights)
        thin = cell.astype(np.float32)
        balance = np.zeros(len(cell))  # sum over ordered pairs of sign times sign: twice concordant less discordant
        for start in range(0, len(rx), _BLOCK):
            balance += np.einsum("rc,rc->r", thin @ signs(start), cell[:, start : start + _BLOCK])
        total = cell.sum(axis=1)
        pairs = total * (total - 1)
        untied = [pairs - (held * (held - 1)).sum(axis=1) for held in (tx.sums(cell), ty.sums(cell))]
        return divide(balance, np.sqrt(np.maximum(untied[0] * untied[1], 0.0)))

    return over
