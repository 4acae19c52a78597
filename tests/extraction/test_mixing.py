"""What one batch may mix: states are those of the text alone, whoever else is read or written beside it."""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.experiments.bench.coverage.shrink import registered_types, small_config
from innerjudge.experiments.bench.coverage.small_model import random_items, readable, small_model
from innerjudge.extraction import HiddenStates, extract
from innerjudge.extraction.writing.generate import complete
from innerjudge.models.description import open_paths
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.inputs import Mixing, context_of, find_mixing
from innerjudge.models.loading import LanguageModel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

UNTIL = 24
READ = [HiddenStates("score"), HiddenStates("middle")]
LENGTHS = (9, 40, 24, 33, 25, 40, 12)


def scaling(kind: str, half: int) -> dict[str, Any]:
    """Rotary parameters of one kind, for heads with ``half`` frequencies."""
    found: dict[str, Any] = {"rope_type": kind, "rope_theta": 1e4, "factor": 4.0}
    found |= {"original_max_position_embeddings": UNTIL}
    if kind == "longrope":
        found |= {"short_factor": [1.0] * half, "long_factor": [1.0 + 9.0 * k for k in range(half)]}
        found |= {"short_mscale": 1.1, "long_mscale": 1.3}
    if kind == "llama3":
        found |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    return found


