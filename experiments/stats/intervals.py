"""Intervals over whole questions, for one figure and for the paired difference of two judges; claims of "better".

The standard error is the jackknife's: each question is left out in turn, and the figure computed anew. It needs no
draws, so an interval depends on the data alone. :mod:`.evidence` makes the interval of the error; how often it holds
the truth, beside the error of a bootstrap: ``experiments/bench/intervals/intervals.md``.
"""

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import hadamard

from ...models.errors import InnerjudgeError
from ..data.splits import Index
from .evidence import Evidence, degrees_of_freedom
from .statistic import Floats, Groups, Limits, Statistic

#: Questions are left out one at a time up to this many, and in this many parts where there are more.
MOST_PARTS = 400
#: Entries of weights that are computed with at once: they fit in a processor's cache.
_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure and its interval; ``reason`` says why one of them is ``None``.

    ``n`` is what the figure rests on (see the metric), ``groups`` the questions that it rests on
    (:func:`groups_that_count`), ``error`` its standard error with its ``degrees`` of freedom
    (:func:`.evidence.degrees_of_freedom`), ``limits`` the lowest and highest value that it can have.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None = None
    error: float | None = None
    groups: int = 0
    degrees: float | None = None
    limits: Limits | None = None

    def told(self) -> dict[str, Any]:
        """What a reader of a file has use for: all but how the ends were found."""
        return {name: value for name, value in asdict(self).items() if name not in ("degrees", "limits")}


def cluster_interval(statistic: Statistic, groups: Groups, *, confidence: float = 0.95) -> Interval:
    """A metric of this room or of :mod:`.selection.reranking` with its interval over questions, one of each row.

    The interval (:meth:`.evidence.Evidence.ends`) aims at the coverage ``confidence``. There is none, and ``reason``
    says why, with fewer than 2 questions that count, where the figure is undefined without one of its questions, and
    where all questions say the same of a figure without bounds. ``InnerjudgeError`` if there is not one group a row, or
    ``confidence`` is not between 0 and 1.

    Source:
        The delete-one jackknife over clusters, Efron and Stein 1981; Wilson's interval of it as in :mod:`.evidence`.

    Example:
        >>> from .metrics.accuracy import accuracy
        >>> found = cluster_interval(accuracy([0, 1, 1, 0], [0, 1, 0, 0]), ["p", "q", "r", "s"])
        >>> found.value, round(found.low, 1), round(found.high, 1), found.n
        (0.75, 0.3, 1.0, 4)
        >>> found = cluster_interval(accuracy([0, 1, 1], [0, 1, 1]), ["p", "q", "r"])
        >>> found.value, round(found.low, 2), found.high  # three of three: 0.025 ** (1 / 3)
        (1.0, 0.29, 1.0)
    """
    return _interval([statistic], groups, confidence)


def paired_difference(first: Statistic, second: Statistic, groups: Groups, *, confidence: float = 0.95) -> Interval:
    """Interval of ``first - second``, both without the same questions.

    Both must be made from the same rows. Where the judges left different rows unscored, put ``None`` for a row that
    either left out before making the metrics, else the difference mixes judges with items.

    Example:
        >>> from .metrics.accuracy import accuracy
        >>> a, b = accuracy([0, 1, 1], [0, 1, 1]), accuracy([0, 1, 1], [0, 1, 0])
        >>> round(paired_difference(a, b, ["p", "q", "r"]).value, 3)
        0.333
    """
    return _interval([first, second], groups, confidence)


def groups_that_count(groups: Groups, *statistics: Statistic) -> int:
    """How many questions hold the scarcest rows that the statistics need.

    A gap between a group of one question and all others rests on one question, however many the others are.
    """
    group_of, masks = _numbers(groups), [mask for statistic in statistics for mask in statistic.counts]
    return min((len(np.unique(group_of[mask])) for mask in masks), default=len(np.unique(group_of)))


def left_out(n_groups: int, *, most: int = MOST_PARTS) -> Floats:
    """Weights that leave out each group in turn, or each of ``most`` parts where there are more: ``[B, groups]``."""
    parts = min(n_groups, most)
    kept: npt.NDArray[np.bool_] = np.arange(n_groups) % parts != np.arange(parts)[:, None]
    return kept.astype(np.float64)


def half_samples(n_groups: int, *, most: int = MOST_PARTS) -> Floats:
    """Weights of balanced halves: any two groups are together in half of them, as near as can be; ``[B, groups]``.

    For figures that move in steps, which leaving out one question seldom moves: their error is the larger of the two.

    Source:
        Balanced half samples, McCarthy 1969; that leaving out many at a time serves where one at a time fails,
        Shao and Wu 1989.
    """
    parts = min(n_groups, most)
    signs = hadamard(1 << parts.bit_length())[1:, 1 : parts + 1]
    halves = signs[(signs > 0).any(axis=1) & (signs < 0).any(axis=1)] > 0
    return np.asarray(halves[:, np.arange(n_groups) % parts], dtype=np.float64)


