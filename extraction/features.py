"""What one pass returned: arrays by name, with the items' ids and the provenance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from ..models.errors import InnerjudgeError
from .arrays import Array, Mask, stack
from .provenance import Provenance

__all__ = ["Array", "Features", "Mask", "require_unique"]


@dataclass(slots=True, kw_only=True)
class Features:
    """Arrays (and generated texts) of ``n`` items; a readout that an item lacks is named in ``missing``.

    Args:
        ids: Item ids, length ``n``.
        groups: Question of each item, length ``n``: the unit of splits and of intervals.
        arrays: Name of a readout -> float32 array whose first axis is ``n``. Rows of missing items are zero: ask
            :meth:`present` which rows count.
        texts: Name of a generation -> ``n`` generated strings (new tokens only).
        missing: Name of a readout or generation -> item id -> reason why it has none.
        provenance: Identity of the model and of the conventions.
        seconds: Name -> wall seconds of the pass that made it.

    Example:
        >>> p = Provenance("m", None, "f", "float32", "sdpa", "none")
        >>> f = Features(ids=("a", "b"), groups=("q", "q"), arrays={"x": np.ones((2, 3), np.float32)},
        ...              missing={"x": {"b": "no marker"}}, provenance=p)
        >>> f.present("x")
        array([ True, False])
        >>> f.take([0]).ids
        ('a',)
    """

    ids: tuple[str, ...]
    groups: tuple[str, ...]
    provenance: Provenance
    arrays: dict[str, Array] = field(default_factory=dict)
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.ids)
        sizes = {"groups": len(self.groups)} | {k: len(v) for k, v in (self.arrays | self.texts).items()}
        wrong = {k: size for k, size in sizes.items() if size != n}
        if wrong:
            raise InnerjudgeError(f"given {n} ids but {wrong} rows, expected {n} each: build them from one item list")
        require_unique(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> Array:
        """The array of a readout, shape ``[n, ...]``."""
        if name not in self.arrays:
            given = sorted(self.arrays)
            raise InnerjudgeError(f"given features with {given}, expected {name!r}: extract with that readout")
        return self.arrays[name]

    def present(self, *names: str) -> Mask:
        """Which items have all the named readouts, shape ``[n]``."""
        reasons = self.reasons(*names)
        return np.array([i not in reasons for i in self.ids], dtype=bool)

    def reasons(self, *names: str) -> dict[str, str]:
        """Item id -> why it lacks one of the named readouts (first reason found)."""
        merged: dict[str, str] = {}
        for name in names:
            if name not in self.arrays and name not in self.texts:
                self[name]
            merged = self.missing.get(name, {}) | merged
        return merged

    def take(self, index: Sequence[int] | npt.NDArray[np.intp] | Mask) -> Self:
        """The items at ``index`` (integers or a boolean mask of length ``n``), in that order."""
        rows = np.asarray(index)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp)
        ids = tuple(self.ids[i] for i in rows)
        keep = set(ids)
        return type(self)(
            ids=ids,
            groups=tuple(self.groups[i] for i in rows),
            provenance=self.provenance,
            arrays={k: v[rows] for k, v in self.arrays.items()},
            texts={k: tuple(v[i] for i in rows) for k, v in self.texts.items()},
            missing={k: {i: r for i, r in v.items() if i in keep} for k, v in self.missing.items()},
            seconds={k: s * len(rows) / max(len(self), 1) for k, s in self.seconds.items()},
        )

    def join(self, other: Features) -> Self:
        """Readouts of two views of the same items side by side.

        Raises:
            InnerjudgeError: If ids, provenance or names clash; an array that is the same on both sides does not.
        """
        self.provenance.require(other.provenance, "joining features")
        if self.ids != other.ids:
            odd = next((i for i in other.ids if i not in set(self.ids)), "the order")
            raise InnerjudgeError(f"given features of other items (first difference: {odd}), expected the same ids")
        both = (self.arrays.keys() | self.texts.keys()) & (other.arrays.keys() | other.texts.keys())
        both = {k for k in both if not np.array_equal(self.arrays.get(k, 0.0), other.arrays.get(k, 1.0))}
        if both:
            raise InnerjudgeError(f"given {sorted(both)} on both sides, expected distinct names: rename a readout")
        return type(self)(
            ids=self.ids,
            groups=self.groups,
            provenance=self.provenance,
            arrays=self.arrays | other.arrays,
            texts=self.texts | other.texts,
            missing=self.missing | other.missing,
            seconds=self.seconds | other.seconds,
        )

    @classmethod
    def concat(cls, parts: Sequence[Features]) -> Self:
        """Items of several parts below one another; all must hold the same readouts."""
        if not parts:
            raise InnerjudgeError("given no features to put together, expected at least one part")
        first = parts[0]
        for part in parts[1:]:
            first.provenance.require(part.provenance, "putting features together")
            odd = (part.arrays.keys() | part.texts.keys()) ^ (first.arrays.keys() | first.texts.keys())
            if odd:
                raise InnerjudgeError(f"given {sorted(odd)} in some parts only, expected the same readouts in all")
        names = sorted(set(first.missing).union(*(p.missing for p in parts)))
        return cls(
            ids=tuple(i for p in parts for i in p.ids),
            groups=tuple(g for p in parts for g in p.groups),
            provenance=first.provenance,
            arrays={k: stack([p[k] for p in parts]) for k in first.arrays},
            texts={k: tuple(t for p in parts for t in p.texts[k]) for k in first.texts},
            missing={k: {i: r for p in parts for i, r in p.missing.get(k, {}).items()} for k in names},
            seconds={k: sum(p.seconds.get(k, 0.0) for p in parts) for k in first.seconds},
        )


def require_unique(ids: Sequence[str]) -> None:
    """Raise if an id occurs twice; the message names it."""
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise InnerjudgeError(f"given the id {one!r} twice, expected unique ids: rename one of the items")
        seen.add(one)
