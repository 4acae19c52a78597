"""One shard: the arrays of some items as safetensors, laid out so that one layer of all of them lies in one piece.

What lies in one piece is read by one request to where it is wanted. Reading it through a mapping, as the safetensors
library does, takes a page fault every few pages and the disk as many small requests. Scattered rows are gathered from
the file mapped into memory.
"""

import errno
import hashlib
import math
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange
from safetensors.torch import save
from torch import Tensor

from ...models.errors import InnerjudgeError
from ...models.foreign import digest_of_file, parse_json, require_file
from ..feature_arrays import Array
from ..features import Features
from ..ragged import Ragged
from .index import Entry
from .place import Place
from .precision import SCALE, Rounding, decode_file, encode

#: Name of the rows of each item that stand beside a ragged tensor.
COUNTS = ":rows"
#: Bytes of a safetensors header: it names a few tensors.
_HEADER_LIMIT = 1 << 20
#: Types of numbers, and how numpy holds their bytes; it has no bfloat16. The last three are not written any more.
_TYPES: dict[str, np.dtype[Any]] = {
    **{"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2"), "I8": np.dtype("i1")},
    **{"F64": np.dtype("<f8"), "I64": np.dtype("<i8"), "I32": np.dtype("<i4")},
}


def shard_name(number: int) -> str:
    """File of a shard."""
    return f"shards/{number:06d}.safetensors"


def write_shard(
    place: Place, number: int, features: Features, dtype: str
) -> tuple[dict[str, Any], dict[str, Rounding]]:
    """Write the arrays of ``features``; its size and SHA-256, and what rounding did to each readout."""
    tensors: dict[str, Tensor] = {}
    rounding: dict[str, Rounding] = {}
    for name, array in features.arrays.items():
        more, rounding[name] = encode(name, _layers_first(array), dtype)
        tensors |= more
    for name, one in features.ragged.items():
        more, rounding[name] = encode(name, one.values, dtype)
        tensors |= more | {name + COUNTS: torch.from_numpy(one.counts)}
    blob = save(tensors)
    place.write(shard_name(number), [blob])
    return {"bytes": len(blob), "sha256": hashlib.sha256(blob).hexdigest()}, rounding


def damage(place: Place, entry: Entry, *, checksum: bool) -> str | None:
    """What is wrong with a shard: its size and, if asked for, its checksum; ``None`` if nothing is."""
    size = place.size(shard_name(entry.number))
    if size is None:
        return "it is not there"
    if size != entry.size:
        return f"{size} bytes instead of {entry.size}"
    if not checksum:
        return None
    same = digest_of_file(place.local(shard_name(entry.number))) == entry.sha256
    return None if same else "its content is not what was written (checksum)"


class OpenShard:
    """A shard that is open: only what is asked for is read from the disk.

    Raises:
        InnerjudgeError: If the file is not what its entry in the index says; the message names it.
    """

    def __init__(self, path: Path, entry: Entry) -> None:
        self.path, self.entry = path, entry
        with self._refusing():
            self._file = TensorFile(path)
            for name, shape in entry.shapes.items():
                held = self._file.pieces[name].shape
                if held != _shape_layers_first(shape):
                    raise ValueError(f"{name} of shape {held} where the index says {shape}")
            for name, shape in entry.ragged.items():
                held, counts = self._file.pieces[name].shape, self._file.pieces[name + COUNTS]
                if held != shape or counts.shape != (entry.rows,) or counts.kind != "I64":
                    raise ValueError(f"{name} of shape {held} and {counts} where the index says {shape}")

    def read(self, name: str, rows: Any = slice(None), layer: int | None = None, out: Array | None = None) -> Array:
        """Numbers of a readout, ``[rows, ...]``, into ``out`` if given; at one ``layer`` without the layers' axis."""
        with self._refusing():
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
        """A readout that has several rows an item: of all items, or of those at ``rows``."""
        with self._refusing():
            counts = self._file.read(self._file.pieces[name + COUNTS])
            if counts.min() < 0 or counts.sum() != self.entry.ragged[name][0]:
                raise ValueError(f"{name} of {counts.sum()} rows")
            ends = np.cumsum(counts)
            chosen = np.arange(self.entry.rows)[rows]
            whole = len(chosen) == self.entry.rows and bool((np.diff(chosen) == 1).all())
            pieces = [self._file.pieces[part] for part in (name, name + SCALE) if part in self._file.pieces]
            if whole:
                return Ragged(decode_file(*map(self._file.read, pieces)), np.concatenate(([0], ends)))
            spans = [(int(ends[k] - counts[k]), int(ends[k])) for k in chosen]
            some = [decode_file(*(self._file.read(piece.span(*span)) for piece in pieces)) for span in spans]
            return Ragged.of(some, self.entry.ragged[name][1:])

    def expect(self, name: str, layer: int | None) -> None:
        """Have the disk begin to read a readout, at one layer or all of it."""
        piece = self._file.pieces[name]
        self._file.expect(piece if layer is None else piece.row(layer))

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, TypeError, KeyError, IndexError, ZeroDivisionError, RecursionError) as error:
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
                raise  # says nothing of the shard
            raise InnerjudgeError(
                f"given {self.path}, which is damaged ({type(error).__name__}: {error}), expected what `innerjudge "
                "extract` wrote: run it again, it writes the shard anew"
            ) from error


