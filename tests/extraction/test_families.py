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
    BloomConfig,
    BloomForCausalLM,
    GPTJConfig,
    GPTJForCausalLM,
    HunYuanDenseV1Config,
    HunYuanDenseV1ForCausalLM,
)

from .conftest import GROUPED


@pytest.mark.parametrize(("name", "expected"), [("before", None), ("after", "where they cannot be read")])
def test_rotation_outside_the_registry(name: Any, expected: str | None, words: Any, random_items: Any) -> None:
    """GPT-J rotates inside its own attention: projections are before the rotary embedding, never after."""
    torch.manual_seed(0)
    model = GPTJForCausalLM(GPTJConfig(vocab_size=61, n_embd=32, n_layer=2, n_head=4, n_positions=64, rotary_dim=4))
    lm, items = wrap(model, words), random_items((12,))
    if expected:
        with pytest.raises(InnerjudgeError, match=expected):
            extract(lm, items, [QueryKey(name)])
    else:
        for number, block in enumerate(lm.anatomy.blocks):
            kept: dict[str, Any] = {}
            for x in "qk":
                projection = block.attn.get_submodule(f"{x}_proj")
                projection.register_forward_hook(
                    lambda _m, _a, o, x=x, kept=kept: kept.__setitem__(x, o[0].view(12, 4, 8))
                )
            with torch.no_grad():
                lm.model(input_ids=torch.tensor([items[0].ids]))
            product = torch.einsum("hd,khd->hk", kept["q"][11], kept["k"][8:11])
            assert np.allclose(extract(lm, items, [QueryKey(name)])["qk/before"][0, number], product, atol=1e-5)


def test_keys_changed_after_the_rotation_are_refused_before_it(words: Any, random_items: Any) -> None:
    """HunYuan norms queries and keys after the rotary embedding: 'after any norm and before rotary' does not exist."""
    torch.manual_seed(0)
    lm = wrap(HunYuanDenseV1ForCausalLM(HunYuanDenseV1Config(**GROUPED, head_dim=8)), words)
    items = random_items((12,))
    assert np.abs(extract(lm, items, [QueryKey("after")])["qk/after"]).max() > 0
    with pytest.raises(InnerjudgeError, match="changed after the rotary embedding"):
        extract(lm, items, [QueryKey("before")])


def test_a_family_without_readable_heads_is_told_so(words: Any, random_items: Any) -> None:
    lm = wrap(BloomForCausalLM(BloomConfig(vocab_size=61, hidden_size=32, n_layer=2, n_head=4)), words)
    with pytest.raises(InnerjudgeError, match="handed over queries and keys"):
        extract(lm, random_items((12,)), [QueryKey("after")])
    assert len(extract(lm, random_items((12,)), [HiddenStates("score")])) == 1


def test_what_a_family_does_not_give_is_missing_beside_other_readouts(words: Any, random_items: Any) -> None:
    torch.manual_seed(0)
    items = random_items((12, 9))
    bloom = wrap(BloomForCausalLM(BloomConfig(vocab_size=61, hidden_size=32, n_layer=2, n_head=4)), words)
    gptj = wrap(
        GPTJForCausalLM(GPTJConfig(vocab_size=61, n_embd=32, n_layer=2, n_head=4, n_positions=64, rotary_dim=4)), words
    )
    asked = [LabelLogits(), QueryKey("before"), QueryKey("after")]
    for lm, lost in ((bloom, {"qk/before", "qk/after"}), (gptj, {"qk/after"})):
        features = extract(lm, items, asked, batch_size=1)
        assert features.missing.keys() == lost
        assert all(set(features.missing[name]) == set(features.ids) for name in lost)
        assert not any(features[name].any() for name in lost)
        alone = extract(lm, items, asked[:1], batch_size=1)
        assert np.array_equal(features["logits/score"], alone["logits/score"])
        assert features.present("logits/score").all()
        with pytest.raises(UnreadableError):
            extract(lm, items, [QueryKey("after"), AttentionWeights()] if lm is bloom else [QueryKey("after")])
    assert np.abs(extract(gptj, items, asked)["qk/before"]).max() > 0
