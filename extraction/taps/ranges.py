"""Ranges of tokens become one state each while the pass runs, block by block: no block's states are kept whole."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...models.positions import Encoding
from ..batching import Batch
from ..ragged import Array, Ragged
from ..readouts import Reduce, States


@dataclass(frozen=True, slots=True)
class _Bucket:
    """Ranges of about one length: which they are, where their tokens lie, and the weight of each token in a mean."""

    ranges: Tensor
    lines: Tensor
    places: Tensor
    weights: Tensor | None


class RangeStates:
    """States of the ranges of one readout in one batch.

    Ranges of similar length are gathered together, filled up with their own first token (with no weight in a mean), so
    that the time is linear in the number of tokens.

    Args:
        readout: What is kept.
        items: The items of the batch.
        batch: Where they lie.
        skipped: Ids of items without the readout.
        rows: Rows ``0..L + 1`` that are kept, in order.
    """

    def __init__(
        self, readout: States, items: Sequence[Encoding], batch: Batch, skipped: Collection[str], rows: Sequence[int]
    ) -> None:
        self.rows = tuple(rows)
        self._reduce: Reduce = readout.reduce
        self._ragged = readout.ragged
        self._kept: Tensor | None = None
        found = [[] if i.id in skipped else readout.pieces(i.places(readout.role)) for i in items]
        self._counts = [len(one) for one in found]
        places = [(batch.row(k), start, end) for k, one in enumerate(found) for start, end in one]
        offset = batch.offsets.tolist()
        owner = [k for k, one in enumerate(found) for _ in one]
        of_length: dict[int, list[int]] = {}
        for k, (_, start, end) in enumerate(places):
            of_length.setdefault((end - start - 1).bit_length(), []).append(k)
        self._buckets = []
        for members in of_length.values():
            lengths = torch.tensor([places[k][2] - places[k][1] for k in members])
            steps = torch.arange(int(lengths.max()))
            inside = steps < lengths[:, None]
            starts = torch.tensor([places[k][1] + offset[owner[k]] for k in members])
            lines = torch.tensor([places[k][0] for k in members])[:, None].expand(inside.shape)
            weights = inside / lengths[:, None] if self._reduce == "mean" and len(steps) > 1 else None
            tokens = starts[:, None] + torch.where(inside, steps, 0)
            device = batch.ids.device
            self._buckets.append(
                _Bucket(
                    torch.tensor(members, device=device),
                    lines.to(device),
                    tokens.to(device),
                    None if weights is None else weights[:, None].to(device),
                )
            )

    def keep(self, row: int, states: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> None:
        """Keep what the readout wants of one row of the stream, ``[B, T, W]``; ``change`` is applied to its tokens."""
        if row not in self.rows:
            return
        for bucket in self._buckets:
            lines, places = bucket.lines.to(states.device), bucket.places.to(states.device)
            flat = states.flatten(0, 1).index_select(0, (lines * states.shape[1] + places).flatten())
            tokens = flat.view(*places.shape, -1)
            self._put(row, bucket, tokens if change is None else change(tokens))

    def values(self, width: int) -> Array | Ragged:
        """``[B, R, W]``, zero where an item has none, or ragged; ``width`` where no states were kept."""
        kept = self._kept
        flat = np.zeros((0, len(self.rows), width), np.float32) if kept is None else kept.cpu().numpy()
        if self._ragged:
            return Ragged(flat, np.cumsum([0, *self._counts]))
        found = np.zeros((len(self._counts), *flat.shape[1:]), np.float32)
        found[np.array(self._counts) > 0] = flat
        return found

    def _put(self, row: int, bucket: _Bucket, tokens: Tensor) -> None:
        """Reduce ``[K, P, W]`` to one state a range."""
        if tokens.shape[1] == 1:
            states = tokens[:, 0].float()
        elif bucket.weights is not None:
            states = torch.bmm(bucket.weights.to(tokens.device), tokens.float())[:, 0]
        else:
            states = (tokens.amax(1) if self._reduce == "max" else tokens.amin(1)).float()
        if self._kept is None:
            self._kept = states.new_zeros(sum(self._counts), len(self.rows), states.shape[1])
        at = bucket.ranges.to(self._kept.device)
        self._kept[at, self.rows.index(row)] = states.to(self._kept.device)
