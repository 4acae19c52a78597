"""Attention heads taken out of a model for a while: what a head puts into the residual stream is set to zero."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ..models.errors import InnerjudgeError, UnreadableError, checked
from ..models.loading import LanguageModel


@checked
@contextmanager
def ablated(lm: LanguageModel, heads: Sequence[tuple[int, int]]) -> Iterator[None]:
    """While open, in this thread, the outputs of ``heads`` are zero before their output projection.

    Args:
        lm: The model.
        heads: ``(block, head)`` as in ``heads_`` of a fitted judge: block ``1..L``, head ``0..H-1``.

    Raises:
        InnerjudgeError: If a head does not exist, or the module that reads the heads' outputs was not found.

    Example:
        >>> from innerjudge.models.loading import load
        >>> lm = load("reference")
        >>> with ablated(lm, [(1, 0), (2, 3)]):
        ...     pass  # extract(lm, ...), lm.model.generate(...)
    """
    by_output: dict[nn.Module, tuple[int, list[int]]] = {}
    for block, head in heads:
        output, n_heads, number = _find(lm, block, head)
        by_output.setdefault(output, (n_heads, []))[1].append(number)
    thread = threading.get_ident()

    def zero(module: nn.Module, args: tuple[Any, ...]) -> Any:
        if threading.get_ident() != thread:
            return None
        n_heads, numbers = by_output[module]
        states: Tensor = args[0].clone()
        states.unflatten(-1, (n_heads, -1))[..., numbers, :] = 0
        return (states, *args[1:])

    handles = [output.register_forward_pre_hook(zero) for output in by_output]
    try:
        with lm.uncompiled():
            yield
    finally:
        for handle in handles:
            handle.remove()


def _find(lm: LanguageModel, block: int, head: int) -> tuple[nn.Module, int, int]:
    """The module that reads the head, how many heads it reads, and which of them this is."""
    attentions = lm.anatomy.heads[block - 1] if 1 <= block <= lm.anatomy.n_blocks else ()
    number = head
    for one in attentions:
        if 0 <= number < one.n_heads:
            if one.output is None:
                raise UnreadableError(
                    f"given head {head} of block {block} of {type(lm.model).__name__}, whose output projection was not "
                    "found, expected a module that reads all heads side by side: ablate heads of other blocks"
                )
            return one.output, one.n_heads, number
        number -= one.n_heads
    has = sum(one.n_heads for one in attentions)
    raise InnerjudgeError(
        f"given head {head} of block {block}, expected blocks 1..{lm.anatomy.n_blocks}, of which this one has {has} "
        "heads, counted from 0"
    )
