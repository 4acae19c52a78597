"""What a head does before its last product: a dense layer and a norm (BERT), a factor (MiniCPM), nothing."""

import threading
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .data_flow import Times, follow, multiple
from .observation import ModuleCall, Observation


class BeforeUnembedding(nn.Module):
    """Runs a head up to its unembedding and gives what that would have read: for heads that norm in code.

    Args:
        head: The whole head.
        unembedding: The module in it that makes the logits.
    """

    def __init__(self, head: nn.Module, unembedding: nn.Module) -> None:
        super().__init__()
        self.head, self.unembedding = head, unembedding

    def forward(self, states: Tensor) -> Tensor:
        """States before the unembedding, ``[..., D] -> [..., D']``."""
        thread = threading.get_ident()

        def stop(_module: nn.Module, args: tuple[Any, ...]) -> None:
            if threading.get_ident() == thread:
                raise _ReadError(args[0])

        handle = self.unembedding.register_forward_pre_hook(stop)
        try:
            self.head(states)
        except _ReadError as read:
            return read.states
        finally:
            handle.remove()
        raise RuntimeError("the head did not use its unembedding")


class _ReadError(Exception):
    def __init__(self, states: Tensor) -> None:
        self.states = states


def find_transform(end: Tensor, outside: Sequence[ModuleCall], seen: Observation, unembedding: nn.Module) -> nn.Module:
    """From final-normed states to what the unembedding reads.

    Args:
        end: Final-normed states of the text in the watched pass, ``[ITEMS, TOKENS, D]``.
        outside: Calls between the base model and the unembedding.
        seen: The watched pass.
        unembedding: The module that makes the logits.
    """
    reads = seen.of(unembedding)
    if not reads or reads[-1].given is None:
        return nn.Identity()
    chain = follow(end, outside)
    factor = multiple(reads[-1].given, chain.end)
    if factor is not None:
        return chain.module if factor == 1.0 else nn.Sequential(*chain.modules, Times(factor))
    heads = [c for c in seen.calls if c.start < reads[-1].start < c.end and c.given is not None]
    head = next((c for c in heads if multiple(c.given, end) == 1.0), None)  # type: ignore[arg-type]
    return chain.module if head is None else BeforeUnembedding(head.module, unembedding)
