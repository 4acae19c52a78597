"""The header of a GGUF file, read with bounds: a file that is cut short or lies about lengths is an error at once."""

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Formats of the fixed-size value types, by number in the file.
_FIXED = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

#: Versions of the format with 64-bit counts; the first had others and is not in use.
_VERSIONS = (2, 3)


@dataclass(frozen=True, slots=True)
class Tensor:
    """Entry of the table of tensors; ``kind`` is the number of a type (2 for Q4_0), ``offset`` its first byte."""

    name: str
    values: int
    kind: int
    offset: int


@dataclass(frozen=True, slots=True)
class Header:
    """All of a GGUF file but the weights, which begin at byte ``data`` of ``size``; an array is given by its length."""

    entries: dict[str, Any]
    tensors: tuple[Tensor, ...]
    data: int
    size: int


def read(path: Path) -> Header:
    """Read the header of a GGUF file of version 2 or 3; ``ValueError`` if it is none, or is cut short."""
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as blob:
            return _Reader(blob).header()


class _Reader:
    """A place in the bytes of a file, which moves on as values are read."""

    def __init__(self, blob: mmap.mmap) -> None:
        self.blob, self.at = blob, 4

    def header(self) -> Header:
        """The whole header."""
        version = self.number("I")
        if version not in _VERSIONS:
            raise ValueError(f"its version is {version}, not 2 or 3")
        n_tensors, n_entries = self.number("Q"), self.number("Q")
        entries = {}
        for _ in range(n_entries):
            key = self.string()
            entries[key] = self.value(self.number("I"))
        tensors = tuple(self.tensor() for _ in range(n_tensors))
        alignment = entries.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1:
            raise ValueError(f"its alignment is {alignment!r}")
        return Header(entries, tensors, -(-self.at // alignment) * alignment, len(self.blob))

    def skip(self, size: int) -> int:
        """Move on by ``size`` bytes; where they begin."""
        begin = self.at
        if size > len(self.blob) - begin:
            raise ValueError(f"it ends after {len(self.blob):,} bytes, within its header")
        self.at += size
        return begin

    def number(self, kind: str) -> Any:
        """One number, little-endian."""
        size = struct.calcsize(f"<{kind}")
        return struct.unpack_from(f"<{kind}", self.blob, self.skip(size))[0]

    def string(self) -> str:
        """One string, after its length."""
        length = self.number("Q")
        begin = self.skip(length)
        return self.blob[begin : begin + length].decode("utf-8")

    def value(self, kind: int) -> Any:
        """One value of a key; of an array its length."""
        if kind in _FIXED:
            return self.number(_FIXED[kind])
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            raise ValueError(f"it holds a value of the unknown type {kind}")
        inner, count = self.number("I"), self.number("Q")
        if inner in _FIXED:
            self.skip(count * struct.calcsize(f"<{_FIXED[inner]}"))
        elif inner == _STRING:
            for _ in range(count):
                self.skip(self.number("Q"))
        else:
            raise ValueError(f"it holds an array of the unknown type {inner}")
        return count

    def tensor(self) -> Tensor:
        """One entry of the table of tensors."""
        name = self.string()
        n_dimensions = self.number("I")
        if n_dimensions > 8:
            raise ValueError(f"its tensor {name!r} has {n_dimensions} dimensions")
        values = math.prod(self.number("Q") for _ in range(n_dimensions))
        return Tensor(name, values, self.number("I"), self.number("Q"))
