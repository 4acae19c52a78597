"""A pass that reads makes no tensor larger than those that the bare model makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from innerjudge.extraction import AttentionWeights, HiddenStates, LabelLogits, QueryKey, ResponseLogProb, extract
from innerjudge.models.loading import LanguageModel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

READOUTS = [
    HiddenStates("reasoning_start"),
    HiddenStates("reasoning_end"),
    LabelLogits("score"),
    QueryKey("before"),
    QueryKey("after"),
    AttentionWeights(),
]
TOKENS, ITEMS, VOCABULARY = 48, 3, 61


class Largest(TorchDispatchMode):
    """Keeps the shapes of what every operation returns."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: set[tuple[int, ...]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        self.shapes |= {tuple(t.shape) for t in tree_leaves(output) if isinstance(t, torch.Tensor)}
        return output

    def size(self, weights: set[tuple[int, ...]]) -> int:
        """Entries of the largest, weights and their transposes aside."""
        return max(torch.Size(s).numel() for s in self.shapes if s not in weights and s[::-1] not in weights)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2", "gpt_neox"])
def test_nothing_is_larger_than_in_the_bare_pass(
    family: str, tiny: Callable[..., LanguageModel], random_items: Any
) -> None:
    lm, items = tiny(family), random_items((TOKENS,) * ITEMS)
    weights = {tuple(p.shape) for p in lm.model.parameters()}
    extract(lm, items, READOUTS)  # what is found out on first use is no part of a pass
    with Largest() as bare, torch.inference_mode():
        ids = torch.tensor([item.ids for item in items])
        lm.model.base_model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
    with Largest() as ours:
        extract(lm, items, READOUTS)
    assert ours.size(weights) <= bare.size(weights)
    if family != "llama":  # whose own tensors are the smallest: those of others are larger than what is forbidden
        return
    forbidden = {
        "logits of every token": ITEMS * TOKENS * VOCABULARY,
        "squares of attention": lm.anatomy.n_heads * TOKENS * TOKENS,
        "states of every block": lm.anatomy.n_blocks * ITEMS * TOKENS * lm.anatomy.width,
    }
    for what, size in forbidden.items():
        assert ours.size(weights) < size, what


def test_what_is_forbidden_would_be_seen(tiny: Callable[..., LanguageModel], random_items: Any) -> None:
    lm, items = tiny("llama"), random_items((TOKENS,) * ITEMS)
    ids = torch.tensor([item.ids for item in items])
    with Largest() as whole, torch.inference_mode():
        lm.model(input_ids=ids, use_cache=False)
    assert (ITEMS, TOKENS, VOCABULARY) in whole.shapes
    with Largest() as kept, torch.inference_mode():
        torch.stack(lm.model(input_ids=ids, output_hidden_states=True).hidden_states)
    assert (4, ITEMS, TOKENS, 32) in kept.shapes
    with Largest() as summed:
        extract(lm, items, [ResponseLogProb()])  # rows of one item at a time, never all tokens at once
    assert (ITEMS, TOKENS, VOCABULARY) not in summed.shapes
