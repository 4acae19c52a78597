"""Attention is heard while somebody listens, in the listener's thread, and the library is as it was afterwards."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from innerjudge.models.attention_calls import AttentionCall, AttentionProducts, listening
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, AttentionInterface


@pytest.fixture(params=["sdpa", "eager"])
def llama(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=31,
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        attn_implementation=request.param,
    )
    return LlamaForCausalLM(config).eval()


def test_every_block_is_heard_and_nothing_else_changes(llama: Any) -> None:
    ids = torch.arange(4, 10)[None]
    plain = llama(ids).logits
    look_ups = AttentionInterface.get_interface, AttentionInterface.__getitem__
    heard: list[AttentionCall] = []
    with listening(heard.append):
        assert torch.equal(llama(ids).logits, plain)
        other = threading.Thread(target=llama, args=(ids,))
        other.start()
        other.join()
    assert [(c.query.shape, c.key.shape) for c in heard if c.key is not None] == [((1, 4, 6, 8), (1, 2, 6, 8))] * 2
    assert [c.module.layer_idx for c in heard] == [0, 1]  # type: ignore[union-attr]
    assert all((c.weights is None) == (llama.config._attn_implementation == "sdpa") for c in heard)
    assert (AttentionInterface.get_interface, AttentionInterface.__getitem__) == look_ups
    llama(ids)
    assert len(heard) == 2


def test_old_look_ups_are_heard_too() -> None:
    """Code of models on the hub reads the registry like a mapping."""
    heard: list[AttentionCall] = []
    states = torch.randn(1, 2, 3, 4)
    with listening(heard.append):
        ALL_ATTENTION_FUNCTIONS["sdpa"](torch.nn.Module(), states, states, states, None, scaling=0.5)
    assert (heard[0].kernel, heard[0].scaling) == ("sdpa", 0.5)


@pytest.mark.parametrize("folded", [False, True])
def test_products_that_enter_a_softmax(folded: bool) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 5, 4) for _ in range(3))
    heard: list[AttentionCall] = []
    with AttentionProducts(2, lambda: True, heard.append):
        a, b, c = (x.flatten(0, 1) if folded else x for x in (q, k, v))
        scores = torch.bmm(a, b.transpose(1, 2)) if folded else a @ b.transpose(-1, -2)
        weights = functional.softmax(scores / 2, dim=-1)
        weights @ c
        functional.softmax(torch.randn(2, 5, 9), dim=-1)  # of experts: no product before it
    assert len(heard) == 1
    assert torch.equal(heard[0].query, q)
    assert heard[0].key is not None
    assert torch.equal(heard[0].key, k)
    assert heard[0].weights is not None
    assert heard[0].weights.shape == (2, 3, 5, 5)


def test_two_products_in_one_softmax_have_no_key() -> None:
    q, k = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 5, 4)
    heard: list[AttentionCall] = []
    with AttentionProducts(2, lambda: True, heard.append):
        torch.softmax(torch.einsum("bnid,bnjd->bnij", q, k) + torch.matmul(k, q.transpose(-1, -2)), dim=-1)
    assert heard[0].key is None


def test_outside_of_blocks_nothing_is_heard() -> None:
    heard: list[AttentionCall] = []
    q = torch.randn(1, 2, 3, 4)
    with AttentionProducts(1, lambda: False, heard.append):
        (q @ q.transpose(-1, -2)).softmax(-1)
    assert heard == []
