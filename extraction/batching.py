"""Items into padded batches; positions move with the padding, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..models.positions import Encoded

PaddingSide = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded inputs of ``B`` items, longest of ``T`` tokens.

    Args:
        ids: Token ids, ``[B, T]``.
        mask: 1 where a token is real, ``[B, T]``.
        offsets: What is added to a token's place in its text to find it in the batch, ``[B]``: the padding before it,
            less the tokens at the beginning that are not in the batch.
    """

    ids: Tensor
    mask: Tensor
    offsets: Tensor


def collate(items: Sequence[Encoded], *, pad_id: int, side: PaddingSide, device: torch.device, skip: int = 0) -> Batch:
    """Pad items to their longest; the first ``skip`` tokens of each are left out."""
    longest = max(len(item.ids) for item in items) - skip
    ids = torch.full((len(items), longest), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    offsets = torch.zeros(len(items), dtype=torch.long)
    for row, item in enumerate(items):
        length = len(item.ids) - skip
        offset = longest - length if side == "left" else 0
        offsets[row] = offset - skip
        ids[row, offset : offset + length] = torch.tensor(item.ids[skip:])
        mask[row, offset : offset + length] = 1
    return Batch(ids.to(device), mask.to(device), offsets.to(device))


def by_length(
    items: Sequence[Encoded], batch_size: int, most: Callable[[int], int] | None = None
) -> Iterator[list[int]]:
    """Indices of items in batches of similar length, longest first so that memory runs out early or never.

    Args:
        items: The items.
        batch_size: Items a batch, at most.
        most: How many items a batch may have whose longest has so many tokens; asked anew for every batch. No bound if
            left out.

    Example:
        >>> a, b, c = (Encoded(id=str(n), group="", ids=(0,) * n, positions={}) for n in (1, 3, 2))
        >>> list(by_length([a, b, c], 2)), list(by_length([a, b, c], 9, lambda length: 4 // length))
        ([[1, 2], [0]], [[1], [2, 0]])
    """
    order = sorted(range(len(items)), key=lambda i: -len(items[i].ids))
    start = 0
    while start < len(order):
        room = batch_size if most is None else min(batch_size, most(len(items[order[start]].ids)))
        yield order[start : start + max(room, 1)]
        start += max(room, 1)
