"""Features under the names that TransformerLens gives to activations; and switching off attention heads."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..models.arguments import checked
from ..models.errors import InnerjudgeError, UnreadableError
from ..models.loading import LanguageModel
from .feature_arrays import as_tensor
from .features import Features

#: Shorthand of TransformerLens -> full name with the number of the block.
_SHORT = {
    "resid_pre": "blocks.{}.hook_resid_pre",
    "resid_post": "blocks.{}.hook_resid_post",
    "pattern": "blocks.{}.attn.hook_pattern",
}


class ActivationMapping(Mapping[str, Tensor]):
    """Hidden states and attention rows as ``cache["blocks.3.hook_resid_post"]`` or ``cache["resid_post", 3]``.

    The names and axes are those of TransformerLens' ``ActivationCache`` (blocks counted from 0), except that only the
    positions that were read are there: ``hook_resid_pre``, ``hook_resid_post`` ``[n, P, D]`` and ``ln_final.hook_out``
    ``[n, P, D]`` with one row per position in the order given (all, sorted, if left out), and ``attn.hook_pattern``
    ``[n, H, 1, K]`` with the one query and the ``K`` keys of the readout. Features with neither are refused.

    Example:
        >>> import numpy as np
        >>> from innerjudge.extraction import Features, Provenance
        >>> rows = np.arange(8, dtype=np.float32).reshape(1, 4, 2)  # h[0], h[1], h[2], final-normed
        >>> features = Features(ids=("a",), groups=("a",), arrays={"hidden/score": rows},
        ...                     provenance=Provenance("m", None, "f", "float32", "sdpa", "none"))
        >>> cache = ActivationMapping(features)
        >>> cache["resid_post", 1].tolist(), cache["blocks.0.hook_resid_pre"].tolist()
        ([[[4.0, 5.0]]], [[[0.0, 1.0]]])
        >>> list(cache)[-1]
        'ln_final.hook_out'
    """

    def __init__(self, features: Features, positions: tuple[str, ...] | None = None) -> None:
        held = sorted(name.removeprefix("hidden/") for name in features.arrays if name.startswith("hidden/"))
        self._rows = [as_tensor(features[f"hidden/{role}"]) for role in (held if positions is None else positions)]
        attention = features.arrays.get("attention")
        self._attention = None if attention is None else as_tensor(attention)
        if not self._rows and self._attention is None:
            raise InnerjudgeError.of("extraction.no-states", sorted(features.arrays))
        whole = features.provenance.last_block is None
        blocks = [rows.shape[1] - 1 - whole for rows in self._rows]
        blocks += [] if self._attention is None else [self._attention.shape[1]]
        #: Number of blocks that were read.
        self.n_blocks = int(blocks[0])
        self._names: dict[str, tuple[str, int]] = {}
        for block in range(self.n_blocks):
            if self._rows:
                self._names[_SHORT["resid_pre"].format(block)] = ("hidden", block)
                self._names[_SHORT["resid_post"].format(block)] = ("hidden", block + 1)
            if self._attention is not None:
                self._names[_SHORT["pattern"].format(block)] = ("attention", block)
        if self._rows and whole:
            self._names["ln_final.hook_out"] = ("hidden", self.n_blocks + 1)

    def __getitem__(self, key: str | tuple[str, int]) -> Tensor:
        if not isinstance(key, str):
            short, block = key
            key = _SHORT.get(short, short).format(block + self.n_blocks if block < 0 else block)
        kind, row = self._names[key]
        if kind == "attention":
            assert self._attention is not None
            return self._attention[:, row, :, None]
        return torch.stack([rows[:, row] for rows in self._rows], dim=1)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@checked
@contextmanager
def ablated(lm: LanguageModel, heads: Sequence[tuple[int, int]]) -> Iterator[None]:
    """While open, in this thread, the outputs of ``heads`` are zero before their output projection.

    They are ``(block, head)`` as in ``heads_`` of a fitted judge: block ``1..L``, head ``0..H-1``. ``InnerjudgeError``
    if a head does not exist, or the module that reads the heads' outputs was not found.

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

    with ExitStack() as hooks, lm.uncompiled():
        for output in by_output:
            hooks.enter_context(output.register_forward_pre_hook(zero))
        yield


def _find(lm: LanguageModel, block: int, head: int) -> tuple[nn.Module, int, int]:
    """The module that reads the head, how many heads it reads, and which of them this is."""
    attentions = lm.anatomy.heads[block - 1] if 1 <= block <= lm.anatomy.n_blocks else ()
    number = head
    for one in attentions:
        if 0 <= number < one.n_heads:
            if one.output is None:
                raise UnreadableError.of("extraction.no-projection", head, block, type(lm.model).__name__)
            return one.output, one.n_heads, number
        number -= one.n_heads
    has = sum(one.n_heads for one in attentions)
    raise InnerjudgeError.of("extraction.no-head", head, block, lm.anatomy.n_blocks, has)
