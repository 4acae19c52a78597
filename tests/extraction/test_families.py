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


def test_keys_changed_after_the_rotation_are_refused_before_it(words: Any, random_items: Any) -> None:
    """HunYuan norms queries and keys after the rotary embedding: 'after any norm and before rotary' does not exist."""
    torch.manual_seed(0)
    model = HunYuanDenseV1ForCausalLM(HunYuanDenseV1Config(**GROUPED, head_dim=8))
    for name, weight in model.named_parameters():  # with weights of one, the norm would commute with the rotation
        weight.data += torch.randn_like(weight) * 0.2 * ("layernorm" in name)
    lm = wrap(model, words)
    items = random_items((12,))
    assert np.abs(extract(lm, items, [QueryKey("after")])["qk/after"]).max() > 0
    with pytest.raises(InnerjudgeError, match="changed after the rotary embedding"):
        extract(lm, items, [QueryKey("before")])


def test_a_family_without_heads_is_told_so(words: Any, random_items: Any) -> None:
    lm = wrap(MambaForCausalLM(MambaConfig(vocab_size=61, hidden_size=32, num_hidden_layers=2)), words)
    with pytest.raises(InnerjudgeError, match="none of whose blocks has softmax attention"):
        extract(lm, random_items((12,)), [QueryKey("after")])
    assert len(extract(lm, random_items((12,)), [HiddenStates("score")])) == 1


def test_what_a_family_does_not_give_is_missing_beside_other_readouts(words: Any, random_items: Any) -> None:
    torch.manual_seed(0)
    items = random_items((12, 9))
    mamba = wrap(MambaForCausalLM(MambaConfig(vocab_size=61, hidden_size=32, num_hidden_layers=2)), words)
    config = XLNetConfig(vocab_size=61, d_model=32, n_layer=2, n_head=4, d_head=8, d_inner=48)
    xlnet = wrap(XLNetLMHeadModel(config), words)
    asked = [LabelLogits(), QueryKey("before"), QueryKey("after"), AttentionWeights()]
    for lm, lost in ((mamba, {"qk/before", "qk/after", "attention"}), (xlnet, {"qk/before", "qk/after"})):
        features = extract(lm, items, asked, batch_size=1)
        assert features.missing.keys() == lost
        assert all(set(features.missing[name]) == set(features.ids) for name in lost)
        assert not any(features[name].any() for name in lost)
        alone = extract(lm, items, asked[:1], batch_size=1)
        assert np.array_equal(features["logits/score"], alone["logits/score"])
        assert features.present("logits/score").all()
        with pytest.raises(UnreadableError):
            extract(lm, items, [QueryKey("after")])
    assert np.abs(extract(xlnet, items, asked)["attention"]).max() > 0
