"""Items into padded batches; positions move with the padding, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        offsets: Padding before the first real token, ``[B]``.
    """

    ids: Tensor
    mask: Tensor
    offsets: Tensor


def collate(items: Sequence[Encoded], *, pad_id: int, side: PaddingSide, device: torch.device) -> Batch:
    """Pad items to their longest."""
    longest = max(len(item.ids) for item in items)
    ids = torch.full((len(items), longest), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    offsets = torch.zeros(len(items), dtype=torch.long)
    for row, item in enumerate(items):
        offset = longest - len(item.ids) if side == "left" else 0
        offsets[row] = offset
        ids[row, offset : offset + len(item.ids)] = torch.tensor(item.ids)
        mask[row, offset : offset + len(item.ids)] = 1
    return Batch(ids.to(device), mask.to(device), offsets.to(device))


def by_length(items: Sequence[Encoded], batch_size: int) -> Iterator[list[int]]:
    """Indices of items in batches of similar length, longest first so that memory runs out early or never.

    Example:
        >>> a, b, c = (Encoded(id=str(n), group="", ids=(0,) * n, positions={}) for n in (1, 3, 2))
        >>> list(by_length([a, b, c], 2))
        [[1, 2], [0]]
    """
    order = sorted(range(len(items)), key=lambda i: -len(items[i].ids))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