def values_under(statistic: Statistic, weights: Floats, group_of: Index) -> Floats:
    """Values of a statistic with its questions weighted, ``[B, groups]`` -> ``[B]``; NaN where undefined."""
    step = max(1, _AT_ONCE // max(len(group_of), 1))
    parts = (weights[at : at + step][:, group_of] for at in range(0, len(weights), step))
    return np.concatenate([statistic.over(part) for part in parts])


def _interval(parts: Sequence[Statistic], groups: Groups, confidence: float) -> Interval:
    if not 0 < confidence < 1:
        raise InnerjudgeError(f"given the confidence {confidence}, expected one between 0 and 1: pass for example 0.95")
    odd = next((part.size for part in parts if part.size != len(groups)), None)
    if odd is not None:
        raise InnerjudgeError(f"given a metric of {odd} rows and {len(groups)} groups, expected as many")
    group_of, limits = _numbers(groups), _limits(parts)
    every, counting = len(np.unique(group_of)), groups_that_count(groups, *parts)
    none = Interval(value=None, low=None, high=None, n=min(p.n for p in parts), groups=counting, limits=limits)
    known = [part.value for part in parts if part.value is not None]
    if len(known) < len(parts):
        return replace(none, reason=next(part.reason for part in parts if part.value is None))
    value = known[0] - sum(known[1:])
    none = replace(none, value=value)
    if every < 2:
        return replace(none, reason="no interval from fewer than 2 questions")
    if counting < 2:  # leaving out others, which do not count, moves nothing
        return replace(none, reason="no interval: it rests on one question")
    error, degrees = _error(parts, group_of, value, limits, counting)
    if not np.isfinite(error):
        return replace(none, reason="no interval: undefined without one of its questions")
    found = replace(none, error=error, degrees=degrees)
    ends = Evidence(value=value, error=error, groups=counting, degrees=degrees, limits=limits).ends(confidence)
    if ends is None:
        return replace(found, reason="no interval: all questions say the same, and the figure has no bounds")
    return replace(found, low=float(ends[0]), high=float(ends[1]))


def _error(
    parts: Sequence[Statistic], group_of: Index, value: float, limits: Limits | None, counting: int
) -> tuple[float, float]:
    """Standard error with the divisor ``G`` (:class:`.evidence.Evidence` makes ``G - 1`` of it), and its degrees."""
    n_groups = int(group_of.max()) + 1

    def difference(weights: Floats) -> Floats:
        first, *others = (values_under(part, weights, group_of) for part in parts)
        return np.asarray(first - sum(others))

    without = difference(left_out(n_groups))
    pulls = (len(without) - 1) * (without.mean() - without)
    if np.isnan(pulls).any():
        return float("nan"), float("nan")
    error = float(np.sqrt((pulls**2).mean() / len(pulls)))
    if not all(part.smooth for part in parts):
        halves = difference(half_samples(n_groups)) - value
        by_halves = float(np.sqrt(np.nanmean(halves**2) * (n_groups - 1) / n_groups))
        if by_halves > error:
            return by_halves, float(counting - 1)
    return error, degrees_of_freedom(pulls, value, limits, counting)


def _numbers(groups: Groups) -> Index:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.intp)


def _limits(parts: Sequence[Statistic]) -> Limits | None:
    if any(part.limits is None for part in parts):
        return None
    first, *others = (part.limits for part in parts if part.limits is not None)
    return first[0] - sum(high for _, high in others), first[1] - sum(low for low, _ in others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One judge against another: ``interval`` is the paired difference (not corrected), ``p`` its two-sided p-value.

    ``p_corrected`` is that after Holm's correction over the judges compared, ``None`` before it; only below ``level``
    does a difference count.
    """

    interval: Interval
    p: float | None
    p_corrected: float | None = None
    level: float = 0.05

    @property
    def verdict(self) -> str:
        """``"better"``, ``"worse"`` or ``"not told apart"``; never "equal"."""
        if self.p_corrected is None or self.p_corrected > self.level or self.interval.value is None:
            return "not told apart"
        return "better" if self.interval.value > 0 else "worse"


def difference(first: Statistic, second: Statistic, groups: Groups) -> Difference:
    """Paired difference ``first - second`` and its p-value, from its standard error over questions.

    With six questions or more the p-value agrees with the interval: below 0.05 where 0 is outside of it.
    """
    interval = paired_difference(first, second, groups)
    return Difference(interval=interval, p=p_value(interval))


def p_value(interval: Interval, *, null: float = 0.0) -> float | None:
    """Two-sided p-value of ``value = null`` (:meth:`.evidence.Evidence.p_value`); ``None`` where there is no error."""
    if interval.value is None or interval.error is None or interval.groups < 2:
        return None
    value, error, degrees = interval.value, interval.error, interval.degrees
    made = Evidence(value=value, error=error, groups=interval.groups, degrees=degrees, limits=interval.limits)
    return made.p_value(null)


def holm(differences: Sequence[Difference]) -> list[Difference]:
    """The same differences with p-values by Holm's step-down method; those without a p-value do not count.

    The chance that any of them is wrongly called a difference stays below the level, however they depend on one
    another.

    Source:
        Holm 1979. The tests hold it against statsmodels, which would be a dependency for these six lines alone.
    """
    known = sorted((d.p, k) for k, d in enumerate(differences) if d.p is not None)
    corrected: dict[int, float] = {}
    largest = 0.0
    for place, (p, k) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - place) * p))
        corrected[k] = largest
    return [replace(d, p_corrected=corrected.get(k)) for k, d in enumerate(differences)]
