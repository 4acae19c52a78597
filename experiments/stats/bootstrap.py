"""Intervals by resampling whole questions with replacement, and differences of two judges on the same resamples.

Resamples give the standard error; leaving out questions in turn says how sure that error is; :mod:`.evidence` makes the
interval of both. Percentiles of the resamples are no interval here: with few questions they are too narrow, and where
all questions agree they are a point. How often they cover the truth: :mod:`.lab.intervals`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...models.errors import InnerjudgeError
from ..data.splits import Index, rows_by_group
from .evidence import Evidence, degrees_of_freedom
from .resamples import numbered, weights_of_groups, weights_of_rows
from .statistic import Floats, Limits, Statistic

#: Called with the rows of a resample and, for each row, the number of the draw that it came with. A question drawn
#: twice comes as two draws, so a metric that looks within questions must group by the draw, never by the question.
PlainStatistic = Callable[[Index, Index], float | None]


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
        degrees: Degrees of freedom of the error; see :func:`.evidence.degrees_of_freedom`.
        limits: Lowest and highest value that the figure can have; ``None`` where it has none.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    skipped: int = 0
    reason: str | None = None
    error: float | None = None
    groups: int = 0
    degrees: float | None = None
    limits: Limits | None = None

    def told(self) -> dict[str, Any]:
        """What a reader of a file has use for: all but how the ends were found.

        Example:
            >>> Interval(value=0.5, low=0.4, high=0.6, n=9, groups=3).told()
            {'value': 0.5, 'low': 0.4, 'high': 0.6, 'n': 9, 'reason': None, 'error': None, 'groups': 3}
        """
        return {name: value for name, value in asdict(self).items() if name not in ("skipped", "degrees", "limits")}


def cluster_bootstrap(
    statistic: Statistic | PlainStatistic,
    groups: Sequence[Hashable],
    *,
    n_resamples: int = 1000,
    seed: int,
    confidence: float = 0.95,
) -> Interval:
    """A figure with its interval, questions resampled with replacement.

    Args:
        statistic: A metric of :mod:`.metrics` or :mod:`.selection.reranking` (fast: all resamples at once), or any
            callable ``(rows, draws) -> float | None`` (slow: once a resample; it has no bounds, and so no interval
            where all questions agree).
        groups: Question of each row, length ``n``.
        n_resamples: How many resamples.
        seed: Of the resamples; the same seed and number of questions give the same resamples.
        confidence: Coverage aimed at.

    Returns:
        The figure and its interval (:meth:`.evidence.Evidence.ends`). With fewer than 2 questions, no resample on which
        the figure is defined, or no spread and no bounds, there is no interval and ``reason`` says so.

    Example:
        >>> from .metrics.accuracy import accuracy
        >>> found = cluster_bootstrap(accuracy([0, 1, 1, 0], [0, 1, 0, 0]), ["p", "q", "r", "s"], seed=0)
        >>> found.value, round(found.low, 1), round(found.high, 1), found.n
        (0.75, 0.3, 1.0, 4)
        >>> found = cluster_bootstrap(accuracy([0, 1, 1], [0, 1, 1]), ["p", "q", "r"], seed=0)
        >>> found.value, round(found.low, 2), found.high  # three of three: 0.025 ** (1 / 3)
        (1.0, 0.29, 1.0)
    """
    value, n, reason = _point(statistic, groups)
    values, without = _resampled(statistic, groups, n_resamples=n_resamples, seed=seed)
    limits = statistic.limits if isinstance(statistic, Statistic) else None
    return _interval(value, values, without, n, reason, confidence, groups_that_count(groups, statistic), limits)


def paired_difference(
    stat_a: Statistic | PlainStatistic,
    stat_b: Statistic | PlainStatistic,
    groups: Sequence[Hashable],
    *,
    n_resamples: int = 1000,
    seed: int,
    confidence: float = 0.95,
) -> Interval:
    """Interval of ``a - b`` where both are evaluated on the same resamples.

    Both must be made from the same rows. Where the judges left different rows unscored, put ``None`` for a row that
    either left out before making the metrics (:func:`both_scored`), else the difference mixes judges with items.

    Example:
        >>> from .metrics.accuracy import accuracy
        >>> a, b = accuracy([0, 1, 1], [0, 1, 1]), accuracy([0, 1, 1], [0, 1, 0])
        >>> round(paired_difference(a, b, ["p", "q", "r"], seed=0).value, 3)
        0.333
    """
    (value_a, n_a, reason_a), (value_b, n_b, reason_b) = _point(stat_a, groups), _point(stat_b, groups)
    value = None if value_a is None or value_b is None else value_a - value_b
    first = _resampled(stat_a, groups, n_resamples=n_resamples, seed=seed)
    second = _resampled(stat_b, groups, n_resamples=n_resamples, seed=seed)
    values, without = (a - b for a, b in zip(first, second, strict=True))
    counting = groups_that_count(groups, stat_a, stat_b)
    limits = _limits_of_difference(stat_a, stat_b)
    return _interval(value, values, without, min(n_a, n_b), reason_a or reason_b, confidence, counting, limits)


def groups_that_count(groups: Sequence[Hashable], *statistics: Statistic | PlainStatistic) -> int:
    """How many questions there are of the scarcest rows that the statistics need.

    A gap between a group of one question and all others rests on one question, however many the others are.

    Example:
        >>> from .metrics.accuracy import accuracy
        >>> groups_that_count(["p", "p", "q"], accuracy([0, 1, None], [0, 1, 1]))
        1
    """
    masks = [mask for s in statistics if isinstance(s, Statistic) for mask in s.counts]
    group_of = numbered(tuple(groups))
    every = int(group_of.max()) + 1 if len(group_of) else 0
    return min((int(np.count_nonzero(np.bincount(group_of[mask]))) for mask in masks), default=every)


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
) -> tuple[Floats, Floats]:
    """Values on every resample, and with questions left out in turn; NaN where undefined; empty below 2 questions."""
    if not isinstance(statistic, Statistic):
        members = rows_by_group(groups)
        if len(members) < 2:
            return np.zeros(0), np.zeros(0)
        counts = weights_of_groups(len(members), n_resamples, seed).astype(np.intp)
        once = np.array([_once(statistic, members, row) for row in counts], dtype=np.float64)
        return once[:n_resamples], once[n_resamples:]
    resamples = tuple(groups), n_resamples, seed
    if resamples not in statistic.known:  # a judge's figure, and again its differences to others
        group_of = numbered(resamples[0])
        if not len(group_of) or not group_of.max():
            return np.zeros(0), np.zeros(0)
        step = max(1, statistic.at_once // len(groups))
        statistic.known[resamples] = np.concatenate(
            [statistic.over(part) for part in weights_of_rows(*resamples, step)]
        )
    values = statistic.known[resamples]
    return values[:n_resamples], values[n_resamples:]


def _once(statistic: PlainStatistic, members: list[Index], counts: Index) -> float:
    drawn = np.repeat(np.arange(len(members)), counts)
    rows = [members[g] for g in drawn]
    draws = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    value = statistic(np.concatenate(rows), draws)
    return np.nan if value is None else value


def _limits_of_difference(a: Statistic | PlainStatistic, b: Statistic | PlainStatistic) -> Limits | None:
    if not (isinstance(a, Statistic) and isinstance(b, Statistic)) or a.limits is None or b.limits is None:
        return None
    return a.limits[0] - b.limits[1], a.limits[1] - b.limits[0]


def _interval(
    value: float | None,
    values: Floats,
    without: Floats,
    n: int,
    reason: str | None,
    confidence: float,
    groups: int,
    limits: Limits | None,
) -> Interval:
    if not 0 < confidence < 1:
        raise InnerjudgeError(f"given the confidence {confidence}, expected one between 0 and 1: pass for example 0.95")
    defined = values[~np.isnan(values)]
    skipped = len(values) - len(defined)
    none = Interval(value=value, low=None, high=None, n=n, skipped=skipped, groups=groups, limits=limits)
    if value is None or len(defined) < 2:
        few = "undefined on all resamples but one" if len(defined) else "undefined on every resample"
        few = few if len(values) else "no interval from fewer than 2 questions"
        return replace(none, reason=reason or few)
    if groups < 2:  # resampling it with others that do not count moves nothing
        return replace(none, reason="no interval: it rests on one question")
    pulls = np.where(np.isnan(without), value, without)
    pulls = (len(pulls) - 1) * (pulls.mean() - pulls)
    degrees = degrees_of_freedom(pulls, value, limits, groups)
    error = float(defined.std(ddof=1))
    evidence = Evidence(value=value, error=error, groups=groups, degrees=degrees, limits=limits)
    ends = evidence.ends(confidence)
    found = replace(none, error=error, degrees=degrees)
    if ends is None:
        return replace(found, reason="no interval: all questions say the same, and the figure has no bounds")
    return replace(found, low=float(ends[0]), high=float(ends[1]))
