"""Forward hooks that keep a few rows of the residual stream in every block."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from ...models.anatomy import Anatomy
from ...models.observation import states_given, states_taken
from .ranges import RangeStates


class ResidualTap(AbstractContextManager["ResidualTap"]):
    """Keeps ``h[0..last]`` at ``positions`` (``[B, P]``, ``P`` may be 0) of one pass.

    With ``keep_last`` also what the final norm reads, ``[B, T, W]``. ``ranges`` are given every block's states. Hooks
    belong to the thread that made them, so that two passes may share one model.
    """

    def __init__(
        self, anatomy: Anatomy, positions: Tensor, *, last: int, keep_last: bool, ranges: Sequence[RangeStates] = ()
    ) -> None:
        self._anatomy, self._stream = anatomy, anatomy.stream
        self._positions, self._ranges = positions, ranges
        self._last, self._keep_last = last, keep_last
        self._rows: Tensor | None = None
        self._flat: Tensor | None = None
        self._started = self._ended = 0
        self._thread = threading.get_ident()
        self._handles: list[Any] = []
        residuals = anatomy.residuals
        self._whole: dict[int, Tensor | None] = dict.fromkeys(residuals.numbers if residuals and keep_last else ())
        self.end: Tensor | None = None

    @property
    def states(self) -> Tensor:
        """``h[0..last]`` at the positions: ``[B, last + 1, P, W]``, in the dtype of the model, near its final norm."""
        assert self._rows is not None
        return self._anatomy.on_norm(self._rows.movedim(0, 1))

    def __enter__(self) -> ResidualTap:
        for block in dict.fromkeys(self._stream.blocks):
            if self._stream.by_input or block is self._stream.blocks[0]:  # else nothing is read before a block
                self._handles.append(block.register_forward_pre_hook(self._before_block, with_kwargs=True))
            self._handles.append(block.register_forward_hook(self._after_block))
        if self._stream.leaves not in self._stream.blocks:
            self._handles.append(self._stream.leaves.register_forward_hook(self._after_leaving))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def _before_block(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if threading.get_ident() == self._thread:
            if self._started == 0 or self._stream.by_input:
                self._keep(self._started, states_taken(module, args, kwargs))
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
