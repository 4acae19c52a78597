"""The shards of a store: safetensors files in which one layer of all items is contiguous; few are open at once."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from einops import rearrange
from safetensors.torch import save
from torch import Tensor

from ...models.errors import InnerjudgeError
from ...models.foreign import digest_of_file, refusing
from ...models.tensor_file import TensorFile
from ..feature_arrays import Array
from ..features import Features
from ..provenance import Provenance
from ..ragged import Ragged
from .index import WRITTEN, Entry, StoreHeader, read_rows
from .place import Place
from .precision import SCALE, Rounding, decode_file, encode

_Sum = TypeVar("_Sum", float, Rounding)
#: Name of the rows of each item that stand beside a ragged tensor.
COUNTS = ":rows"


def shard_name(number: int) -> str:
    """Name of a shard's file."""
    return f"shards/{number:06d}.safetensors"


def write_shard(place: Place, number: int, features: Features, kind: str) -> dict[str, Any]:
    """Write the arrays of ``features``; returns file size and SHA-256, and what rounding did to readouts."""
    tensors: dict[str, Tensor] = {}
    rounding: dict[str, Rounding] = {}
    for name, array in features.arrays.items():
        more, rounding[name] = encode(name, np.swapaxes(array, 0, 1) if array.ndim > 2 else array, kind)
        tensors |= more
    for name, one in features.ragged.items():
        more, rounding[name] = encode(name, one.values, kind)
        tensors |= more | {name + COUNTS: torch.from_numpy(one.counts)}
    blob = save(tensors)
    place.write(shard_name(number), [blob])
    lost = {name: [one.error, one.total, one.worst] for name, one in rounding.items() if one.total}
    return {"bytes": len(blob), "sha256": hashlib.sha256(blob).hexdigest(), "rounding": lost}


def damage(place: Place, header: StoreHeader, number: int, entries: Sequence[Entry], *, checksum: bool) -> str | None:
    """What is wrong with a shard's index, its size or, if ``checksum``, its content; ``None`` if nothing is."""
    start, stop = header.span(number)
    if not entries:
        return "it is not there"
    entry = entries[0]
    if len(entries) > 1 or entry.rows != stop - start:
        return "its index is not its own"
    if entry.header != header.digest:
        return "it is of another store"
    size = place.size(shard_name(number))
    if size is None:
        return "it is not there"
    if size != entry.size:
        return f"{size} bytes instead of {entry.size}"
    if not checksum:
        return None
    same = digest_of_file(place.local(shard_name(entry.number))) == entry.sha256
    return None if same else "its content is not what was written (checksum)"


class OpenShard:
    """An open shard, read piece by piece; ``InnerjudgeError`` names a file that differs from what its index says."""

    def __init__(self, path: Path, entry: Entry) -> None:
        self.path, self.entry = path, entry
        with refusing(self.path, WRITTEN):
            self._file = TensorFile(path)
            for name, shape in entry.shapes.items():
                held = self._file.pieces[name].shape
                if held != ((shape[1], shape[0], *shape[2:]) if len(shape) > 2 else shape):
                    raise ValueError(f"{name} of shape {held} where the index says {shape}")
            for name, shape in entry.ragged.items():
                held, counts = self._file.pieces[name].shape, self._file.pieces[name + COUNTS]
                if held != shape or counts.shape != (entry.rows,) or counts.kind != "I64":
                    raise ValueError(f"{name} of shape {held} and {counts} where the index says {shape}")

    def read(self, name: str, rows: Any = slice(None), layer: int | None = None, out: Array | None = None) -> Array:
        """Read a readout, ``[rows, ...]``, into ``out`` if given; with a ``layer``, without the axis of layers."""
        with refusing(self.path, WRITTEN):
            pieces = [self._file.pieces[part] for part in (name, name + SCALE) if part in self._file.pieces]
            if layer is not None:
                pieces = [piece.row(layer) for piece in pieces]
            if layer is None and len(self.entry.shapes[name]) > 2:  # the file has the layers first
                held = decode_file(*(self._file.view(piece)[:, rows] for piece in pieces))
                values = rearrange(held, "layer item ... -> item layer ...")
            elif not isinstance(rows, slice) or rows.step not in (None, 1):
                values = decode_file(*(self._file.view(piece)[rows] for piece in pieces))
            else:
                pieces = [piece.span(*rows.indices(self.entry.rows)[:2]) for piece in pieces]
                if out is not None and pieces[0].kind == "F32" and out.flags.c_contiguous:
                    return self._file.read(pieces[0], out)
                values = decode_file(*map(self._file.read, pieces))
        if out is None:
            return values
        out[...] = values
        return out

    def ragged(self, name: str, rows: Any = slice(None)) -> Ragged:
        """Read a readout with several rows per item, of all items or of those at ``rows``."""
        counts = self.counts(name)
        with refusing(self.path, WRITTEN):
            ends = np.cumsum(counts)
            chosen = np.arange(self.entry.rows)[rows]
            whole = len(chosen) == self.entry.rows and bool((np.diff(chosen) == 1).all())
            pieces = [self._file.pieces[part] for part in (name, name + SCALE) if part in self._file.pieces]
            if whole:
                return Ragged(decode_file(*map(self._file.read, pieces)), np.concatenate(([0], ends)))
            spans = [(int(ends[k] - counts[k]), int(ends[k])) for k in chosen]
            some = [decode_file(*(self._file.read(piece.span(*span)) for piece in pieces)) for span in spans]
            return Ragged.of(some, self.entry.ragged[name][1:])

    def counts(self, name: str) -> npt.NDArray[np.int64]:
        """How many rows each item has of such a readout."""
        with refusing(self.path, WRITTEN):
            counts: npt.NDArray[np.int64] = self._file.read(self._file.pieces[name + COUNTS])
            if counts.min() < 0 or counts.sum() != self.entry.ragged[name][0]:
                raise ValueError(f"{name} of {counts.sum()} rows")
            return counts

    def expect(self, name: str, layer: int | None) -> None:
        """Ask the system to read a readout ahead, at one layer or all of it."""
        piece = self._file.pieces[name]
        self._file.expect(piece if layer is None else piece.row(layer))


