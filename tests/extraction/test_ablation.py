"""A head that is taken out leaves its block's output as if its own were zero, and comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import HiddenStates, extract
from innerjudge.extraction.activation_cache import ablated
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import LanguageModel


@pytest.mark.parametrize(
    ("family", "path"), [("llama", "self_attn.o_proj"), ("gpt2", "attn.c_proj"), ("gpt_neo", "attn")]
)
def test_zeroed_columns_of_the_output_projection(
    family: str, path: str, tiny: Callable[..., LanguageModel], random_items: Any
) -> None:
    lm, items = tiny(family), random_items((12, 9))
    whole = extract(lm, items, [HiddenStates("score")])["hidden/score"]
    with ablated(lm, [(2, 1), (2, 3)]):
        without = extract(lm, items, [HiddenStates("score")])["hidden/score"]
    assert np.array_equal(without[:, :2], whole[:, :2])
    assert np.abs(without[:, 2] - whole[:, 2]).max() > 1e-3
    assert np.array_equal(extract(lm, items, [HiddenStates("score")])["hidden/score"], whole)
    projection = lm.anatomy.blocks[1].get_submodule(path)
    projection = projection.get_submodule("attention.out_proj") if family == "gpt_neo" else projection
    weight = projection.weight.data
    kept, d = weight.clone(), lm.anatomy.head_dim
    for head in (1, 3):  # GPT-2 stores its maps the other way round
        part = slice(head * d, (head + 1) * d)
        weight[part if family == "gpt2" else (slice(None), part)] = 0
    expected = extract(lm, items, [HiddenStates("score")])["hidden/score"]
    weight.copy_(kept)
    assert np.allclose(without, expected, atol=1e-5)


@pytest.mark.parametrize("head", [(0, 0), (4, 0), (1, 4), (1, -1)])
def test_heads_that_are_not_there(tiny: Callable[..., LanguageModel], head: tuple[int, int]) -> None:
    with pytest.raises(InnerjudgeError, match=r"expected blocks 1\.\.3"), ablated(tiny("llama"), [head]):
        pass


def test_nothing_is_left_behind(tiny: Callable[..., LanguageModel]) -> None:
    lm = tiny("llama")
    with pytest.raises(ZeroDivisionError), ablated(lm, [(1, 0)]):
        torch.tensor(1 // 0)
    assert not any(m._forward_pre_hooks for m in lm.model.modules())
