"""Content as a short hash: whether the same name still stands for the same items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...models.items import Item
from .kinds import item_to_row, kind_of

if TYPE_CHECKING:
    from .datasets import Dataset


def hash_of(parts: Iterable[str | bytes]) -> str:
    """First 16 digits of a SHA-256 over parts, each set apart from the next.

    Example:
        >>> hash_of(["ab", "c"]) == hash_of(["a", "bc"])
        False
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()[:16]


def hash_item(item: Item) -> str:
    """Hash of an item's kind and fields, those that are kept unread among them."""
    return hash_of([kind_of(item), json.dumps(item_to_row(item), sort_keys=True)])


def hash_items(items: Iterable[Item]) -> str:
    """Hash of items in their order.

    Example:
        >>> from ...models.items import Rating
        >>> one = Rating(item_id="r", prompt="Say hi.", response="hi")
        >>> hash_items([one]) == hash_items([Rating(item_id="r", prompt="Say hi.", response="ho")])
        False
    """
    return hash_of(hash_item(item) for item in items)


def hash_data(data: Dataset) -> str:
    """Hash of a data set: its items, or the problems that items are sampled for."""
    return hash_of([hash_items(data.items), *map(repr, data.problems)])
