"""Forward hooks that keep a few rows of the residual stream in every block."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from ..models.anatomy import Anatomy


class ResidualTap(AbstractContextManager["ResidualTap"]):
    """Keeps ``h[0..L]`` at ``P`` positions an item, and the final-normed states of all tokens if asked.

    Hooks belong to the thread that made them, so that two passes may share one model.

    Args:
        anatomy: Parts of the model.
        positions: Token indices, ``[B, P]``; ``P`` may be 0.
        keep_normed: Also keep the output of the final norm, ``[B, T, D]``.
    """

    def __init__(self, anatomy: Anatomy, positions: Tensor, *, keep_normed: bool) -> None:
        self._anatomy = anatomy
        self._positions = positions
        self._keep_normed = keep_normed
        self._rows: list[Tensor] = []
        self._thread = threading.get_ident()
        self._handles: list[Any] = []
        self.normed: Tensor | None = None

    @property
    def states(self) -> Tensor:
        """``h[0..L]`` at the positions: ``[B, L + 1, P, D]``, in the dtype of the model, where its final norm is."""
        last = self._anatomy.on_norm(self._rows[-1])
        return torch.stack([row.to(last.device) for row in self._rows], dim=1)

    def __enter__(self) -> ResidualTap:
        blocks = self._anatomy.blocks
        if self._positions.shape[1]:
            self._handles.append(blocks[0].register_forward_pre_hook(self._before_first, with_kwargs=True))
            self._handles += [block.register_forward_hook(self._after_block) for block in blocks]
        if self._keep_normed:
            self._handles.append(self._anatomy.final_norm.register_forward_hook(self._after_norm))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def _before_first(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._keep(args[0] if args else kwargs["hidden_states"])

    def _after_block(self, _module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        self._keep(output[0] if isinstance(output, tuple) else output)

    def _after_norm(self, _module: nn.Module, _args: tuple[Any, ...], output: Tensor) -> None:
        if threading.get_ident() == self._thread:
            self.normed = output

    def _keep(self, states: Tensor) -> None:
        if threading.get_ident() == self._thread:
            rows = torch.arange(states.shape[0], device=states.device)[:, None]
            self._rows.append(states[rows, self._positions.to(states.device)])
