"""Items of a JSONL file, read when they are asked for: a run holds those of one shard, not all of them."""

import hashlib
from abc import abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ...models.errors import InnerjudgeError
from ...models.items import Item
from .jsonl import check_unique, parse_item, placed_items
from .kinds import kind_of

Longs = npt.NDArray[np.int64]
_I = TypeVar("_I", bound=Item)


class MadeItems(Sequence[_I]):
    """Items that are made when they are asked for: one, or those of a slice."""

    def __getitem__(self, index: Any) -> Any:
        """One item, or those of a slice."""
        if isinstance(index, int) and not -len(self) <= index < len(self):
            raise IndexError(f"given item {index} of {len(self)}")
        rows = range(len(self))[index]
        return list(self.made(rows)) if isinstance(rows, range) else next(self.made(range(rows, rows + 1)))

    def __iter__(self) -> Iterator[_I]:
        return self.made(range(len(self)))

    @abstractmethod
    def made(self, rows: range) -> Iterator[_I]:
        """The items at these rows."""


class ItemLines(MadeItems[Item]):
    """Some lines of a file of items of one kind; memory holds 8 or 16 bytes an item, and the items asked for.

    ``starts`` has the byte at which the line of each item begins; ``None`` for every line of a file without blank ones,
    as :func:`..jsonl.write_jsonl` wrote it. ``numbers`` are those of the lines, for messages; ``None`` where they are
    ``1, 2, ...``. ``owner`` is kept as long as this: an object that deletes the file when it goes, such as the copy of
    a remote place. ``InnerjudgeError`` if there are no lines; when an item is asked for, names the line that is broken.
    """

    def __init__(
        self, path: Path, starts: Longs | None = None, numbers: Longs | None = None, owner: object = None
    ) -> None:
        self.path, self.numbers, self._owner = path, numbers, owner
        self.starts = line_starts(path) if starts is None else starts
        if len(self) < 1:
            raise InnerjudgeError(f"given {path} without items, expected one item per line: delete its folder")

    def __len__(self) -> int:
        return len(self.starts)

    def chosen(self, rows: npt.NDArray[np.intp]) -> "ItemLines":
        """The items at these rows, in the order of the rows."""
        return ItemLines(self.path, self.starts[rows], rows + 1 if self.numbers is None else self.numbers[rows])

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """First byte of the lines of some items that follow one another, and the byte behind their last."""
        end = int(self.starts[stop]) if stop < len(self) else self.path.stat().st_size
        return int(self.starts[start]), end

    def place(self, row: int) -> str:
        """Where an item stands, in words."""
        return f"{self.path.name} line {row + 1 if self.numbers is None else self.numbers[row]}"

    def made(self, rows: range) -> Iterator[Item]:
        """The items at these rows, read from the file."""
        at = -1
        with self.path.open("rb") as file:
            for row in rows:
                if at != self.starts[row]:  # not the line behind the last one
                    at = file.seek(int(self.starts[row]))
                raw = file.readline()
                at += len(raw)
                yield parse_item(raw, self.place(row))


def line_starts(path: Path) -> Longs:
    """Byte at which each line of a file begins; the lines are not parsed."""
    starts, at = array("q"), 0
    with path.open("rb") as file:
        for line in file:
            starts.append(at)
            at += len(line)
    return np.array(starts, dtype=np.int64)


class ItemScan(NamedTuple):
    """What one pass over a file found: the kind and the items, and for each a number that stands for its group."""

    kind: str
    items: ItemLines
    groups: npt.NDArray[np.uint64]


def scan(path: str | Path) -> ItemScan:
    """Check a JSONL file of items as :func:`..jsonl.read_items` does, and keep 32 bytes an item.

    Ids are compared by 8 bytes of their hash, and in full where those agree.
    """
    starts, numbers, ids, groups = array("q"), array("q"), array("Q"), array("Q")
    item: Item | None = None
    for item, at, number in placed_items(path):
        starts.append(at)
        numbers.append(number)
        ids.append(_short(item.id))
        groups.append(_short(item.group))
    assert item is not None  # an empty file was refused
    items = ItemLines(Path(path), np.array(starts, dtype=np.int64), np.array(numbers, dtype=np.int64))
    _, kinds, counts = np.unique(np.array(ids, dtype=np.uint64), return_inverse=True, return_counts=True)
    twice = np.flatnonzero(counts[kinds] > 1).tolist()
    check_unique((items[k] for k in twice), (items.place(k) for k in twice))
    return ItemScan(kind_of(item), items, np.array(groups, dtype=np.uint64))


def _short(text: str) -> int:
    """A number of 8 bytes for a text, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
