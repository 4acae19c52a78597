"""Intervals by resampling whole questions with replacement, and differences of two judges on the same resamples."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from ..models.errors import InnerjudgeError
from .splits import Index, rows_by_group
from .statistic import Floats, Statistic

#: Called with the rows of a resample and, for each row, the number of the draw that it came with. A question drawn
#: twice comes as two draws, so a metric that looks within questions must group by the draw, never by the question.
PlainStatistic = Callable[[Index, Index], float | None]

#: Weights that are kept for the next figure, at most.
_KEPT = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure and its interval.

    Args:
        value: The figure; ``None`` with ``reason`` where undefined.
        low: Lower end, ``None`` where there is none (with ``reason``).
        high: Upper end.
        n: What the figure rests on (see the metric); for a plain callable the number of rows.
        skipped: Resamples on which the figure was undefined; they do not count in the interval.
        reason: Why something is ``None``.
        error: Standard error: the standard deviation over resamples; ``None`` where there is no interval.
        groups: Questions that it rests on; see :func:`groups_that_count`.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    skipped: int = 0
    reason: str | None = None
    error: float | None = None
    groups: int = 0


@lru_cache(maxsize=2)  # every figure of a study is resampled alike
def draw_counts(n_groups: int, *, n_resamples: int, seed: int) -> Floats:
    """How often each group is drawn in each resample, ``[n_resamples, n_groups]``; every row sums to ``n_groups``.

    The array is kept for the next call and cannot be written to.

    Example:
        >>> draw_counts(3, n_resamples=2, seed=0).sum(axis=1)
        array([3., 3.])
    """
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_resamples)
    drawn = counts.astype(np.float64)
    drawn.setflags(write=False)
    return drawn


def cluster_bootstrap(
    statistic: Statistic | PlainStatistic,
    groups: Sequence[Hashable],
    *,
    n_resamples: int = 1000,
    seed: int,
    confidence: float = 0.95,
    expand: bool = False,
) -> Interval:
    """Percentile interval of a figure, resampling questions with replacement.

    Args:
        statistic: A metric of :mod:`.metrics` or :mod:`.selection.reranking` (fast: all resamples at once), or any
            callable ``(rows, draws) -> float | None`` (slow: once a resample).
        groups: Question of each row, length ``n``.
        n_resamples: How many resamples.
        seed: Of the resamples; the same seed and number of questions give the same resamples.
        confidence: Coverage aimed at.
        expand: Take percentiles a little further out, as far as Student's t and ``sqrt(G / (G - 1))`` are from the
            normal distribution with ``G`` questions that count: percentile intervals of few questions are too narrow
            (Hesterberg 2015, expanded percentile interval).

    Returns:
        The figure and its interval. With fewer than 2 questions, or no resample on which the figure is defined, there
        is no interval and ``reason`` says so.

    Example:
        >>> from .metrics import accuracy
        >>> found = cluster_bootstrap(accuracy([0, 1, 1, 0], [0, 1, 0, 0]), ["p", "q", "r", "s"], seed=0)
        >>> found.value, found.low, found.high, found.n
        (0.75, 0.25, 1.0, 4)
    """
    value, n, reason = _point(statistic, groups)
    values = _resampled(statistic, groups, n_resamples=n_resamples, seed=seed)
    return _interval(value, values, n, reason, confidence, groups_that_count(groups, statistic), expand)


def paired_difference(
    stat_a: Statistic | PlainStatistic,
    stat_b: Statistic | PlainStatistic,
    groups: Sequence[Hashable],
    *,
    n_resamples: int = 1000,
    seed: int,
    confidence: float = 0.95,
    expand: bool = False,
) -> Interval:
    """Interval of ``a - b`` where both are evaluated on the same resamples.

    Both must be made from the same rows. Where the judges left different rows unscored, put ``None`` for a row that
    either left out before making the metrics (:func:`both_scored`), else the difference mixes judges with items.

    Example:
        >>> from .metrics import accuracy
        >>> a, b = accuracy([0, 1, 1], [0, 1, 1]), accuracy([0, 1, 1], [0, 1, 0])
        >>> round(paired_difference(a, b, ["p", "q", "r"], seed=0).value, 3)
        0.333
    """
    (value_a, n_a, reason_a), (value_b, n_b, reason_b) = _point(stat_a, groups), _point(stat_b, groups)
    value = None if value_a is None or value_b is None else value_a - value_b
    values = _resampled(stat_a, groups, n_resamples=n_resamples, seed=seed)
    values = values - _resampled(stat_b, groups, n_resamples=n_resamples, seed=seed)
    counting = groups_that_count(groups, stat_a, stat_b)
    return _interval(value, values, min(n_a, n_b), reason_a or reason_b, confidence, counting, expand)


def groups_that_count(groups: Sequence[Hashable], *statistics: Statistic | PlainStatistic) -> int:
    """How many questions there are of the scarcest rows that the statistics need.

    A gap between a group of one question and all others rests on one question, however many the others are.

    Example:
        >>> from .metrics import accuracy
        >>> groups_that_count(["p", "p", "q"], accuracy([0, 1, None], [0, 1, 1]))
        1
    """
    masks = [mask for s in statistics if isinstance(s, Statistic) for mask in s.counts]
    group_of = _group_of(tuple(groups))
    every = int(group_of.max()) + 1 if len(group_of) else 0
    return min((int(np.count_nonzero(np.bincount(group_of[mask]))) for mask in masks), default=every)


@lru_cache(maxsize=64)
def expanded_tail(n_groups: int, *, confidence: float = 0.95) -> float:
    """Share of the resamples beyond either end of an expanded interval; see :func:`cluster_bootstrap`.

    Example:
        >>> round(expanded_tail(10), 4), round(expanded_tail(10_000), 4)
        (0.0086, 0.025)
    """
    tail = (1 - confidence) / 2
    return float(stats.norm.cdf(np.sqrt(n_groups / (n_groups - 1)) * stats.t.ppf(tail, n_groups - 1)))


def both_scored(first: Sequence[object | None], second: Sequence[object | None]) -> npt.NDArray[np.bool_]:
    """Rows that two judges both scored, ``[n]``.

    Example:
        >>> both_scored([0.1, None], [0.3, 0.4])
        array([ True, False])
    """
    return np.array([a is not None and b is not None for a, b in zip(first, second, strict=True)], dtype=bool)


def _point(statistic: Statistic | PlainStatistic, groups: Sequence[Hashable]) -> tuple[float | None, int, str | None]:
    if isinstance(statistic, Statistic):
        if statistic.size != len(groups):
            raise InnerjudgeError(f"given a metric of {statistic.size} rows and {len(groups)} groups, expected as many")
        return statistic.value, statistic.n, statistic.reason
    if not len(groups):
        return None, 0, "no rows"
    clusters = np.empty(len(groups), dtype=np.intp)
    for draw, rows in enumerate(rows_by_group(groups)):
        clusters[rows] = draw
    value = statistic(np.arange(len(groups)), clusters)
    return value, len(groups), "undefined on these rows" if value is None else None


def _resampled(
    statistic: Statistic | PlainStatistic, groups: Sequence[Hashable], *, n_resamples: int, seed: int
) -> Floats:
    """Values on every resample, ``[n_resamples]``, NaN where undefined; empty with fewer than 2 questions."""
    if not isinstance(statistic, Statistic):
        members = rows_by_group(groups)
        if len(members) < 2:
            return np.zeros(0)
        counts = draw_counts(len(members), n_resamples=n_resamples, seed=seed)
        return np.array([_once(statistic, members, row) for row in counts.astype(np.intp)], dtype=np.float64)
    resamples = tuple(groups), n_resamples, seed
    if resamples not in statistic.known:  # a judge's figure, and again its differences to others
        group_of = _group_of(resamples[0])
        if not len(group_of) or not group_of.max():
            return np.zeros(0)
        step = max(1, statistic.at_once // len(groups))
        parts = [statistic.over(part) for part in _weights(*resamples, step)]
        statistic.known[resamples] = np.concatenate(parts) if parts else np.zeros(0)
    return statistic.known[resamples]


@lru_cache(maxsize=4)
def _group_of(groups: tuple[Hashable, ...]) -> Index:
    """Number of the question of each row, by first appearance."""
    numbers: dict[Hashable, int] = {}
    found = np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.intp)
    found.setflags(write=False)
    return found


def _weights(groups: tuple[Hashable, ...], n_resamples: int, seed: int, step: int) -> Iterator[Floats]:
    """Weights of the rows, ``[step, n]`` at a time."""
    if n_resamples * len(groups) <= _KEPT:
        every = _kept_weights(groups, n_resamples, seed)
        yield from (every[i : i + step] for i in range(0, n_resamples, step))
        return
    group_of = _group_of(groups)
    counts = draw_counts(int(group_of.max()) + 1, n_resamples=n_resamples, seed=seed)
    yield from (counts[i : i + step][:, group_of] for i in range(0, n_resamples, step))


@lru_cache(maxsize=1)  # nearly every figure of a study is of the same rows
def _kept_weights(groups: tuple[Hashable, ...], n_resamples: int, seed: int) -> Floats:
    group_of = _group_of(groups)
    found = draw_counts(int(group_of.max()) + 1, n_resamples=n_resamples, seed=seed)[:, group_of]
    found.setflags(write=False)
    return found


def _once(statistic: PlainStatistic, members: list[Index], counts: Index) -> float:
    drawn = np.repeat(np.arange(len(members)), counts)
    rows = [members[g] for g in drawn]
    draws = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    value = statistic(np.concatenate(rows), draws)
    return np.nan if value is None else value


def _interval(
    value: float | None,
    values: Floats,
    n: int,
    reason: str | None,
    confidence: float,
    groups: int,
    expand: bool,
) -> Interval:
    if not 0 < confidence < 1:
        raise InnerjudgeError(f"given the confidence {confidence}, expected one between 0 and 1: pass for example 0.95")
    defined = values[~np.isnan(values)]
    skipped = len(values) - len(defined)
    if value is None or not len(defined):
        why = reason or ("undefined on every resample" if len(values) else "no interval from fewer than 2 questions")
        return Interval(value=value, low=None, high=None, n=n, skipped=skipped, reason=why, groups=groups)
    if groups < 2:  # resampling it with others that do not count moves nothing
        why = "no interval from one question with scored items"
        return Interval(value=value, low=None, high=None, n=n, skipped=skipped, reason=why, groups=groups)
    tail = expanded_tail(groups, confidence=confidence) if expand else (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    error = float(defined.std(ddof=1)) if len(defined) > 1 else None
    return Interval(value=value, low=float(low), high=float(high), n=n, skipped=skipped, error=error, groups=groups)
