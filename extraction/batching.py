"""Items into batches, padded or end to end in one row; positions move with them, and nothing else does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import torch
from torch import Tensor

from ..models.positions import Encoding

PaddingSide = Literal["left", "right"]
#: How the items of a batch lie: a row each, padded on one side, or all in one row, one after another.
Placing = Literal["left", "right", "packed"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of ``B`` items: padded to the longest, of ``T`` tokens, or packed in one row of all their tokens.

    Args:
        ids: Token ids, ``[B, T]``; packed: ``[1, total]``.
        mask: 1 where a token is real, as ``ids``.
        offsets: What is added to a token's place in its text to find it in its row, ``[B]``: the padding, or the items,
            before it, less the tokens at the beginning that are not in the batch.
        lengths: Tokens of each item where they are packed; ``None`` where they are padded.
    """

    ids: Tensor
    mask: Tensor
    offsets: Tensor
    lengths: tuple[int, ...] | None = None

    def row(self, item: int) -> int:
        """The row in which an item lies."""
        return item if self.lengths is None else 0


def pack(items: Sequence[Encoding], *, device: torch.device) -> Batch:
    """Lay items end to end in one row.

    Example:
        >>> two = [Encoding(id=str(n), group="", ids=(n,) * n, positions={}) for n in (3, 2)]
        >>> batch = pack(two, device=torch.device("cpu"))
        >>> batch.ids.tolist(), batch.offsets.tolist(), batch.lengths
        ([[3, 3, 3, 2, 2]], [0, 3], (3, 2))
    """
    ids = torch.tensor([[token for item in items for token in item.ids]], device=device)
    lengths = tuple(len(item.ids) for item in items)
    offsets = torch.tensor([0, *accumulate(lengths[:-1])], device=device)
    return Batch(ids, torch.ones_like(ids), offsets, lengths)


def collate(items: Sequence[Encoding], *, pad_id: int, side: PaddingSide, device: torch.device, skip: int = 0) -> Batch:
    """Pad items to their longest; the first ``skip`` tokens of each are left out."""
    lengths = [len(item.ids) - skip for item in items]
    longest = max(lengths)
    ids, mask, offsets = [], [], []
    for item, length in zip(items, lengths, strict=True):
        padding, text = [pad_id] * (longest - length), item.ids[skip:]
        ids.append([*padding, *text] if side == "left" else [*text, *padding])
        real, padded = [1] * length, [0] * (longest - length)
        mask.append(padded + real if side == "left" else real + padded)
        offsets.append((longest - length if side == "left" else 0) - skip)
    tokens, shown, before = (torch.tensor(rows, dtype=torch.long, device=device) for rows in (ids, mask, offsets))
    return Batch(tokens, shown, before)


def by_length(items: Sequence[Encoding], most: Callable[[int], int]) -> Iterator[list[int]]:
    """Indices of items in batches of similar length, longest first so that memory runs out early or never.

    Args:
        items: The items.
        most: How many items a batch may have whose longest has this many tokens; at least 1.

    Example:
        >>> a, b, c = (Encoding(id=str(n), group="", ids=(0,) * n, positions={}) for n in (1, 3, 2))
        >>> list(by_length([a, b, c], lambda length: 2))
        [[1, 2], [0]]
    """
    order = sorted(range(len(items)), key=lambda i: -len(items[i].ids))
    start = 0
    while start < len(order):
        end = start + most(len(items[order[start]].ids))
        yield order[start:end]
        start = end


def by_cost(lengths: Sequence[int], most: Callable[[int], int], fixed: int) -> list[list[int]]:
    """Indices of texts in the cheapest batches, longest first: tokens with padding, and a fixed cost of each batch.

    Args:
        lengths: Tokens of each text.
        most: How many texts a batch may have whose longest has this many tokens; at least 1.
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


def by_tokens(lengths: Sequence[int], most: Callable[[int], int], tokens: int) -> list[list[int]]:
    """Indices of texts in batches of at most this many tokens, which are packed: longest first, and nothing is padding.

    Args:
        lengths: Tokens of each text; one longer than ``tokens`` is alone.
        most: How many texts a batch may have whose longest has this many tokens; at least 1.
        tokens: Tokens a batch.

    Example:
        >>> by_tokens([9, 2, 10, 1], lambda length: 4, 12)
        [[2], [0, 1, 3]]
    """
    batches: list[list[int]] = []
    left = 0
    for place in sorted(range(len(lengths)), key=lambda k: -lengths[k]):
        if not batches or lengths[place] > left or len(batches[-1]) >= most(lengths[batches[-1][0]]):
            batches.append([])
            left = tokens
        batches[-1].append(place)
        left -= lengths[place]
    return batches
