"""Arrays in which each item has its own number of rows, such as one per token: a flat array with offsets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..models.errors import InnerjudgeError
from .readout_names import range_readout, reads_labels
from .readouts import Paired

Array = npt.NDArray[np.float32]


def finite_rows(rows: Array) -> npt.NDArray[np.bool_]:
    """Which rows ``[N, ...]`` have finite numbers only."""
    # A float64 sum of float32 values is finite exactly when all of them are; no mask of the array's size.
    return np.asarray(np.isfinite(rows.sum(axis=tuple(range(1, rows.ndim)), dtype=np.float64)))


def stack(parts: Sequence[Array], *, pad: bool = True) -> Array:
    """Concatenate along items; narrower parts are padded with zeros to the widest, or refused."""
    if not pad and len(shapes := sorted({part.shape[1:] for part in parts})) > 1:
        raise InnerjudgeError(f"given rows of shapes {shapes[0]} and {shapes[1]}, expected one: extract again")
    width = max(part.shape[-1] for part in parts)
    return np.concatenate([widen(part, width) for part in parts])


def widen(array: Array, width: int) -> Array:
    """Pad the last axis, if it is not that of the items, with zeros up to ``width``."""
    lacking = width - array.shape[-1] if array.ndim > 1 else 0
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, lacking)]) if lacking > 0 else array


def runs(sizes: npt.NDArray[np.int64], most: int) -> Iterator[npt.NDArray[np.intp]]:
    """Places of items that follow one another, of less than ``most`` in all beside the first of them.

    >>> [run.tolist() for run in runs(np.array([3, 4, 2, 20, 1]), 10)]
    [[0, 1, 2], [3, 4]]
    """
    ends = np.cumsum(sizes)
    cuts = np.flatnonzero(np.diff((ends - 1) // max(most, 1))) + 1
    return filter(len, np.split(np.arange(len(sizes)), cuts))


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Rows of ``n`` items, one item after another, without padding: ``values [N, ...]``, float32.

    ``offsets [n + 1]`` rise from 0 to ``N``: the rows of item ``k`` are ``offsets[k]`` to ``offsets[k + 1] - 1``.
    ``InnerjudgeError`` if they are not those of the values.

    Example:
        >>> r = Ragged.of([[1.0, 2.0], [], [3.0]])
        >>> r[0], len(r), r.counts, r.take([2, 0]).values
        (array([1., 2.], dtype=float32), 3, array([2, 0, 1]), array([3., 1., 2.], dtype=float32))
    """

    values: Array
    offsets: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        values, offsets = np.asarray(self.values, np.float32).view(), np.asarray(self.offsets, np.int64).view()
        ok = values.ndim >= 1 and offsets.ndim == 1 and len(offsets) >= 1 and offsets[0] == 0
        if not ok or offsets[-1] != len(values) or bool((np.diff(offsets) < 0).any()):
            raise InnerjudgeError.of("extraction.offsets", values.shape, offsets.shape)
        values.flags.writeable = offsets.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "offsets", offsets)

    @classmethod
    def of(cls, rows: Sequence[npt.ArrayLike], shape: tuple[int, ...] = ()) -> Self:
        """Make it from the rows of each item, all of one ``shape``, which is needed if no item has any."""
        arrays = [np.asarray(one, np.float32) for one in rows]
        full = [one for one in arrays if len(one)]
        values = stack(full, pad=False) if full else np.zeros((0, *shape), np.float32)
        return cls(values, np.cumsum([0, *map(len, arrays)]))

    @classmethod
    def stack(cls, parts: "Sequence[Ragged]", name: str = "") -> Self:
        """Put the items of parts one after another; rows of keys or labels, known by ``name``, are padded by zeros."""
        pad = isinstance(of := range_readout(name), Paired) or reads_labels(of)  # an item has its own number of them
        counts = np.concatenate([part.counts for part in parts])
        filled = [part.values for part in parts if pad or len(part.values)] or [parts[0].values]
        return cls(stack(filled, pad=pad), np.cumsum([0, *counts]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[Array]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, item: int) -> Array:
        """Rows ``[K, ...]`` of one item."""
        n = len(self)
        if not -n <= item < n:
            raise IndexError(f"given item {item} of {n}")
        return self.values[self.offsets[item % n] : self.offsets[item % n + 1]]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape ``(N, ...)`` of all rows."""
        return self.values.shape

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Number of rows of each item, ``[n]``."""
        return np.diff(self.offsets)

    def take(self, rows: npt.ArrayLike) -> Self:
        """The items at these places, in that order."""
        wanted = np.asarray(rows)
        chosen = np.arange(len(self))[wanted if wanted.size else wanted.astype(np.intp)]
        if np.array_equal(chosen, np.arange(len(self))):
            return self
        return type(self).of([self[int(k)] for k in chosen], self.values.shape[1:])

    def finite(self) -> npt.NDArray[np.bool_]:
        """Which items have finite numbers only, ``[n]``."""
        bad = np.add.reduceat(np.append(~finite_rows(self.values), False).astype(int), self.offsets[:-1]) > 0
        return np.asarray(~bad | (self.counts == 0))

    def __reduce__(self) -> tuple[Any, ...]:
        return Ragged, (self.values, self.offsets)  # rows on a disk are taken along

    def __repr__(self) -> str:
        rest = "".join(f", {size}" for size in self.shape[1:])
        return f"Ragged([{len(self)} items, {self.shape[0]} rows{rest}])"
