"""Reading a feature store: by item, by layer, by position, or all of it in order, without loading the rest."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ...models.errors import InnerjudgeError
from ..arrays import Array
from ..features import Features
from ..provenance import Provenance
from .header import StoreHeader
from .index import Entry, read_rows
from .place import Place
from .precision import Rounding
from .shard import OpenShard, shard_name

#: Shards that are open at once: each holds a file, and one more where it is mapped, of 256 or more that a process may.
_OPEN = 48

#: Shards that the disk is asked for before they are read.
_AHEAD = 16

#: Where the items of one shard go in the answer, and where they stand in the shard.
_Span = tuple[int, Any, Any]


class StoreReading:
    """What can be asked of the shards that are there.

    Args:
        where: The folder.
        header: What the shards have in common.
    """

    def __init__(self, where: Place, header: StoreHeader) -> None:
        self.place, self.header = where, header
        self.entries: dict[int, Entry] = {}
        self._open: OrderedDict[int, OpenShard] = OrderedDict()

    def close(self) -> None:
        """Close the shards that are mapped into memory; they are mapped again when needed."""
        self._open.clear()

    def __len__(self) -> int:
        return self.header.items

    @property
    def provenance(self) -> Provenance:
        """Where the features came from."""
        return self.header.provenance

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name of a readout -> its shape ``[items, ...]``, as wide as the widest shard."""
        found: dict[str, tuple[int, ...]] = {}
        for entry in self.entries.values():
            for name, shape in entry.shapes.items():
                held = found.get(name, shape)
                if len(held) != len(shape) or held[1:-1] != shape[1:-1]:
                    raise InnerjudgeError(
                        f"given {name} of shapes {held} and {shape} in one store, expected one: extract again"
                    )
                found[name] = (len(self), *held[1:-1], max(held[-1], shape[-1])) if len(shape) > 1 else (len(self),)
        return found

    @property
    def rounding(self) -> dict[str, Rounding]:
        """Name of a readout -> what the stored type loses of it."""
        found: dict[str, Rounding] = {}
        for entry in self.entries.values():
            for name, one in entry.rounding.items():
                found[name] = found.get(name, Rounding()) + one
        return found

    @property
    def content_hash(self) -> str:
        """Hash of all that is stored, but not of the time that the passes took."""
        digest = hashlib.sha256(json.dumps([self.header.provenance.binding(), len(self)]).encode())
        for number in sorted(self.entries):
            plain = self._rows(number).to_pydict()
            digest.update(json.dumps([self.entries[number].sha256, plain], sort_keys=True).encode())
        return digest.hexdigest()[:16]

    def layer(self, name: str, layer: int | None, rows: npt.ArrayLike | None = None) -> Array:
        """A readout at one layer (axis 1 of the readout, ``None`` for all), without reading the others.

        Args:
            name: Such as ``"hidden/reasoning_end"``.
            layer: Row of the states, counted from the end where negative.
            rows: Places of the items, in any order; ``None`` for all.

        Returns:
            float32, ``[rows, ...]``.

        Raises:
            InnerjudgeError: If there is no such readout, layer or item.
        """
        shape = self._shape(name)
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

    def features(self, names: Sequence[str] | None = None, rows: npt.ArrayLike | None = None) -> Features:
        """Items as :class:`Features` in memory; only the readouts and texts ``names``, if given, and only ``rows``."""
        wanted = self._wanted(rows)
        tables = {n: self._rows(n).to_pydict() for n, _, _ in self._by_shard(wanted)}
        order: list[tuple[int, int]] = [(0, 0)] * (len(self) if wanted is None else len(wanted))
        for number, into, inside in self._by_shard(wanted):
            places = np.arange(self.entries[number].rows)[inside]
            for at, k in zip(np.arange(len(order))[into], places, strict=True):
                order[at] = (number, int(k))
        texts = [key for key in next(iter(tables.values()), {}) if key.startswith("text/")]
        keep = None if names is None else set(names)
        missing: dict[str, dict[str, str]] = {}
        for number, k in order:
            for name, reason in tables[number]["missing"][k]:
                if keep is None or name in keep:
                    missing.setdefault(name, {})[tables[number]["id"][k]] = reason
        arrays = {n: self.layer(n, None, wanted) for n in self.shapes if keep is None or n in keep}
        share = len(order) / len(self)
        return Features(
            ids=tuple(tables[n]["id"][k] for n, k in order),
            groups=tuple(tables[n]["group"][k] for n, k in order),
            provenance=self.provenance,
            arrays=arrays,
            texts={
                key[5:]: tuple(tables[n][key][k] for n, k in order) for key in texts if keep is None or key[5:] in keep
            },
            missing=missing,
            seconds={n: s * share for n, s in self.seconds.items()},
        )

    @property
    def seconds(self) -> dict[str, float]:
        """Name -> wall seconds of the passes that made it."""
        found: dict[str, float] = {}
        for entry in self.entries.values():
            for name, one in entry.seconds.items():
                found[name] = found.get(name, 0.0) + one
        return found

    def parts(self, names: Sequence[str] | None = None, *, size: int | None = None) -> Iterator[Features]:
        """The whole store in order, ``size`` items (one shard) at a time: memory holds one part."""
        step = size or self.header.shard_items
        for start in range(0, len(self), step):
            yield self.features(names, np.arange(start, min(start + step, len(self))))

    def ids(self) -> Iterator[str]:
        """Ids of all items, in order."""
        for number in range(self.header.shards):
            yield from self._rows(number).column("id").to_pylist()

    def missing_reasons(self) -> Iterator[dict[str, str]]:
        """For each item in order: name of a readout or text that it lacks -> why."""
        for number in range(self.header.shards):
            yield from map(dict, self._rows(number).column("missing").to_pylist())

    def find(self, ids: Sequence[str]) -> npt.NDArray[np.intp]:
        """Places of items, by their ids.

        Raises:
            InnerjudgeError: If one is not in the store.
        """
        lacking, places = set(ids), {}
        for place, one in enumerate(self.ids()):
            if one in lacking:
                places[one] = place
        lacking -= places.keys()
        if lacking:
            raise InnerjudgeError(f"given the item {min(lacking)!r}, expected one of the {len(self)} in {self.place}")
        return np.array([places[one] for one in ids], dtype=np.intp)

    def __getstate__(self) -> dict[str, Any]:
        return {"place": self.place, "header": self.header, "entries": self.entries}  # maps do not travel

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _open=OrderedDict())

    def _shape(self, name: str) -> tuple[int, ...]:
        shapes = self.shapes
        if name not in shapes:
            raise InnerjudgeError(f"given {name!r}, expected a readout of {self.place}: {', '.join(sorted(shapes))}")
        return shapes[name]

    def _wanted(self, rows: npt.ArrayLike | None) -> npt.NDArray[np.intp] | None:
        if rows is None:
            return None
        wanted = np.asarray(rows, dtype=np.intp)
        if wanted.ndim != 1 or (len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(self)):
            raise InnerjudgeError(f"given rows that are no list of places, expected numbers from 0 to {len(self) - 1}")
        return wanted

    def _by_shard(self, wanted: npt.NDArray[np.intp] | None) -> Iterator[_Span]:
        if wanted is None:
            for number in range(self.header.shards):
                start, stop = self.header.span(number)
                yield number, slice(start, stop), slice(0, stop - start)
            return
        of = wanted // self.header.shard_items
        for number in np.unique(of):
            into = np.flatnonzero(of == number)
            inside: Any = wanted[into] - self.header.span(int(number))[0]
            first = int(inside[0])
            if np.array_equal(inside, np.arange(first, first + len(inside))):  # one piece, which need not be gathered
                inside = slice(first, first + len(inside))
            yield int(number), into, inside

    def _shard(self, number: int) -> OpenShard:
        if number not in self._open:
            if number not in self.entries:
                raise InnerjudgeError(f"given {self.place} without {shard_name(number)}, expected it: extract again")
            self._open[number] = OpenShard(self.place.local(shard_name(number)), self.entries[number])
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(number)
        return self._open[number]

    def _rows(self, number: int) -> pa.Table:
        """Index of a shard."""
        return read_rows(self.place, self.entries[number])
