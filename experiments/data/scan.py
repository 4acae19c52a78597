"""One pass over a file of items before a run: every line is checked, and no item is kept."""

import hashlib
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...models.items import Item
from .item_lines import ItemLines
from .jsonl import check_unique, placed_items
from .kinds import kind_of


@dataclass(frozen=True, slots=True)
class ItemScan:
    """What one pass over a file found.

    Args:
        kind: Of all items.
        items: The items, read from the file when they are asked for.
        groups: Of each item, a number that stands for its group.
    """

    kind: str
    items: ItemLines
    groups: npt.NDArray[np.uint64]


def scan(path: str | Path) -> ItemScan:
    r"""Check a JSONL file of items as :func:`..jsonl.read_items` does, and keep 32 bytes an item.

    Ids are compared by 8 bytes of their hash, and where those agree by themselves.

    Raises:
        InnerjudgeError: As :func:`..jsonl.read_items`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "r.jsonl")
        >>> _ = path.write_text('\n{"item_id": "r1", "prompt": "Say hi.", "response": "hi"}\n')
        >>> found = scan(path)
        >>> found.kind, len(found.items), found.items.place(0)
        ('rating', 1, 'r.jsonl line 2')
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
    twice = _repeated(np.array(ids, dtype=np.uint64))
    check_unique((items[k] for k in twice), (items.place(k) for k in twice))
    return ItemScan(kind_of(item), items, np.array(groups, dtype=np.uint64))


def _short(text: str) -> int:
    """A number of 8 bytes for a text, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _repeated(numbers: npt.NDArray[np.uint64]) -> list[int]:
    """Rows whose number stands in another row as well."""
    order = np.argsort(numbers, kind="stable")
    same = numbers[order][1:] == numbers[order][:-1]
    found = np.zeros(len(numbers), dtype=bool)
    found[order[1:][same]] = found[order[:-1][same]] = True
    return [int(k) for k in np.flatnonzero(found)]
