"""Queries and keys before the rotary embedding: explained by a rotation, or refused."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from innerjudge.models.rotary import before_rotation, rotary_functions, rotary_places, select, watched_rotations
from torch import Tensor, nn
from transformers.models.llama import modeling_llama
from transformers.models.roformer.modeling_roformer import RoFormerSelfAttention

B, H, T, D = 2, 4, 5, 8
AT = torch.tensor([[4, 0], [2, 3]])


@pytest.fixture
def rotation() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    given = torch.randn(B, H, T, D)
    return given, given.flip(-1) * 1.5  # any map will do: it need not be a rotation


def test_whole_heads(rotation: Any) -> None:
    given, turned = rotation
    found = before_rotation(select(turned, AT), AT, [(torch.zeros(1, 1, T, 4), torch.ones(1, 1, T, 4)), rotation])
    assert torch.equal(found, select(given, AT))


def test_tokens_before_heads(rotation: Any) -> None:
    given, turned = (states.transpose(1, 2) for states in rotation)
    assert torch.equal(before_rotation(select(rotation[1], AT), AT, [(given, turned)]), select(rotation[0], AT))


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_some_dimensions(rotation: Any, first: bool) -> None:
    given, turned = rotation
    rest = torch.randn(B, H, T, 3)
    whole = torch.cat((turned, rest) if first else (rest, turned), dim=-1)
    plain = torch.cat((given, rest) if first else (rest, given), dim=-1)
    assert torch.equal(before_rotation(select(whole, AT), AT, [rotation]), select(plain, AT))


def test_one_key_head_for_all(rotation: Any) -> None:
    """Latent attention rotates one key for all heads."""
    given, turned = (states[:, :1] for states in rotation)
    rows = select(turned.expand(B, H, T, D), AT)
    assert torch.equal(before_rotation(rows, AT, [(given, turned)]), select(given.expand(B, H, T, D), AT))


def test_a_factor_a_token_commutes(rotation: Any) -> None:
    given, turned = rotation
    factor = torch.rand(B, H, T, 1) + 0.5
    assert torch.allclose(before_rotation(select(turned * factor, AT), AT, [rotation]), select(given * factor, AT))


def test_a_factor_a_dimension_does_not(rotation: Any) -> None:
    _, turned = rotation
    assert before_rotation(select(turned * torch.linspace(1, 2, D), AT), AT, [rotation]) is None
    assert before_rotation(select(turned + 0.01, AT), AT, [rotation]) is None


def test_functions_are_watched_and_given_back() -> None:
    original = modeling_llama.apply_rotary_pos_emb
    other = vars(RoFormerSelfAttention)["apply_rotary_position_embeddings"]
    assert rotary_functions(RoFormerSelfAttention) == ["apply_rotary_position_embeddings"]
    block = modeling_llama.LlamaAttention.__new__(modeling_llama.LlamaAttention)
    roformer = RoFormerSelfAttention.__new__(RoFormerSelfAttention)
    nn.Module.__init__(block)
    nn.Module.__init__(roformer)
    q, k, cos, sin = (torch.randn(1, n, T, D) for n in (4, 2, 1, 1))
    outer: list[Any] = []
    inner: list[Any] = []
    with watched_rotations(rotary_places([block, roformer]), outer.append):
        assert modeling_llama.apply_rotary_pos_emb is not original
        modeling_llama.apply_rotary_pos_emb(q, k, cos[0], sin[0])
        thread = threading.Thread(target=lambda: modeling_llama.apply_rotary_pos_emb(q, k, cos[0], sin[0]))
        thread.start()
        thread.join()
        assert len(outer) == 2  # not the other thread's
        with watched_rotations(rotary_places([block]), inner.append):
            modeling_llama.apply_rotary_pos_emb(q, k, cos[0], sin[0])
        assert (len(outer), len(inner)) == (4, 2)  # who listened before is told as well
        assert all(a is b for a, b in zip(outer[2:], inner, strict=True))
    assert outer[0][0] is q
    assert outer[1][0] is k
    assert modeling_llama.apply_rotary_pos_emb is original
    assert vars(RoFormerSelfAttention)["apply_rotary_position_embeddings"] is other
