"""Safetensors files, read whole or in pieces, within limits: the one reader that the whole project uses.

A contiguous piece is read by one request, straight to where it is wanted. Through a mapping, as in the safetensors
library, it costs a page fault every few pages, and the disk as many small requests. Scattered rows are gathered from
the file mapped into memory.
"""

import math
import mmap
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .errors import shown
from .foreign import HEADER_LIMIT, parse_json, require_file

#: Types of numbers, and how numpy holds their bytes; it has no bfloat16.
_TYPES = {f"{k}{8 * n}".upper(): np.dtype(f"<{k}{n}") for k in "fiu" for n in (8, 4, 2, 1) if k + str(n) != "f1"}
_TYPES |= {"BF16": np.dtype("<u2"), "BOOL": np.dtype("?")}
#: Axes that an array may have, and what is above every length of one.
_AXES, _LONGEST = 32, 1 << 48


@dataclass(frozen=True, slots=True)
class Piece:
    """Numbers in a file from byte ``start`` on: their ``kind`` (type, as safetensors names it) and ``shape``."""

    kind: str
    shape: tuple[int, ...]
    start: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy dtype of one number."""
        return _TYPES[self.kind]

    @property
    def size(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def span(self, first: int, last: int) -> Self:
        """Entries ``first`` to ``last - 1`` of the first axis."""
        step = math.prod(self.shape[1:]) * self.dtype.itemsize
        return type(self)(self.kind, (max(last - first, 0), *self.shape[1:]), self.start + first * step)

    def row(self, k: int) -> Self:
        """Entry ``k`` of the first axis, counted from the end if negative."""
        one = self.span(k % self.shape[0], k % self.shape[0] + 1)
        return type(self)(one.kind, one.shape[1:], one.start)


class TensorFile:
    """An open safetensors file; an OSError or ValueError says where it is cut off, or what is wrong with its header.

    ``InnerjudgeError`` if it is not a regular file.
    """

    def __init__(self, path: Path) -> None:
        self._map: mmap.mmap | None = None
        require_file(path)
        self._file = path.open("rb", buffering=0)
        size = os.fstat(self._file.fileno()).st_size
        first = self._file.read(8)
        length = struct.unpack("<Q", first)[0] if len(first) == 8 else size
        if length > min(HEADER_LIMIT, size - 8):
            raise ValueError("its header is cut off or too long")
        about = parse_json(self._file.read(length))
        if not isinstance(about, dict):
            raise ValueError("its header is no object")
        #: What it says beside its tensors.
        self.about = about.pop("__metadata__", None) or {}
        #: Name of a tensor -> where it lies.
        self.pieces = {name: _piece(shown(name, 80), one, 8 + length, size) for name, one in about.items()}

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """All numbers of a tensor, in memory; bfloat16 as their 16 bits."""
        if name not in self.pieces:
            raise ValueError(f"it holds no {name}")
        return self.read(self.pieces[name])

    def __del__(self) -> None:
        if file := getattr(self, "_file", None):
            file.close()

    def read(self, piece: Piece, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """Read ``piece``, into ``out`` (contiguous, of its shape and type) if given; ``OSError`` if it is cut off."""
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
        """``piece`` as a view of the mapped file: nothing is read before it is used."""
        if self._map is None:
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        count = math.prod(piece.shape)
        return np.frombuffer(self._map, piece.dtype, count, piece.start if count else 0).reshape(piece.shape)

    def expect(self, piece: Piece) -> None:
        """Ask the system to read ``piece`` ahead, where it can."""
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):  # it is a hint, which not every file system takes
                os.posix_fadvise(self._file.fileno(), piece.start, piece.size, os.POSIX_FADV_WILLNEED)


def _piece(name: str, about: Any, data: int, size: int) -> Piece:
    """What a header says of a tensor, if it can be true of a file of ``size`` bytes whose numbers begin at ``data``."""
    try:
        kind, shape, (first, last) = about["dtype"], tuple(about["shape"]), about["data_offsets"]
        whole = all(type(n) is int and 0 <= n < _LONGEST for n in (*shape, first, last))
    except (TypeError, KeyError, ValueError):
        raise ValueError(f"{name} has no type, shape and offsets") from None
    if not whole or len(shape) > _AXES or not isinstance(kind, str) or kind not in _TYPES:
        raise ValueError(f"{name} of type {shown(kind, 20)} and shape {shown(shape, 80)} at {shown((first, last), 80)}")
    piece = Piece(kind, shape, data + first)
    if last - first != piece.size or data + last > size:
        raise ValueError(f"{name} of {piece.size} bytes at {first} to {last} of {size - data}")
    return piece