#: Shards that are open at once: each holds a file, and one more where it is mapped, of 256 or more that a process may.
_OPEN = 48


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
        wanted = set(ids)
        places = {one: place for place, one in enumerate(self.ids()) if one in wanted}
        if lacking := wanted - places.keys():
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

    def _by_shard(self, wanted: npt.NDArray[np.intp] | None) -> Iterator[tuple[int, Any, Any]]:
        """Numbers of shards, where the items of each go in the answer, and where they stand in the shard."""
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

    def _spans(self, wanted: npt.NDArray[np.intp] | None) -> tuple[list[tuple[int, Any]], npt.NDArray[np.intp]]:
        """Shards and where the wanted items stand in each, one shard at least; and the order to put these items in."""
        count = len(self) if wanted is None else len(wanted)
        found = list(self._by_shard(wanted)) or [(min(self.entries), slice(0, 0), slice(0, 0))]
        order = np.argsort(np.concatenate([np.arange(count)[into] for _, into, _ in found]))
        return [(number, inside) for number, _, inside in found], order

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
        return read_rows(self.place, self.entries[number])

    @property
    def rounding(self) -> dict[str, Rounding]:
        """Name of a readout -> what the stored type loses of it."""
        return _added((entry.rounding for entry in self.entries.values()), Rounding())

    @property
    def seconds(self) -> dict[str, float]:
        """Name -> wall seconds of the passes that made it."""
        return _added((entry.seconds for entry in self.entries.values()), 0.0)

    @property
    def provenance(self) -> Provenance:
        """Where the features came from."""
        return self.header.provenance

    @property
    def ragged_names(self) -> tuple[str, ...]:
        """Names of the readouts with several rows per item."""
        return tuple(dict.fromkeys(name for entry in self.entries.values() for name in entry.ragged))

    def ragged(self, name: str, rows: npt.ArrayLike | None = None) -> Ragged:
        """Read the rows of all items or of those at ``rows``, in that order, padded as those of the widest shard."""
        if name not in self.ragged_names:
            raise InnerjudgeError(f"given {name!r}, expected one of {', '.join(self.ragged_names) or 'none'}")
        spans, order = self._spans(self._wanted(rows))
        widest = Ragged.of([], max(entry.ragged.get(name, ())[1:] for entry in self.entries.values()))
        return Ragged.stack([*(self._shard(n).ragged(name, at) for n, at in spans), widest], name).take(order)


def _added(parts: Iterable[Mapping[str, _Sum]], none: _Sum) -> dict[str, _Sum]:
    found: dict[str, _Sum] = {}
    for name, one in chain.from_iterable(part.items() for part in parts):
        found[name] = found.get(name, none) + one
    return found