def _layers_first(array: Array) -> Array:
    return rearrange(array, "item layer ... -> layer item ...") if array.ndim > 2 else array


def _shape_layers_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[1], shape[0], *shape[2:]) if len(shape) > 2 else shape


@dataclass(frozen=True, slots=True)
class Piece:
    """Numbers that lie one after another in a file, from byte ``start`` on.

    ``kind`` is their type, as safetensors names it, and ``shape`` how they are meant.
    """

    kind: str
    shape: tuple[int, ...]
    start: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """How numpy holds one number."""
        return _TYPES[self.kind]

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def span(self, first: int, last: int) -> Self:
        """Entries ``first`` to ``last - 1`` of the first axis."""
        step = math.prod(self.shape[1:]) * self.dtype.itemsize
        return type(self)(self.kind, (max(last - first, 0), *self.shape[1:]), self.start + first * step)

    def row(self, k: int) -> Self:
        """Entry ``k`` of the first axis, from the end where negative."""
        one = self.span(k % self.shape[0], k % self.shape[0] + 1)
        return type(self)(one.kind, one.shape[1:], one.start)


class TensorFile:
    """A safetensors file, open; an OSError or ValueError says where it is cut off, or what its header gets wrong."""

    def __init__(self, path: Path) -> None:
        self._map: mmap.mmap | None = None
        require_file(path)
        self._file = path.open("rb", buffering=0)
        size = os.fstat(self._file.fileno()).st_size
        first = self._file.read(8)
        length = struct.unpack("<Q", first)[0] if len(first) == 8 else _HEADER_LIMIT + 1
        if length > min(_HEADER_LIMIT, size - 8):
            raise ValueError("its header is cut off or too long")
        about = parse_json(self._file.read(length))
        if not isinstance(about, dict):
            raise ValueError("its header is no object")
        about.pop("__metadata__", None)
        #: Name of a tensor -> where it lies.
        self.pieces = {name: _piece(name, one, 8 + length, size) for name, one in about.items()}

    def __del__(self) -> None:
        if file := getattr(self, "_file", None):
            file.close()

    def read(self, piece: Piece, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """The numbers of ``piece``, in ``out`` (contiguous, of its shape and type) if given.

        Raises:
            OSError: If the file has become shorter.
        """
        values = np.empty(piece.shape, piece.dtype) if out is None else out
        if not hasattr(os, "preadv"):  # Windows
            values[...] = self.view(piece)
            return values
        left, at = memoryview(values.reshape(-1).view(np.uint8).data), piece.start
        while left:
            got = os.preadv(self._file.fileno(), [left], at)
            if got == 0:
                raise OSError(f"it ends {len(left)} bytes too early")
            left, at = left[got:], at + got
        return values

    def view(self, piece: Piece) -> npt.NDArray[Any]:
        """The numbers of ``piece`` as they lie in the mapped file: nothing is read before it is looked at."""
        if self._map is None:
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        count = math.prod(piece.shape)
        return np.frombuffer(self._map, piece.dtype, count, piece.start if count else 0).reshape(piece.shape)

    def expect(self, piece: Piece) -> None:
        """Have the disk begin to read ``piece``, where the system knows such a thing."""
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):  # it is a hint, which not every file system takes
                os.posix_fadvise(self._file.fileno(), piece.start, piece.size, os.POSIX_FADV_WILLNEED)


def _piece(name: str, about: Any, data: int, size: int) -> Piece:
    """What a header says of a tensor, if it can be true of a file of ``size`` bytes whose numbers begin at ``data``."""
    kind, shape, offsets = about["dtype"], tuple(about["shape"]), about["data_offsets"]
    if any(type(n) is not int or n < 0 for n in (*shape, *offsets)) or kind not in _TYPES:
        raise ValueError(f"{name} of type {kind} and shape {shape} at {offsets}")
    first, last = offsets
    piece = Piece(kind, shape, data + first)
    if last - first != piece.size or data + last > size:
        raise ValueError(f"{name} of {piece.size} bytes at {offsets} of {size - data}")
    return piece
