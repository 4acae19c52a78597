"""Reading a feature store: by item, by layer, by position, or all of it in order, without loading the rest."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ...models.errors import InnerjudgeError
from ..feature_arrays import Array
from ..features import Features
from ..ragged import Ragged, runs
from .shards import Shards

#: Shards that the disk is asked for before they are read.
_AHEAD = 16
#: Numbers of stored rows that are looked at at once.
_NUMBERS = 1 << 22


class StoreReading(Shards):
    """Reads from the shards that are there."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name of a readout -> its shape ``[items, ...]``, as wide as the widest shard."""
        found: dict[str, tuple[int, ...]] = {}
        for entry in self.entries.values():
            for name, shape in entry.shapes.items():
                held = found.get(name, shape)
                if len(held) != len(shape) or held[1:-1] != shape[1:-1]:
                    raise InnerjudgeError.of("extraction.two-shapes", name, held, shape)
                found[name] = (len(self), *held[1:-1], max(held[-1], shape[-1])) if len(shape) > 1 else (len(self),)
        return found

    @property
    def content_hash(self) -> str:
        """Hash of all that is stored except the time that the passes took."""
        digest = hashlib.sha256(json.dumps([self.header.provenance.binding(), len(self)]).encode())
        for number in sorted(self.entries):
            plain = self._rows(number).to_pydict()
            digest.update(json.dumps([self.entries[number].sha256, plain], sort_keys=True).encode())
        return digest.hexdigest()[:16]

    def layer(self, name: str, layer: int | None, rows: npt.ArrayLike | None = None) -> Array:
        """A readout ``[rows, ...]`` at one layer (axis 1, from the end where negative), without reading the others.

        ``rows`` are places of items in any order, ``None`` for all; ``layer=None`` reads all layers.
        """
        shapes = self.shapes
        if name not in shapes:
            raise InnerjudgeError(f"given {name!r}, expected a readout of {self.place}: {', '.join(sorted(shapes))}")
        shape = shapes[name]
        if layer is not None and (len(shape) < 3 or not -shape[1] <= layer < shape[1]):
            raise InnerjudgeError(f"given layer {layer} of {name}, of shape {shape}, expected one of its second axis")
        wanted = self._wanted(rows)
        count = len(self) if wanted is None else len(wanted)
        ragged = any(entry.shapes[name][-1] != shape[-1] for entry in self.entries.values()) and len(shape) > 1
        out = (np.zeros if ragged else np.empty)((count, *shape[2 if layer is not None else 1 :]), np.float32)
        spans = list(self._by_shard(wanted))
        for at, (number, into, inside) in enumerate(spans):
            if wanted is None and at % _AHEAD == 0:
                for later, _, _ in spans[at + 1 : at + 1 + _AHEAD]:
                    self._shard(later).expect(name, layer)
            shard = self._shard(number)
            if ragged:
                values = shard.read(name, inside, layer)
                out[into, ..., : values.shape[-1]] = values
            elif isinstance(into, slice):
                shard.read(name, inside, layer, out[into])
            else:
                out[into] = shard.read(name, inside, layer)
        return out

    def features(
        self, names: Sequence[str] | None = None, rows: npt.ArrayLike | None = None, *, most: float = math.inf
    ) -> Features:
        """Items as :class:`Features` in memory; only the readouts and texts ``names``, if given, and only ``rows``.

        Readouts with several rows per item that take more than ``most`` bytes stay on the disk: :class:`StoredRagged`.
        """
        wanted = self._wanted(rows)
        count = len(self) if wanted is None else len(wanted)
        spans, order = self._spans(wanted)
        tables = [self._rows(n).take(np.arange(self.entries[n].rows)[inside]) for n, inside in spans]
        held = [row for table in tables for row in table.to_pylist()]
        items = [held[k] for k in order]
        said = [key.removeprefix("text/") for key in tables[0].column_names if key.startswith("text/")]
        keep = {*self.shapes, *self.ragged_names, *said} if names is None else set(names)
        missing: dict[str, dict[str, str]] = {}
        for item in items:
            for name, reason in item["missing"]:
                if names is None or name in keep:
                    missing.setdefault(name, {})[item["id"]] = reason
        return Features(
            ids=tuple(item["id"] for item in items),
            groups=tuple(item["group"] for item in items),
            provenance=self.provenance,
            arrays={n: self.layer(n, None, wanted) for n in self.shapes if n in keep},
            ragged={n: _ragged(self, n, wanted, most) for n in self.ragged_names if n in keep},
            texts={t: tuple(item[f"text/{t}"] for item in items) for t in said if t in keep},
            missing=missing,
            seconds={n: s * count / len(self) for n, s in self.seconds.items()},
        )

    def reasons(self) -> dict[str, list[str]]:
        """Why each item lacks readouts, by its id; no features are read."""
        tables = (self._rows(number).select(["id", "missing"]).to_pylist() for number in self.entries)
        return {row["id"]: [why for _, why in row["missing"]] for rows in tables for row in rows}

    def parts(self, names: Sequence[str] | None = None, *, size: int | None = None) -> Iterator[Features]:
        """Yield the whole store in order, ``size`` items (by default a shard) at a time: memory holds one part."""
        step = size or self.header.shard_items
        for start in range(0, len(self), step):
            yield self.features(names, np.arange(start, min(start + step, len(self))))


