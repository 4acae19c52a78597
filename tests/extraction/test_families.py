"""Families whose attention is unlike the others: read where that is right, refused in words where not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import AttentionWeights, HiddenStates, LabelLogits, QueryKey, extract
from innerjudge.models.errors import InnerjudgeError, UnreadableError
from innerjudge.models.loading import wrap
from transformers import (
    GPTJConfig,
    GPTJForCausalLM,
    HunYuanDenseV1Config,
    HunYuanDenseV1ForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    XLNetConfig,
    XLNetLMHeadModel,
)

from .conftest import GROUPED


def test_rotation_outside_the_registry(words: Any, random_items: Any) -> None:
    """GPT-J rotates inside its own attention: its projections are the queries and keys before the rotary embedding."""
    torch.manual_seed(0)
    model = GPTJForCausalLM(GPTJConfig(vocab_size=61, n_embd=32, n_layer=2, n_head=4, n_positions=64, rotary_dim=4))
    lm, items = wrap(model, words), random_items((12,))
    for number, block in enumerate(lm.anatomy.blocks):
        kept: dict[str, Any] = {}
        for x in "qk":
            projection = block.attn.get_submodule(f"{x}_proj")
            projection.register_forward_hook(lambda _m, _a, o, x=x, kept=kept: kept.__setitem__(x, o[0].view(12, 4, 8)))
        with torch.no_grad():
            lm.model(input_ids=torch.tensor([items[0].ids]))
        product = torch.einsum("hd,khd->hk", kept["q"][11], kept["k"][8:11])
        features = extract(lm, items, [QueryKey("before"), QueryKey("after")])
        assert np.allclose(features["qk/before"][0, number], product, atol=1e-5)
        assert np.abs(features["qk/after"] - features["qk/before"]).max() > 1e-3


def hunyuan(*, bent: bool = False) -> Any:
    """HunYuan; ``bent``: queries are changed after the rotary embedding by what is no module of the model."""
    torch.manual_seed(0)
    model = HunYuanDenseV1ForCausalLM(HunYuanDenseV1Config(**GROUPED, head_dim=8)).eval()
    for name, weight in model.named_parameters():  # with weights of one, the norm would commute with the rotation
        weight.data += torch.randn_like(weight) * 0.2 * ("layernorm" in name)
    for block in model.model.layers if bent else ():
        block.self_attn.query_layernorm = None
        block.self_attn.__dict__["query_layernorm"] = lambda states: states * torch.linspace(1, 2, 8)
    return model


def test_a_norm_behind_the_rotation_is_applied_to_what_was_not_turned(words: Any, random_items: Any) -> None:
    """HunYuan norms queries and keys after the rotary embedding: before it, they are their normed projections."""
    model = hunyuan()
    lm, items = wrap(model, words), random_items((12,))
    features = extract(lm, items, [QueryKey("before"), QueryKey("after")])
    with torch.no_grad():
        states = model(input_ids=torch.tensor([items[0].ids]), output_hidden_states=True).hidden_states
        for number, block in enumerate(model.model.layers):
            given, own = block.input_layernorm(states[number][0]), block.self_attn
            q = own.query_layernorm(own.q_proj(given).view(12, 4, 8))[11]
            k = own.key_layernorm(own.k_proj(given).view(12, 2, 8))[8:11].repeat_interleave(2, dim=1)
            assert np.allclose(features["qk/before"][0, number], torch.einsum("hd,khd->hk", q, k), atol=1e-5)
    assert np.abs(features["qk/after"] - features["qk/before"]).max() > 1e-2


def test_keys_changed_after_the_rotation_are_refused_before_it(words: Any, random_items: Any) -> None:
    lm, items = wrap(hunyuan(bent=True), words), random_items((12,))
    assert np.abs(extract(lm, items, [QueryKey("after")])["qk/after"]).max() > 0
    with pytest.raises(InnerjudgeError, match="changed after the rotary embedding"):
        extract(lm, items, [QueryKey("before")])


def test_the_content_part_of_relative_attention_is_its_product(words: Any, random_items: Any) -> None:
    """XLNet adds a product with positions to that of queries (with a learned bias) and keys: the latter is read."""
    torch.manual_seed(0)
    model = XLNetLMHeadModel(XLNetConfig(vocab_size=61, d_model=32, n_layer=2, n_head=4, d_head=8, d_inner=48)).eval()
    for weight in model.parameters():
        weight.data += torch.randn_like(weight) * 0.2
    lm, items = wrap(model, words), random_items((12,))
    features = extract(lm, items, [QueryKey("before"), QueryKey("after")])
    assert np.array_equal(features["qk/before"], features["qk/after"])
    with torch.no_grad():
        states = model(input_ids=torch.tensor([items[0].ids]), output_hidden_states=True).hidden_states
        for number, block in enumerate(model.transformer.layer):
            q = torch.einsum("w,whd->hd", states[number][0, 11], block.rel_attn.q) + block.rel_attn.r_w_bias
            k = torch.einsum("tw,whd->thd", states[number][0, 8:11], block.rel_attn.k)
            assert np.allclose(features["qk/before"][0, number], torch.einsum("hd,khd->hk", q, k), atol=1e-4)


def test_a_family_without_heads_is_told_so(words: Any, random_items: Any) -> None:
    lm = wrap(MambaForCausalLM(MambaConfig(vocab_size=61, hidden_size=32, num_hidden_layers=2)), words)
    with pytest.raises(InnerjudgeError, match="none of whose blocks has softmax attention"):
        extract(lm, random_items((12,)), [QueryKey("after")])
    assert len(extract(lm, random_items((12,)), [HiddenStates("score")])) == 1


def test_what_a_family_does_not_give_is_missing_beside_other_readouts(words: Any, random_items: Any) -> None:
    torch.manual_seed(0)
    items = random_items((12, 9))
    mamba = wrap(MambaForCausalLM(MambaConfig(vocab_size=61, hidden_size=32, num_hidden_layers=2)), words)
    bent = wrap(hunyuan(bent=True), words)
    asked = [LabelLogits(), QueryKey("before"), QueryKey("after"), AttentionWeights()]
    for lm, lost in ((mamba, {"qk/before", "qk/after", "attention"}), (bent, {"qk/before"})):
        features = extract(lm, items, asked, batch_size=1)
        assert features.missing.keys() == lost
        assert all(set(features.missing[name]) == set(features.ids) for name in lost)
        assert not any(features[name].any() for name in lost)
        alone = extract(lm, items, asked[:1], batch_size=1)
        assert np.array_equal(features["logits/score"], alone["logits/score"])
        assert features.present("logits/score").all()
        with pytest.raises(UnreadableError):
            extract(lm, items, [QueryKey("before")])
    assert np.abs(extract(bent, items, asked)["attention"]).max() > 0
