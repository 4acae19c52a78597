"""The shards of a store: opened when they are needed, few at once, with the index of their items."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ...models.errors import InnerjudgeError
from ..provenance import Provenance
from ..ragged import Ragged
from .index import Entry, StoreHeader, read_rows
from .place import Place
from .precision import Rounding
from .shard import OpenShard, shard_name

#: Shards that are open at once: each holds a file, and one more where it is mapped, of 256 or more that a process may.
_OPEN = 48

#: Where the items of one shard go in the answer, and where they stand in the shard.
_Span = tuple[int, Any, Any]


class Shards:
    """The shards that are there, and which items they hold."""

    def __init__(self, where: Place, header: StoreHeader) -> None:
        self.place, self.header = where, header
        self.entries: dict[int, Entry] = {}
        self._open: OrderedDict[int, OpenShard] = OrderedDict()

    def close(self) -> None:
        """Close the shards that are mapped into memory; they are mapped again when needed."""
        self._open.clear()

    def __len__(self) -> int:
        return self.header.items

    def ids(self) -> Iterator[str]:
        """Ids of all items, in order."""
        for number in range(self.header.shards):
            yield from self._rows(number).column("id").to_pylist()

    def missing_reasons(self) -> Iterator[dict[str, str]]:
        """For each item in order: name of a readout or text that it lacks -> why."""
        for number in range(self.header.shards):
            yield from map(dict, self._rows(number).column("missing").to_pylist())

    def find(self, ids: Sequence[str]) -> npt.NDArray[np.intp]:
        """Places of items, by their ids; ``InnerjudgeError`` if one is not in the store."""
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

    @property
    def rounding(self) -> dict[str, Rounding]:
        """Name of a readout -> what the stored type loses of it."""
        found: dict[str, Rounding] = {}
        for entry in self.entries.values():
            for name, one in entry.rounding.items():
                found[name] = found.get(name, Rounding()) + one
        return found

    @property
    def seconds(self) -> dict[str, float]:
        """Name -> wall seconds of the passes that made it."""
        found: dict[str, float] = {}
        for entry in self.entries.values():
            for name, one in entry.seconds.items():
                found[name] = found.get(name, 0.0) + one
        return found

    @property
    def provenance(self) -> Provenance:
        """Where the features came from."""
        return self.header.provenance


class RaggedShards(Shards):
    """Shards of which some readouts have several rows an item."""

    @property
    def ragged_names(self) -> tuple[str, ...]:
        """Readouts that have several rows an item."""
        return tuple(dict.fromkeys(name for entry in self.entries.values() for name in entry.ragged))

    def ragged(self, name: str, rows: npt.ArrayLike | None = None) -> Ragged:
        """A readout that has several rows an item, of all items or of those at ``rows``, in that order."""
        if name not in self.ragged_names:
            raise InnerjudgeError(f"given {name!r}, expected one of {', '.join(self.ragged_names) or 'none'}")
        wanted = self._wanted(rows)
        parts: list[Ragged] = []
        places: list[npt.NDArray[np.intp]] = []
        count = len(self) if wanted is None else len(wanted)
        for number, into, inside in self._by_shard(wanted):
            parts.append(self._shard(number).ragged(name, inside))
            places.append(np.arange(count)[into])
        if not parts:
            return self._shard(min(self.entries)).ragged(name, slice(0, 0))
        return Ragged.stack(parts).take(np.argsort(np.concatenate(places)))
