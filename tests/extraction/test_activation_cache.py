"""Features under TransformerLens' names, against its own cache of the same model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from innerjudge.extraction import AttentionWeights, HiddenStates, LabelLogits, extract
from innerjudge.extraction.activation_cache import ActivationMapping
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import LanguageModel, load


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_every_name_is_the_caches(
    family: str, tiny: Callable[..., LanguageModel], random_items: Any, tmp_path: Path
) -> None:
    bridges = pytest.importorskip("transformer_lens.model_bridge")
    made = tiny(family)
    made.model.save_pretrained(tmp_path)
    made.tokenizer.save_pretrained(tmp_path)
    lm, item = load(str(tmp_path)), random_items((13,))[0]
    bridge = bridges.TransformerBridge.boot_transformers(str(tmp_path), device="cpu", tokenizer=lm.tokenizer)
    with torch.no_grad():
        _, cache = bridge.run_with_cache(torch.tensor([item.ids]))
    features = extract(lm, [item], [HiddenStates("score"), HiddenStates("prompt_end"), AttentionWeights()])
    ours = ActivationMapping(features, ("prompt_end", "score"))
    at = [item.positions[role][0] for role in ("prompt_end", "score")]
    keys = list(item.positions["option_end"])
    assert set(ours) <= set(cache.keys())
    assert len(ours) == 3 * lm.anatomy.n_blocks + 1
    for name, value in ours.items():
        theirs = cache[name][:, :, at[-1:]][..., keys] if "pattern" in name else cache[name][:, at]
        assert value.shape == theirs.shape, name
        assert torch.allclose(value, theirs, atol=1e-4, rtol=1e-4), name
    for short in (("resid_pre", 1), ("resid_post", -1), ("pattern", 0)):
        theirs = cache[short]
        assert torch.allclose(
            ours[short], theirs[:, :, at[-1:]][..., keys] if short[0] == "pattern" else theirs[:, at], atol=1e-4
        )


def test_a_pass_that_stopped_early_has_no_final_norm(tiny: Callable[..., LanguageModel], random_items: Any) -> None:
    features = extract(tiny("llama"), random_items((12,)), [HiddenStates("score")], last_block=2)
    cache = ActivationMapping(features)
    assert cache.n_blocks == 2
    assert "ln_final.hook_out" not in cache
    with pytest.raises(KeyError):
        cache["resid_post", 2]


def test_nothing_to_hand_over(tiny: Callable[..., LanguageModel], random_items: Any) -> None:
    features = extract(tiny("llama"), random_items((12,)), [LabelLogits()])
    with pytest.raises(InnerjudgeError, match="expected hidden states or attention rows"):
        ActivationMapping(features)
