"""Another library's reading of the same models: TransformerLens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import AttentionWeights, HiddenStates, LabelLogits, QueryKey, extract
from innerjudge.models.loading import LanguageModel, load
from innerjudge.models.positions import Encoding

READOUTS = [HiddenStates("score"), LabelLogits("score"), QueryKey("before"), QueryKey("after"), AttentionWeights()]


@pytest.fixture(params=["llama", "gpt2", "stories"])
def read(
    request: pytest.FixtureRequest, tiny: Callable[..., LanguageModel], random_items: Any, tmp_path: Path
) -> tuple[LanguageModel, Encoding, Any]:
    """One item, a model and its TransformerLens cache."""
    lens = pytest.importorskip("transformer_lens.model_bridge")
    if request.param == "stories":
        folder = request.getfixturevalue("shared") / "models" / "stories260K"
    else:
        folder = tmp_path / request.param
        lm = tiny(request.param)
        lm.model.save_pretrained(folder)
        lm.tokenizer.save_pretrained(folder)
    lm = load(str(folder), dtype="float32")
    item = random_items((13,))[0]
    bridge = lens.TransformerBridge.boot_transformers(str(folder), device="cpu", tokenizer=lm.tokenizer)
    with torch.no_grad():
        logits, cache = bridge.run_with_cache(torch.tensor([item.ids]))
    return lm, item, (logits, cache)


def test_every_readout_agrees(read: Any) -> None:
    lm, item, (logits, cache) = read
    features = extract(lm, [item], READOUTS)
    at, keys = item.positions["score"][0], list(item.positions["option_end"])
    n, share = lm.anatomy.n_blocks, lm.anatomy.n_heads // lm.anatomy.n_kv_heads

    def agree(ours: Any, theirs: Any) -> None:
        assert np.allclose(ours, theirs.detach().numpy(), atol=1e-4, rtol=1e-4)

    def product(q: Any, k: Any) -> Any:
        """Queries ``[T, H, hd]`` and keys ``[T, H or Hkv, hd]`` to ``[H, K]``."""
        if k.shape[1] < q.shape[1]:
            k = k.repeat_interleave(share, dim=1)
        return torch.einsum("hd,khd->hk", q[at], k[keys])

    def rows(name: str) -> Any:
        states = cache[name][0]
        # Hooks of fused projections hand over [T, H * hd], rotated ones [H, T, hd].
        if states.ndim == 2:
            return states.view(len(item.ids), -1, lm.anatomy.head_dim)
        return states if states.shape[0] == len(item.ids) else states.transpose(0, 1)

    for block in range(n):
        name = f"blocks.{block}"
        agree(features["hidden/score"][0, block], cache[f"{name}.hook_resid_pre"][0, at])
        agree(features["hidden/score"][0, block + 1], cache[f"{name}.hook_resid_post"][0, at])
        agree(features["attention"][0, block], cache[f"{name}.attn.hook_pattern"][0, :, at][:, keys])
        before = product(rows(f"{name}.attn.hook_q"), rows(f"{name}.attn.hook_k"))
        agree(features["qk/before"][0, block], before)
        if f"{name}.attn.hook_rot_q" in cache:
            after = product(rows(f"{name}.attn.hook_rot_q"), rows(f"{name}.attn.hook_rot_k"))
            agree(features["qk/after"][0, block], after)
            assert np.abs(features["qk/after"] - features["qk/before"]).max() > 1e-3
        else:
            assert type(lm.model).__name__ == "GPT2LMHeadModel"
            agree(features["qk/after"][0, block], before)
    agree(features["logits/score"][0, 1, n], logits[0, at, list(item.label_ids)])
