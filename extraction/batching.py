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
    lengths = [len(item.ids) - skip for item in items]
    longest = max(lengths)
    ids, mask, offsets = [], [], []
    for item, length in zip(items, lengths, strict=True):
        padding, real = [pad_id] * (longest - length), item.ids[skip:]
        ids.append([*padding, *real] if side == "left" else [*real, *padding])
        shown, hidden = [1] * length, [0] * (longest - length)
        mask.append(hidden + shown if side == "left" else shown + hidden)
        offsets.append((longest - length if side == "left" else 0) - skip)
    made = (torch.tensor(rows, dtype=torch.long, device=device) for rows in (ids, mask, offsets))
    return Batch(*made)


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


def by_cost(lengths: Sequence[int], most: Callable[[int], int], fixed: int) -> list[list[int]]:
    """Indices of texts in the cheapest batches, longest first: tokens with padding, and a fixed cost of each batch.

    Args:
        lengths: Tokens of each text.
        most: How many texts a batch may have whose longest has so many tokens; at least 1.
        fixed: What a batch costs beside its tokens, in tokens.

    Example:
        >>> by_cost([9, 2, 10, 1], lambda length: 4, fixed=3)  # 2 * 10 + 3 and 2 * 2 + 3; all four: 4 * 10 + 3
        [[2, 0], [1, 3]]
    """
    order = sorted(range(len(lengths)), key=lambda k: -lengths[k])
    n = len(order)
    cheapest, ends = [0] * (n + 1), [n] * n  # of the texts from each place on: their cost, and where its batch ends
    for start in range(n - 1, -1, -1):
        longest = lengths[order[start]]
        room = range(start + 1, min(n, start + max(1, most(longest))) + 1)
        ends[start] = min(room, key=lambda end: (end - start) * longest + cheapest[end])
        cheapest[start] = fixed + (ends[start] - start) * longest + cheapest[ends[start]]
    batches, start = [], 0
    while start < n:
        batches.append(order[start : ends[start]])
        start = ends[start]
    return batches