def scaled(model_type: str, kind: str) -> PreTrainedConfig | None:
    """A small config of a type with scaled angles; ``None`` where the type has none."""
    config = small_config(model_type)
    text: Any = config.get_text_config(decoder=True)
    rope = getattr(text, "rope_parameters", None)
    if not rope or not isinstance(text.max_position_embeddings, int):
        return None
    flat = "rope_type" in rope
    size = getattr(text, "qk_rope_head_dim", None) or getattr(text, "head_dim", None)
    size = size or text.hidden_size // text.num_attention_heads
    part = rope.get("partial_rotary_factor", getattr(text, "partial_rotary_factor", 1.0)) if flat else 1.0
    own = scaling(kind, int(size * part) // 2)
    text.rope_parameters = {**rope, **own} if flat else {k: {**rope[k], **own} for k in rope}
    text.max_position_embeddings = UNTIL if kind == "dynamic" else 128
    text.original_max_position_embeddings = UNTIL
    return config


def rotary_types() -> list[str]:
    """One registered type for each implementation of rotary angles that the library has."""
    found: dict[str, str] = {}
    for model_type in registered_types():
        try:
            owner = sys.modules[MODEL_FOR_CAUSAL_LM_MAPPING[type(small_config(model_type))].__module__]
        except Exception:  # a type that the coverage table tells of
            continue
        for name, value in vars(owner).items():
            if name.endswith("RotaryEmbedding") and isinstance(value, type) and "Vision" not in name:
                code = "".join(map(inspect.getsource, (value.__init__, value.forward)))
                found.setdefault(re.sub(r"\w*Config\w*|#.*|\s", "", code), model_type)
    return list(dict.fromkeys(["llama", "phi3", "phimoe", *found.values()]))


def model(config: PreTrainedConfig) -> LanguageModel:
    lm = readable(small_model(config))
    return replace(lm, anatomy=replace(lm.anatomy, context=None))


def same(lm: LanguageModel, **how: Any) -> None:
    items = random_items(lm, LENGTHS)
    alone = [extract(lm, [item], READ) for item in items]
    found = extract(lm, items, READ, batch_size=4, max_tokens=500, **how)
    for row, one in enumerate(alone):
        for name in found.arrays:
            size = np.abs(one[name][0]).max()
            assert np.allclose(found[name][row], one[name][0], atol=2e-4 * size), (name, LENGTHS[row])


@pytest.mark.parametrize("kind", sorted(ROPE_INIT_FUNCTIONS))
def test_llama_with_angles_of_every_kind(kind: str) -> None:
    config = scaled("llama", kind)
    assert config is not None
    lm = model(config)
    assert lm.mixing == Mixing(UNTIL if kind in ("longrope", "dynamic") else None, exact=kind == "dynamic")
    same(lm)
    same(lm, padding_side="left", share_prompts=False)
    same(lm, packed=True)


def test_every_rotary_implementation() -> None:
    """Those that refuse a kind, or whose small model does not run with it, have no batches to get wrong."""
    tried = []
    for model_type in rotary_types():
        for kind in ("longrope", "dynamic"):
            try:
                config = scaled(model_type, kind)
                if config is None:
                    continue
                lm = model(config)
                extract(lm, random_items(lm, (40,)), READ)
            except (InnerjudgeError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError):
                continue
            tried.append((model_type, kind))
            same(lm)
    assert {("llama", "dynamic"), ("phi3", "longrope")} <= set(tried)
    assert len(tried) > 10


@pytest.fixture(params=["longrope", "dynamic"])
def lm(request: pytest.FixtureRequest) -> LanguageModel:
    config = scaled("phi3" if request.param == "longrope" else "llama", request.param)
    assert config is not None
    return model(config)


def test_what_is_written_does_not_move_with_the_batch(lm: LanguageModel) -> None:
    """Short ones, some that grow past the length at which the angles change, and longer ones."""
    items = random_items(lm, (9, 20, 22, 22, 30, 33))
    alone = [complete(lm, [item], max_new_tokens=6)[0] for item in items]
    assert complete(lm, items, max_new_tokens=6, batch_size=6) == alone


def test_what_was_read_before_leaves_no_trace(lm: LanguageModel) -> None:
    """Dynamic scaling keeps the angles of the longest text so far."""
    first, long = random_items(lm, (30, 60))
    once = extract(lm, [first], READ)["hidden/score"]
    extract(lm, [long], READ)
    assert np.array_equal(extract(lm, [first], READ)["hidden/score"], once)


def test_what_models_says(lm: LanguageModel) -> None:
    said = open_paths(lm)
    assert f"texts of more than {UNTIL} tokens" in said["batches"]
    assert said["early stop"].startswith("open")


@pytest.mark.parametrize(
    ("rope", "context"),
    [
        ({"rope_type": "default"}, 100),
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 80}, 320),
        ({"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 50}, 100),
        ({"rope_type": "dynamic", "factor": 3.0}, 300),
        ({"rope_type": "linear", "factor": 4.0}, 100),
    ],
)
def test_the_context_counts_the_factor(rope: dict[str, Any], context: int) -> None:
    config = LlamaConfig(max_position_embeddings=100, rope_parameters={**rope, "rope_theta": 1e4})
    assert context_of(config) == context
    assert find_mixing(config).until == (100 if rope["rope_type"] == "dynamic" else None)


def massive(seed: int = 0) -> LanguageModel:
    """A bfloat16 Llama whose first block adds thousands to one channel, which its last one takes out again."""
    config = small_config("llama")
    plain = small_model(config, seed=seed)
    assert isinstance(plain, LlamaForCausalLM)
    plain.to(torch.bfloat16)  # type: ignore[arg-type]
    with torch.no_grad():
        for block, sign in ((plain.model.layers[0], 1), (plain.model.layers[-1], -1)):
            block.mlp.down_proj.weight[5] += sign * 40.0
            block.mlp.up_proj.weight *= 6.0
    return readable(plain)


def test_rounding_is_no_fault_of_structure() -> None:
    for seed in range(3):
        lm = massive(seed)
        assert lm.padding_sides == {"left", "right"}
        assert lm.reads_packed
        assert lm.shares_prompts
        assert lm.dtype == "bfloat16", "the copy is let go"


def test_a_fault_of_structure_is_seen_in_half_precision() -> None:
    lm = readable(small_model(small_config("mamba")).to(torch.bfloat16))
    assert not lm.reads_packed
    assert not lm.shares_prompts
    assert open_paths(lm)["packing"].startswith("closed: ")


def test_reading_one_at_a_time_is_said() -> None:
    lm = readable(small_model(small_config("cpmant")))
    lm.__dict__["padding_sides"] = frozenset()
    with pytest.warns(UserWarning, match="texts are read one at a time: "):
        extract(lm, random_items(lm, (5, 9)), READ)


def test_tokens_without_states_are_no_traceback() -> None:
    """A tokenizer with more tokens than the embedding: items that have one are unscored, the others are read."""
    lm = readable(small_model(small_config("llama")))
    lm.tokenizer.add_tokens(["<think>"])
    lm.tokenizer.add_special_tokens({"pad_token": "<pad>"})
    assert lm.pad_id == 0 or lm.pad_id < lm.n_ids == 96
    good, bad = random_items(lm, (5, 9))
    bad = replace(bad, ids=(*bad.ids[:-1], 96))
    found = extract(lm, [good, bad], READ)
    assert found.missing["hidden/score"].keys() == {bad.id}
    assert "token 96 ('<think>') is none of the model's 96" in found.missing["hidden/score"][bad.id]
    said = complete(lm, [good, bad], max_new_tokens=2)
    assert not isinstance(said[0], str)
    assert isinstance(said[1], str)
    assert len(lm.fingerprint) == 16
