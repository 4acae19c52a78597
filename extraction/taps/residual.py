"""Forward hooks that keep a few rows of the residual stream in every block, and reduce ranges to one state each."""

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from ...models.anatomy import Anatomy
from ...models.observation import states_given, states_taken
from ...models.positions import Encoding
from ..batching import Batch
from ..ragged import Array, Ragged
from ..readouts import Reduce, States


class ResidualTap(ExitStack):
    """Keeps ``h[0..last]`` at ``positions`` (``[B, P]``, ``P`` may be 0) of one pass.

    With ``keep_last`` it also keeps the final norm's input, ``[B, T, W]``. ``ranges`` receive the states of every
    block. Hooks act only in the thread that made them, so that two passes may share one model.
    """

    def __init__(
        self, anatomy: Anatomy, positions: Tensor, *, last: int, keep_last: bool, ranges: "Sequence[RangeStates]" = ()
    ) -> None:
        super().__init__()
        self._anatomy, self._stream = anatomy, anatomy.stream
        self._positions, self._ranges = positions, ranges
        self._last, self._keep_last = last, keep_last
        self._rows: Tensor | None = None
        self._flat: Tensor | None = None
        self._started = self._ended = 0
        self._thread = threading.get_ident()
        residuals = anatomy.residuals
        self._whole: dict[int, Tensor | None] = dict.fromkeys(residuals.numbers if residuals and keep_last else ())
        self.end: Tensor | None = None

    @property
    def states(self) -> Tensor:
        """``h[0..last]`` at the positions: ``[B, last + 1, P, W]``, in the dtype of the model, near its final norm."""
        assert self._rows is not None
        return self._anatomy.on_norm(self._rows.movedim(0, 1))

    def __enter__(self) -> Self:
        for block in dict.fromkeys(self._stream.blocks):
            if self._stream.by_input or block is self._stream.blocks[0]:  # else nothing is read before a block
                self.enter_context(block.register_forward_pre_hook(self._before_block, with_kwargs=True))
            self.enter_context(block.register_forward_hook(self._after_block))
        if self._stream.leaves not in self._stream.blocks:
            self.enter_context(self._stream.leaves.register_forward_hook(self._after_leaving))
        return self

    def _before_block(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> None:
        if threading.get_ident() == self._thread:
            if self._started == 0 or self._stream.by_input:
                self._keep(self._started, states_taken(module, args, kwargs or {}))
            self._started += 1

    def _after_block(self, module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        if threading.get_ident() == self._thread:
            self._ended += 1
            at_end = self._ended == len(self._stream.blocks)
            if not self._stream.by_input or (at_end and module is self._stream.leaves):
                self._keep(self._ended, states_given(module, output))
            if at_end and module is self._stream.leaves:
                self._keep_end(module, output)

    def _after_leaving(self, module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        if threading.get_ident() == self._thread:
            self._keep(len(self._stream.blocks), states_given(module, output))
            self._keep_end(module, output)

    def _keep_end(self, module: nn.Module, output: Any) -> None:
        states = states_given(module, output)
        if self._keep_last and states is not None:
            self.end = self._stream.layout.all_rows(states)
            if self._anatomy.residuals is not None:
                earlier = [rows.to(states.device) for rows in self._whole.values() if rows is not None]
                self.end = self._anatomy.residuals(earlier, self.end)

    def _rows_of(self, states: Tensor) -> Tensor:
        """States at the positions; in the usual layout with one look-up, whose places are the same in every block."""
        layout = self._stream.layout
        if (layout.items, layout.tokens, layout.prefix, states.ndim) != (0, 1, 0, 3) or not states.is_contiguous():
            return layout.rows(states, self._positions)
        if self._flat is None or self._flat.device != states.device:
            first = torch.arange(states.shape[0], device=self._positions.device)[:, None] * states.shape[1]
            self._flat = (self._positions + first).flatten().to(states.device)
        return states.flatten(0, 1).index_select(0, self._flat).view(*self._positions.shape, -1)

    def _keep(self, number: int, states: Tensor | None) -> None:
        if self._positions.shape[1] and states is not None and number <= self._last:
            rows = self._rows_of(states)
            if self._rows is None:  # one piece for all blocks: small ones, kept one by one, would split the memory
                self._rows = rows.new_zeros((self._last + 1, *rows.shape))
            elif self._rows.dtype != rows.dtype:  # an embedding in another type than the blocks
                self._rows = self._rows.to(torch.promote_types(self._rows.dtype, rows.dtype))
            self._rows[number] = rows
        if self._ranges and states is not None and number <= self._last:
            whole = self._stream.layout.all_rows(states)
            for one in self._ranges:
                one.keep(number, whole)
        if number in self._whole and states is not None:
            self._whole[number] = self._stream.layout.all_rows(states)


class _Bucket(NamedTuple):
    """Ranges of about one length: which they are, where their tokens lie, and the weight of each token in a mean."""

    ranges: Tensor
    lines: Tensor
    places: Tensor
    weights: Tensor | None


class RangeStates:
    """States of one readout's ranges in one batch, at ``rows`` out of ``0..L + 1``, except of items in ``skipped``.

    Ranges of similar length are gathered together, padded with their own first token (without weight in a mean), so
    that the time is linear in the number of tokens.
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
            own = torch.tensor(members, device=device)
            weighted = None if weights is None else weights[:, None].to(device)
            self._buckets.append(_Bucket(own, lines.to(device), tokens.to(device), weighted))

    def keep(self, row: int, states: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> None:
        """Keep what the readout needs of a row of the stream, ``[B, T, W]``; ``change`` is applied to its tokens."""
        if row not in self.rows:
            return
        for bucket in self._buckets:
            lines, places = bucket.lines.to(states.device), bucket.places.to(states.device)
            flat = states.flatten(0, 1).index_select(0, (lines * states.shape[1] + places).flatten())
            tokens = flat.view(*places.shape, -1)  # [K, P, W], of which one state a range is made
            tokens = tokens if change is None else change(tokens)
            if tokens.shape[1] == 1:
                reduced = tokens[:, 0].float()
            elif bucket.weights is not None:
                reduced = torch.bmm(bucket.weights.to(tokens.device), tokens.float())[:, 0]
            else:
                reduced = (tokens.amax(1) if self._reduce == "max" else tokens.amin(1)).float()
            if self._kept is None:
                self._kept = reduced.new_zeros(sum(self._counts), len(self.rows), reduced.shape[1])
            at = bucket.ranges.to(self._kept.device)
            self._kept[at, self.rows.index(row)] = reduced.to(self._kept.device)

    def values(self, width: int) -> Array | Ragged:
        """States ``[B, R, W]``, zero for items without any, or ragged; ``width`` is ``W`` if nothing was kept."""
        kept = self._kept
        flat = np.zeros((0, len(self.rows), width), np.float32) if kept is None else kept.cpu().numpy()
        if self._ragged:
            return Ragged(flat, np.cumsum([0, *self._counts]))
        found = np.zeros((len(self._counts), *flat.shape[1:]), np.float32)
        found[np.array(self._counts) > 0] = flat
        return found
