"""One shard: the arrays of some items as safetensors, laid out so that one layer of all of them lies in one piece."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ...models.errors import InnerjudgeError
from ..arrays import Array
from ..features import Features
from .index import Entry
from .place import Place
from .precision import SCALE, Rounding, decode, encode

#: Bytes of a safetensors header: it names a few tensors.
_HEADER_LIMIT = 1 << 20

#: Bytes hashed at a time.
_BLOCK = 1 << 22


def shard_name(number: int) -> str:
    """File of a shard.

    Example:
        >>> shard_name(7)
        'shards/000007.safetensors'
    """
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
    digest = hashlib.sha256()
    with place.local(shard_name(entry.number)).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return None if digest.hexdigest() == entry.sha256 else "its content is not what was written (checksum)"


class OpenShard:
    """A shard mapped into memory: only what is asked for is read from the disk.

    Raises:
        InnerjudgeError: If the file is not what its entry in the index says; the message names it.
    """

    def __init__(self, path: Path, entry: Entry) -> None:
        self.path, self.entry = path, entry
        try:
            with path.open("rb") as file:
                first = file.read(8)
            if len(first) < 8 or struct.unpack("<Q", first)[0] > _HEADER_LIMIT:
                raise ValueError("its header is cut off or too long")
            self._file = cast(Any, safe_open(path, framework="pt"))
            self._names = set(self._file.keys())
            for name, shape in entry.shapes.items():
                held = tuple(self._file.get_slice(name).get_shape())
                if held != _shape_layers_first(shape):
                    raise ValueError(f"{name} of shape {held} where the index says {shape}")
        except (OSError, ValueError, TypeError, OverflowError, SafetensorError) as error:
            raise InnerjudgeError(
                f"given {path}, which is damaged ({type(error).__name__}: {error}), expected what `innerjudge extract` "
                "wrote: run it again, it makes up for the shard"
            ) from error

    def read(self, name: str, rows: Any = slice(None), layer: int | None = None) -> Array:
        """Numbers of a readout, ``[rows, ...]`` or, at one layer, ``[rows, ...]`` without the layers' axis."""
        parts = {part: self._file.get_tensor(part) for part in (name, name + SCALE) if part in self._names}
        index = torch.from_numpy(rows) if isinstance(rows, np.ndarray) else rows
        if len(self.entry.shapes[name]) < 3:
            return np.asarray(decode(name, {part: tensor[index] for part, tensor in parts.items()}).numpy())
        if layer is not None:
            return np.asarray(decode(name, {part: tensor[layer][index] for part, tensor in parts.items()}).numpy())
        found = decode(name, {part: tensor[:, index] for part, tensor in parts.items()})
        return np.asarray(found.movedim(0, 1).numpy())


def _layers_first(array: Array) -> Array:
    return np.moveaxis(array, 1, 0) if array.ndim > 2 else array


def _shape_layers_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[1], shape[0], *shape[2:]) if len(shape) > 2 else shape