class StoredRagged(Ragged):
    """Rows of items that stay on the disk: ``take`` names items, and ``values`` reads their rows each time anew.

    ``read`` reads the items at some places of a store, ``places`` are those of these items, ``counts`` their rows.
    """

    _read: Callable[[Any], Ragged]
    _places: npt.NDArray[np.intp]

    def __init__(self, read: Callable[[Any], Ragged], places: npt.NDArray[np.intp], counts: Any) -> None:
        for name, held in {"_read": read, "_places": places, "offsets": np.cumsum([0, *counts])}.items():
            object.__setattr__(self, name, held)

    @property
    def values(self) -> Array:
        """All rows ``[N, ...]``, read now."""
        return self._read(self._places).values

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape ``(N, ...)`` of all rows, of which none is read."""
        return (int(self.offsets[-1]), *self._read(self._places[:0]).shape[1:])

    def __getitem__(self, item: int) -> Array:
        """Rows ``[K, ...]`` of one item, read now."""
        return self._read(self._places[[item]]).values

    def take(self, rows: npt.ArrayLike) -> Self:
        """The items at these places, in that order, still on the disk."""
        chosen = np.arange(len(self))[np.asarray(rows, None if np.size(rows) else np.intp)]
        return type(self)(self._read, self._places[chosen], self.counts[chosen])

    def finite(self) -> npt.NDArray[np.bool_]:
        """Which items have finite numbers only, ``[n]``; some items are read at a time."""
        each = runs(self.counts * math.prod(self.shape[1:]), _NUMBERS)
        return np.concatenate([np.zeros(0, bool), *(self._read(self._places[run]).finite() for run in each)])


def _ragged(store: StoreReading, name: str, wanted: npt.NDArray[np.intp] | None, most: float) -> Ragged:
    """A readout with several rows per item: in memory, or on the disk if it has more than ``most`` bytes."""
    if most == math.inf:  # the counts need not be read beforehand
        return store.ragged(name, wanted)
    places = np.arange(len(store)) if wanted is None else wanted
    spans, order = store._spans(places)
    counts = np.concatenate([store._shard(number).counts(name)[inside] for number, inside in spans])[order]
    stored = StoredRagged(partial(store.ragged, name), places, counts)
    return stored if 4 * math.prod(stored.shape) > most else store.ragged(name, wanted)


class StoreRows(Sequence[Array]):
    """Rows ``[n, ...]`` of a readout, read when they are indexed.

    ``np.asarray(rows)`` reads all of them, ``rows[a:b]`` a slice, ``rows[[3, 1]]`` those items. A
    ``torch.utils.data.DataLoader`` takes it as a map-style data set and reads a whole batch at once; :meth:`batches` is
    for ``partial_fit``. ``store`` is open, ``name`` such as ``"hidden/reasoning_end"``; ``layer`` is the row of the
    states, counted from the end if negative, ``None`` for all of them; ``places`` are those of the items to read, in
    any order, ``None`` for all.

    Example:
        >>> import tempfile
        >>> from innerjudge.extraction import Features, Provenance
        >>> from innerjudge.extraction.store import FeatureStore
        >>> from innerjudge.extraction.store.index import StoreHeader
        >>> origin = Provenance("m", None, "f", "float32", "sdpa", "none")
        >>> some = Features(ids=("a", "b"), groups=("q", "q"), provenance=origin,
        ...                 arrays={"hidden/score": np.arange(12, dtype=np.float32).reshape(2, 3, 2)})
        >>> store = FeatureStore.create(tempfile.mkdtemp(), StoreHeader(origin, items=2))
        >>> store.write(0, some)
        >>> rows = StoreRows(store, "hidden/score", layer=-1)
        >>> rows.shape, rows[1], [batch.shape for batch in rows.batches(1)]
        ((2, 2), array([10., 11.], dtype=float32), [(1, 2), (1, 2)])
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, store: StoreReading, name: str, layer: int | None = None, places: npt.ArrayLike | None = None
    ) -> None:
        self.store, self.name, self.layer = store, name, layer
        self.places = np.arange(len(store)) if places is None else np.asarray(places, dtype=np.intp)
        self.shape = (len(self.places), *store.layer(name, layer, self.places[:1]).shape[1:])

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Array:  # type: ignore[override]
        """One row for a number, ``[k, ...]`` for a slice, a mask or a list of numbers."""
        try:
            chosen = self.places[index]
        except IndexError:
            raise IndexError(f"given {index!r}, expected items of 0..{len(self) - 1}") from None
        if np.ndim(chosen) == 0:
            return np.asarray(self.store.layer(self.name, self.layer, [int(chosen)])[0])
        return self.store.layer(self.name, self.layer, chosen)

    def __getitems__(self, index: list[int]) -> list[Array]:
        """What a ``DataLoader`` asks for: a whole batch at once."""
        return list(self[index])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("given copy=False, expected a copy: the rows lie on the disk")
        return self[:].astype(dtype or self.dtype, copy=False)

    def batches(self, size: int) -> Iterator[Array]:
        """The rows in order, ``size`` at a time."""
        if size < 1:
            raise InnerjudgeError(f"given batches of {size} rows, expected at least 1")
        for start in range(0, len(self), size):
            yield self[start : start + size]
