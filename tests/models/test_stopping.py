"""A pass ends after the block that was asked for; whatever else goes wrong in it is not swallowed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from innerjudge.models.anatomy import find_anatomy
from innerjudge.models.blocks import StopAfter
from transformers import LlamaConfig, LlamaForCausalLM


@pytest.fixture
def llama() -> Any:
    config = LlamaConfig(
        vocab_size=31, hidden_size=16, intermediate_size=16, num_hidden_layers=4, num_attention_heads=2
    )
    return LlamaForCausalLM(config).eval()


@pytest.mark.parametrize(("last", "expected"), [(1, 1), (3, 3), (4, 4), (None, 4)])
def test_blocks_behind_are_not_run(llama: Any, last: int | None, expected: int) -> None:
    stream = find_anatomy(llama).stream
    ran: list[int] = []
    for number, block in enumerate(llama.model.layers):
        block.register_forward_hook(lambda *_a, number=number: ran.append(number))
    headless = True
    llama.lm_head.register_forward_hook(lambda *_a: pytest.fail("the head ran"))
    with StopAfter(stream, last):
        llama(input_ids=torch.arange(5)[None])
        headless = False
    assert headless
    assert ran == list(range(expected))
    assert not any(len(m._forward_hooks) > 1 for m in llama.modules())


def test_errors_pass_through(llama: Any) -> None:
    stream = find_anatomy(llama).stream
    with pytest.raises(IndexError), StopAfter(stream, 2):
        llama(input_ids=torch.tensor([[99]]))
