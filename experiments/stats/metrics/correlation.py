"""Rank and linear correlation of scores with human scores: of items, of systems' means, and how far rankings differ.

Rows with ``None`` on either side are left out. A correlation is undefined, with a reason, on fewer than two rows and
where one side is constant. Correlate one criterion at a time where criteria have scales of their own.

Values are scipy's, and so are those of Kendall's tau without each question. Those of Pearson and Spearman are computed
here for all questions at once: of 2,000 rows of 500 questions, scipy a question at a time takes 4 and 3 times as long.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from ....models.errors import InnerjudgeError
from .. import statistic
from ..statistic import SIGNED, Floats, Statistic, Ties, Values, divide, finite, require_same_length, undefined, where

Exact = Callable[[Floats, Floats], float]
Weighted = Callable[[Floats, Floats], Callable[[Floats], Floats]]


def pearson(human: Values, scores: Values) -> Statistic:
    """Pearson's r."""
    return _correlation(human, scores, lambda x, y: float(stats.pearsonr(x, y)[0]), _pearson)


def spearman(human: Values, scores: Values) -> Statistic:
    """Spearman's rho: Pearson's r of the mid-ranks.

    Example:
        >>> spearman([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]).reason
        'the scores are constant'
    """
    return _correlation(human, scores, lambda x, y: float(stats.spearmanr(x, y)[0]), _spearman)


def kendall(human: Values, scores: Values) -> Statistic:
    """Kendall's tau-b."""
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
    value, of_these = exact(x, y), weighted(x, y)
    if not np.isfinite(value):
        return undefined("the scores differ by less than floating point can tell", n=n, size=size)
    over = of_these if n == size else lambda weights: of_these(weights[:, kept])
    return Statistic(value=value, n=n, size=size, counts=(where(kept, size),), limits=SIGNED, over=over)


def _varies(ties: Ties, weights: Floats) -> npt.NDArray[np.bool_]:
    """Whether the rows with weight hold at least two different values, exactly."""
    return np.asarray((ties.sums(weights) > 0).sum(axis=1) > 1)


def _pearson(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    tx, ty = Ties.of(x), Ties.of(y)
    x, y = (x - x.mean()) / np.abs(x - x.mean()).max(), (y - y.mean()) / np.abs(y - y.mean()).max()
    return lambda weights: _moments(weights, x, y, _varies(tx, weights) & _varies(ty, weights))


def _spearman(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """Mid-ranks are halves, so that a side that does not vary has a spread of exactly 0."""
    tx, ty = Ties.of(x), Ties.of(y)
    return lambda weights: _moments(weights, tx.ranks(weights), ty.ranks(weights))


def _moments(weights: Floats, x: Floats, y: Floats, varies: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Weighted Pearson's r of columns ``[n]`` or ``[R, n]``, centred anew under every row of weights."""
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    dx = x - (weights * x).sum(axis=1, keepdims=True) / total
    dy = y - (weights * y).sum(axis=1, keepdims=True) / total
    wx = weights * dx
    spread = np.sqrt((wx * dx).sum(axis=1) * np.einsum("rn,rn,rn->r", weights, dy, dy))
    return np.clip(divide((wx * dy).sum(axis=1), spread if varies is None else np.where(varies, spread, 0.0)), -1, 1)


def _kendall(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """By scipy, under one row of weights after the other: faster than pairs of rows as a matrix."""

    def tau(w: npt.NDArray[np.intp]) -> float:
        return float(stats.kendalltau(np.repeat(x, w), np.repeat(y, w))[0]) if w.sum() > 1 else np.nan

    return lambda weights: np.array(list(map(tau, weights.astype(np.intp))))


Rank = Literal["kendall", "spearman"]


def system_ranking(labels: Values, scores: Values, systems: statistic.Said, *, by: Rank = "kendall") -> Statistic:
    """Rank correlation between the systems' mean label and their mean score; ``n`` counts systems.

    A judge can rank systems well and single responses badly, since a mean forgives errors: print this beside the
    agreement on items, never instead of it. Rows with ``None`` anywhere are left out. ``by`` is ``"kendall"`` (tau-b)
    or ``"spearman"``. Undefined with fewer than two systems, or where the means on one side are all equal.

    Source:
        The second measure of the LLMJudge collection (arXiv 2408.08896).
    """
    require_same_length(labels=labels, scores=scores, systems=systems)
    if by not in ("kendall", "spearman"):
        raise InnerjudgeError(f'given by={by!r}, expected "kendall" or "spearman"')
    x, y, size = finite(labels), finite(scores), len(systems)
    kept = [k for k in range(size) if systems[k] is not None and not np.isnan(x[k]) and not np.isnan(y[k])]
    names = list(dict.fromkeys(systems[k] for k in kept))
    if len(names) < 2:
        return undefined(f"{len(names)} system(s) with scores and labels, fewer than 2", n=len(names), size=size)
    member = np.zeros((len(kept), len(names)))
    member[np.arange(len(kept)), [names.index(systems[k]) for k in kept]] = 1.0

    def means(weights: Floats) -> tuple[Floats, Floats]:
        w = weights[:, kept]
        held = w @ member
        with np.errstate(invalid="ignore"):
            return (w * x[kept]) @ member / held, (w * y[kept]) @ member / held

    def over(weights: Floats) -> Floats:
        a, b = means(weights)
        with np.errstate(invalid="ignore"):
            return _tau(a, b) if by == "kendall" else _rho(a, b)

    (a,), (b,) = means(np.ones((1, size)))
    exact = stats.kendalltau(a, b)[0] if by == "kendall" else stats.spearmanr(a, b)[0]
    if np.isnan(exact):
        return undefined("the systems' means are all equal on one side", n=len(names), size=size)
    return Statistic(value=float(exact), n=len(names), size=size, limits=SIGNED, over=over, smooth=False)


def levenshtein_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Edits between two rankings over the longer length, as in MLLM-as-a-Judge (arXiv 2402.04788); lower is closer."""
    row = list(range(len(second) + 1))
    for k, a in enumerate(first, start=1):
        held, row[0] = row[0], k
        for m, b in enumerate(second, start=1):
            held, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, held + (a != b))
    return row[-1] / max(len(first), len(second), 1)


def _tau(a: Floats, b: Floats) -> Floats:
    """Tau-b along the last axis, ``[R, S]`` -> ``[R]``; NaN where a resample lacks a system."""
    da, db = (np.sign(np.round(v[:, :, None] - v[:, None, :], 12)) for v in (a, b))
    return divide((da * db).sum(axis=(1, 2)), np.sqrt((da**2).sum(axis=(1, 2)) * (db**2).sum(axis=(1, 2))))


def _rho(a: Floats, b: Floats) -> Floats:
    """Spearman's rho along the last axis, likewise."""
    lost = np.isnan(a).any(axis=1) | np.isnan(b).any(axis=1)
    ranks = [stats.rankdata(np.round(np.where(np.isnan(v), 0.0, v), 12), axis=1) for v in (a, b)]
    return np.where(lost, np.nan, _moments(np.ones(a.shape), ranks[0], ranks[1]))
