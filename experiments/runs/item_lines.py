"""Items of a JSONL file, read when they are asked for: a run holds those of one shard, not all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from ...models.errors import InnerjudgeError
from ...models.items import Item
from ..jsonl import parse_item


class ItemLines(Sequence[Item]):
    r"""The items of a file that :func:`..jsonl.write_jsonl` wrote, one a line, all of one kind.

    Raises:
        InnerjudgeError: If the file is empty; when an item is asked for, names the line that is broken.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "items.jsonl")
        >>> _ = path.write_text('{"item_id": "r1", "prompt": "Say hi.", "response": "hi"}\n')
        >>> items = ItemLines(path)
        >>> len(items), items[0].id
        (1, 'r1')
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        ends, at = [0], 0
        with path.open("rb") as file:
            for line in file:
                at += len(line)
                ends.append(at)
        self.ends = np.array(ends)
        if len(self) < 1:
            raise InnerjudgeError(f"given {path} without items, expected one item a line: delete its folder")

    def __len__(self) -> int:
        return len(self.ends) - 1

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        """One item, or those of a slice in one piece."""
        if isinstance(index, slice):
            start, stop, _ = index.indices(len(self))
            return list(self._read(start, stop))
        if not -len(self) <= index < len(self):
            raise IndexError(f"given item {index} of {len(self)}")
        start = index % len(self)
        return next(self._read(start, start + 1))

    def __iter__(self) -> Iterator[Item]:
        return self._read(0, len(self))

    def _read(self, start: int, stop: int) -> Iterator[Item]:
        with self.path.open("rb") as file:
            file.seek(int(self.ends[start]))
            for number in range(start, stop):
                yield parse_item(file.readline(), f"{self.path.name} line {number + 1}")
