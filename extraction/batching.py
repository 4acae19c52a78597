"""Put items into batches, padded or end to end in one row; only their positions change."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..models.positions import Encoding

PaddingSide = Literal["left", "right"]
#: How the items of a batch lie: a row each, padded on one side, or all in one row, one after another.
Placing = Literal["left", "right", "packed"]
#: Tokens a batch, padding included, where none are asked for: enough to keep the cores busy, and no more in memory.
#: Starting a pass costs about a hundredth of such a batch.
_ON_CPU = 2048
_ON_GPU = 16384
#: How libraries say that memory ran out where they raise no error of their own class.
_SAID = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ``ids`` of ``B`` items: padded to the longest, ``[B, T]``, or packed into one row, ``[1, total]``.

    ``mask`` is 1 where a token is real. ``offsets`` (``[B]``), added to a token's place in its text, give its place in
    its row: the padding or the items before it, less the leading tokens that are not in the batch. ``lengths`` are
    those of packed items.
    """

    ids: Tensor
    mask: Tensor
    offsets: Tensor
    lengths: tuple[int, ...] | None = None

    def row(self, item: int) -> int:
        """The row in which an item lies."""
        return item if self.lengths is None else 0

    def tokens(self, items: Sequence[Encoding], role: str) -> Tensor:
        """A role's tokens in the rows, ``[B, K]``; an item without the role points at its first token."""
        return padded([item.tokens(role) or (0,) for item in items], self.offsets.device) + self.offsets[:, None]


def padded(rows: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Rows of numbers with zeros behind them, ``[B, K]``; ``K`` is 1 if there are none."""
    longest = max(max(len(row) for row in rows), 1)
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=device)


def pack(items: Sequence[Encoding], *, device: torch.device) -> Batch:
    """Lay items end to end in one row."""
    ids = torch.tensor([[token for item in items for token in item.ids]], device=device)
    lengths = tuple(len(item.ids) for item in items)
    offsets = torch.tensor([0, *accumulate(lengths[:-1])], device=device)
    return Batch(ids, torch.ones_like(ids), offsets, lengths)


def collate(items: Sequence[Encoding], *, pad_id: int, side: PaddingSide, device: torch.device, skip: int = 0) -> Batch:
    """Pad items to the longest; the first ``skip`` tokens of each are left out."""
    texts = [torch.tensor(item.ids[skip:], dtype=torch.long) for item in items]
    ids = pad_sequence(texts, batch_first=True, padding_value=pad_id, padding_side=side)
    mask = pad_sequence([torch.ones_like(text) for text in texts], batch_first=True, padding_side=side)
    before = (1 - mask).sum(1) if side == "left" else torch.zeros(len(texts), dtype=torch.long)
    return Batch(ids.to(device), mask.to(device), (before - skip).to(device))


def by_cost(lengths: Sequence[int], most: Callable[[int], int], fixed: int) -> list[list[int]]:
    """Indices of texts in the cheapest batches, longest first; a batch costs its tokens, padding and ``fixed`` more.

    ``most(length)`` is how many texts fit into a batch whose longest has ``length`` tokens, at least 1.
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


def by_length(lengths: Sequence[int], most: Callable[[int], int], tokens: float = math.inf) -> list[list[int]]:
    """Indices of texts in batches of at most ``tokens`` tokens, longest first so that memory runs out early or never.

    ``most`` as in :func:`by_cost`; a text of more than ``tokens`` gets a batch of its own. Padding is not counted.
    """
    batches: list[list[int]] = []
    left = tokens
    for place in sorted(range(len(lengths)), key=lambda k: -lengths[k]):
        if not batches or lengths[place] > left or len(batches[-1]) >= most(lengths[batches[-1][0]]):
            batches.append([])
            left = tokens
        batches[-1].append(place)
        left -= lengths[place]
    return batches


class Room:
    """How large the batches of a run may be, in tokens with padding; one object follows all of its batches.

    Limits are kept for each power of two of the length: long texts that did not fit say nothing about short ones.
    """

    def __init__(self, device: torch.device, max_tokens: int | None) -> None:
        usual = _ON_CPU if device.type == "cpu" else _ON_GPU
        #: Tokens a batch.
        self.tokens = max_tokens or usual
        #: What a pass costs beside its tokens, in tokens.
        self.fixed = usual // 128
        self._most: dict[int, int] = {}

    def items(self, length: int, skip: int = 0) -> int:
        """Items in a batch whose longest has ``length`` tokens, ``skip`` of them computed already; at least 1."""
        budget = max(1, self.tokens // max(length - skip, 1))
        return min(budget, self.learned(length, budget))

    def learned(self, length: int, most: int) -> int:
        """``most``, or fewer where a batch of texts of about ``length`` tokens did not fit."""
        return self._most.get(length.bit_length(), most)

    def ran_out(self, n: int, length: int) -> None:
        """Note that ``n`` items, the longest of ``length`` tokens, did not fit: later batches have half as many."""
        self._most[length.bit_length()] = max(1, n // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    said: Iterable[str] = _SAID if isinstance(error, RuntimeError) else ()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(s in str(error).lower() for s in said)
