"""A pass that ends with the last block that is needed: what comes after it is not computed."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from torch import nn

from .blocks import Stream


class _Enough(BaseException):
    """Thrown through a forward pass when all that is wanted has been seen; no ``except Exception`` may catch it."""


class StopAfter(AbstractContextManager["StopAfter"]):
    """Ends a forward pass of this thread after block ``last``; the ``with`` statement goes on after it.

    Open it after the taps that read: hooks run in the order in which they were registered.

    Args:
        stream: The stream of the model.
        last: The block to stop after, ``1..L``; ``None`` for the last one.
    """

    def __init__(self, stream: Stream, last: int | None = None) -> None:
        n = len(stream.blocks)
        self._last = n if last is None else last
        if stream.by_input and self._last < n:
            self._last += 1  # h[last] is what the next block is given
        # The stream may leave the last block elsewhere (XLM): then that module is waited for.
        self._at_end = self._last == n
        self._modules = [stream.leaves] if self._at_end else list(dict.fromkeys(stream.blocks))
        self._left = stream.blocks.count(stream.leaves) or 1 if self._at_end else self._last
        self._thread = threading.get_ident()
        self._handles: list[Any] = []

    def __enter__(self) -> StopAfter:
        self._handles = [module.register_forward_hook(self._after) for module in self._modules]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        for handle in self._handles:
            handle.remove()
        return kind is _Enough

    def _after(self, _module: nn.Module, _args: tuple[Any, ...], _output: Any) -> None:
        if threading.get_ident() == self._thread:
            self._left -= 1
            if not self._left:
                raise _Enough
