"""One shard: the arrays of some items as safetensors, laid out so that one layer of all of them lies in one piece."""

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from safetensors.torch import save
from torch import Tensor

from ...models.errors import InnerjudgeError, one_line
from ...models.foreign import digest_of_file
from ...models.shown import shown
from ...models.tensor_file import TensorFile
from ..feature_arrays import Array
from ..features import Features
from ..ragged import Ragged
from .index import Entry
from .place import Place
from .precision import SCALE, Rounding, decode_file, encode

#: Name of the rows of each item that stand beside a ragged tensor.
COUNTS = ":rows"


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
                f"given {shown(self.path)}, which is damaged ({type(error).__name__}: {one_line(error)}), expected "
                "what `innerjudge extract` wrote: run it again, it writes the shard anew"
            ) from error


def _layers_first(array: Array) -> Array:
    return rearrange(array, "item layer ... -> layer item ...") if array.ndim > 2 else array


def _shape_layers_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[1], shape[0], *shape[2:]) if len(shape) > 2 else shape
