"""A metric made ready for intervals: its value on the data, and its values with questions left out."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...models.errors import InnerjudgeError

Floats = npt.NDArray[np.float64]
Labels = Sequence[bool | None] | npt.NDArray[np.bool_]
Values = Sequence[float | None] | npt.NDArray[np.float64]
Rights = Sequence[bool | None]
#: What was said of each row.
Said = Sequence[Hashable | None]
#: The question of each row.
Groups = Sequence[Hashable]
#: Lowest and highest value that a figure can have.
Limits = tuple[float, float]
#: Limits of a share, of an area under a curve, of a mean of either.
SHARE: Limits = (0.0, 1.0)
#: Limits of a correlation, of chance-corrected agreement, of the difference of two shares.
SIGNED: Limits = (-1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One metric on ``size`` rows, unscored ones included.

    Args:
        value: The metric on the data as they are; ``None`` where undefined, with the ``reason``.
        n: What it rests on: rows (or questions, or pairs, as the metric says) that count.
        size: Rows given.
        reason: Why there is no value.
        counts: Masks ``[size]`` of the rows that count, one for each part that needs rows of its own (either class,
            either group); none: all rows may count. The fewer questions the scarcest part has, the wider the interval.
        limits: Lowest and highest value that the metric can have, such as :data:`SHARE`; the interval stays within.
        over: Weights ``[R, size]`` (0 for a row that is left out, else how often it counts) -> the ``R`` values, NaN
            where undefined. Rows of one question must have equal weights in metrics that look within questions.
        smooth: Whether leaving out one question moves it a little. A figure that moves in steps, such as the ranking of
            a few systems, says ``False``: halves of the questions are then looked at too.
    """

    value: float | None
    n: int
    size: int
    reason: str | None = None
    counts: tuple[npt.NDArray[np.bool_], ...] = field(default=(), repr=False)
    limits: Limits | None = None
    over: Callable[[Floats], Floats] = field(repr=False)
    smooth: bool = True


def undefined(reason: str, *, n: int, size: int) -> Statistic:
    """A metric that these data do not define."""
    return Statistic(value=None, n=n, size=size, reason=reason, over=lambda w: np.full(len(w), np.nan))


def ratio(
    numerator: Floats, denominator: Floats, *, n: int | None = None, reason: str = "nothing counts",
    limits: Limits | None = None
) -> Statistic:  # fmt: skip
    """The metric ``sum(numerator) / sum(denominator)`` of per-row parts; ``n`` defaults to the rows that count."""
    count = int(np.count_nonzero(denominator)) if n is None else n
    total, size, counts = float(denominator.sum()), len(denominator), (denominator != 0,)
    if not total:
        return undefined(reason, n=count, size=size)
    value, over = float(numerator.sum()) / total, lambda w: divide(w @ numerator, w @ denominator)
    return Statistic(value=value, n=count, size=size, counts=counts, limits=limits, over=over)


def mean(values: Floats, *, reason: str, limits: Limits | None = None) -> Statistic:
    """The mean of the rows that have a value: those that are not NaN."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0), known.astype(np.float64), reason=reason, limits=limits)


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Elementwise quotient, NaN where the denominator is 0."""
    out = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


@dataclass(frozen=True, slots=True)
class Ties:
    """Values sorted once, so that weighted ranks need only sums over runs of equal values.

    ``order``: rows by rising value, ``[n]``; ``starts``: where each of the ``G`` runs of equal values begins in it;
    ``run``: that of each row, ``[n]``.
    """

    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    run: npt.NDArray[np.intp]

    @classmethod
    def of(cls, values: Floats) -> "Ties":
        """Sort ``values``, shape ``[n]`` with ``n >= 1`` and nothing missing."""
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        run = np.empty(len(values), dtype=np.intp)
        run[order] = np.cumsum(new) - 1
        return cls(order, np.flatnonzero(new), run)

    def sums(self, weights: Floats) -> Floats:
        """Weights ``[R, n]`` -> summed by run, ``[R, G]``."""
        return np.asarray(np.add.reduceat(weights[:, self.order], self.starts, axis=1), dtype=np.float64)

    def ranks(self, weights: Floats) -> Floats:
        """Mid-ranks of the rows when each is repeated ``weights`` times: ``[R, n]`` -> ``[R, n]``."""
        held = self.sums(weights)
        return (np.cumsum(held, axis=1) - held + (held + 1) / 2)[:, self.run]


def require_same_length(**columns: Sequence[object] | npt.NDArray[Any]) -> None:
    """Refuse columns of different lengths, naming them."""
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) > 1:
        raise InnerjudgeError(f"given columns of lengths {sizes}, expected one length: pass one entry an item to each")


def finite(values: Labels | Values) -> Floats:
    """Values as floats with NaN for ``None`` and infinities, shape ``[n]``."""
    array = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    array[~np.isfinite(array)] = np.nan
    return array


def combine(parts: Sequence[Statistic], function: Callable[..., Any], *, limits: Limits | None = None) -> Statistic:
    """An elementwise function of several metrics of the same rows, such as their difference or mean.

    Undefined, with the first reason, where a part is. ``n`` is the smallest.
    """
    if len({part.size for part in parts}) != 1:
        raise InnerjudgeError(f"given metrics of {[part.size for part in parts]} rows, expected one number of rows")
    n, size = min(part.n for part in parts), parts[0].size
    lacking = next((part.reason or "undefined" for part in parts if part.value is None), None)
    if lacking is not None:
        return undefined(lacking, n=n, size=size)

    def over(weights: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.asarray(function(*(part.over(weights) for part in parts)), dtype=np.float64)
        return np.where(np.isfinite(found), found, np.nan)

    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(function(*(np.float64(part.value or 0.0) for part in parts)))
    if not np.isfinite(value):
        return undefined("undefined at these values", n=n, size=size)
    counts = tuple(mask for part in parts for mask in part.counts)
    smooth = all(part.smooth for part in parts)
    return Statistic(value=value, n=n, size=size, counts=counts, limits=limits, over=over, smooth=smooth)


def where(rows: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.bool_]:
    """The mask ``[size]`` of some rows."""
    return np.isin(np.arange(size), rows)
