"""Every registered causal LM against its oracles, and the committed table against what they say today."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from innerjudge.experiments.bench.coverage.checks import ASPECTS, Coverage, check_type
from innerjudge.experiments.bench.coverage.document import COLUMNS, FOLDER, LENS, differences, markdown, read, totals
from innerjudge.experiments.bench.coverage.inner_oracle import ENTROPY, LABELS, LAST, STREAM, entropies
from innerjudge.experiments.bench.coverage.lens_oracle import check_transformer_lens
from innerjudge.experiments.bench.coverage.oracle import truth
from innerjudge.experiments.bench.coverage.shrink import registered_types, small_config
from innerjudge.experiments.bench.coverage.small_model import random_items, readable, small_model
from innerjudge.experiments.bench.coverage.token_oracle import TOKENS, tokens
from innerjudge.extraction import AttentionWeights, HiddenStates, LabelLogits, QueryKey, Ragged, extract

TABLE, VERSIONS = read()
#: Types whose TransformerLens column is looked at again here; the script looks at all.
LENS_TYPES = (
    "bloom",
    "falcon",
    "gemma2",
    "gpt2",
    "gpt_neox",
    "gptj",
    "llama",
    "olmo2",
    "opt",
    "phi3",
    "qwen2",
    "qwen3",
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("model_type", registered_types())
def test_type_is_as_committed(model_type: str) -> None:
    found = check_type(model_type).found
    assert not differences({model_type: TABLE.get(model_type, {})}, {model_type: found}, ASPECTS)
    assert not [said for said in found.values() if said.startswith("WRONG")]


@pytest.mark.parametrize("model_type", LENS_TYPES)
def test_transformer_lens_is_as_committed(model_type: str) -> None:
    pytest.importorskip("transformer_lens")
    assert check_transformer_lens(model_type) == TABLE[model_type][LENS]


def test_every_type_has_a_result_or_a_reason() -> None:
    assert sorted(TABLE) == registered_types()
    assert all(cells[column] for cells in TABLE.values() for column in COLUMNS)


def test_the_bars_are_held() -> None:
    count = totals(TABLE)
    assert min(count["hidden"], count["lens"], count["tokens"], count["early stop"]) >= 150
    assert min(count["attention"], count["qk before"], count["qk after"]) >= 130


def test_markdown_is_what_the_script_writes() -> None:
    assert (FOLDER / "coverage.md").read_text(encoding="utf-8") == markdown(TABLE, VERSIONS)


YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16}

#: Other shapes than the rule's: head sizes, groups, windows, rotary, soft-caps, ties.
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("llama", {"num_key_value_heads": 1, "head_dim": 24, "tie_word_embeddings": True}),
    ("llama", {"num_key_value_heads": 4, "attention_bias": True}),
    (
        "llama",
        {
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 1e4,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 16,
            }
        },
    ),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 2}),
    ("mistral", {"sliding_window": 3}),
    ("gemma2", {"attn_logit_softcapping": None, "final_logit_softcapping": None, "tie_word_embeddings": False}),
    ("gemma3_text", {"final_logit_softcapping": 2.0, "sliding_window": 2}),
    ("phi", {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.25}}),
    ("gpt_neox", {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 1.0}}),
    ("gpt_neox", {"use_parallel_residual": False, "tie_word_embeddings": True}),
    # Its two kernels give different weights with ALiBi: read with the one that returns them.
    (
        "falcon",
        {"kernel": "eager", "alibi": True, "new_decoder_architecture": False, "multi_query": False, "num_kv_heads": 4},
    ),
    ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
    ("bloom", {"apply_residual_connection_post_layernorm": True}),
    ("opt", {"do_layer_norm_before": False}),
    ("opt", {"word_embed_proj_dim": 16}),
    ("gpt_bigcode", {"multi_query": False}),
    ("gpt2", {"scale_attn_by_inverse_layer_idx": True, "tie_word_embeddings": False}),
    ("cohere", {"use_qk_norm": True, "logit_scale": 3.0}),
    ("stablelm", {"qk_layernorm": True, "use_parallel_residual": True}),
    ("minicpm3", {"dim_model_base": 16, "scale_depth": 2.0}),
    ("granite", {"logits_scaling": 0.5}),
    ("gpt_oss", {"sliding_window": 2, "num_attention_heads": 8}),
    ("mpt", {"attn_config": {"alibi": False, "qk_ln": True}}),
    ("bert", {"is_decoder": False}),
    # No block rotates, though a module makes cosines and sines.
    ("exaone4", {"layer_types": ["full_attention"] * 4}),
    ("afmoe", {"num_hidden_layers": 1, "layer_types": ["full_attention"], "tie_word_embeddings": True}),
    ("smollm3", {"no_rope_layers": [0, 0, 0, 0]}),
    # One block; stretched cosines on some of the dimensions; a temperature by position.
    ("llama", {"num_hidden_layers": 1, "num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 6}),
    ("gpt_neox", {"rope_parameters": {**YARN, "partial_rotary_factor": 0.25}, "attention_bias": False}),
    ("glm", {"rope_parameters": {**YARN, "partial_rotary_factor": 0.5}, "tie_word_embeddings": True}),
    ("ministral3", {"rope_parameters": {**YARN, "llama_4_scaling_beta": 0.1}, "head_dim": 8}),
    ("inkling2_text", {"n_layers_per_attn_res_block": 3}),
    ("inkling2_text", {"n_layers_per_attn_res_block": 1, "num_hidden_layers": 4}),
    ("gpt2", {"reorder_and_upcast_attn": True, "kernel": "eager"}),
    ("gpt2", {"reorder_and_upcast_attn": True, "scale_attn_by_inverse_layer_idx": True}),
    ("gemma2", {"kernel": "eager", "sliding_window": 1, "attn_logit_softcapping": 2.0}),
    ("reformer", {"attn_layers": ["lsh", "local", "lsh", "local"], "num_attention_heads": 2}),
]


# Attention and MLP of these do not add to one stream: another norm or sum stands between, or there are two streams.
STREAMLESS = {"bert", "bloom", "falcon", "inkling2_text", "opt-do_layer_norm_before", "reformer"}


@pytest.mark.parametrize(("model_type", "changes"), VARIANTS, ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_other_shapes_of_a_type(model_type: str, changes: dict[str, Any]) -> None:
    found = check_type(model_type, **changes).found
    if {model_type, "-".join((model_type, *changes))} & STREAMLESS:
        assert "do not add the outputs of attention and MLP to one stream" in found.pop("parts")
    if model_type == "inkling2_text":  # whose blocks read the states of all earlier ones
        assert "to one stream" in found.pop("entropy")
    assert found == dict.fromkeys((aspect for aspect in ASPECTS if aspect in found), "pass")


@pytest.mark.parametrize(
    ("model_type", "changes", "reason"),
    [
        ("rwkv", {"num_hidden_layers": 7}, "none of whose blocks has softmax attention"),
        # Keys are hashed, and lie in chunks, in a text of more than one of them.
        ("reformer", {"lsh_attn_chunk_length": 8, "local_attn_chunk_length": 8}, "computed attention unseen"),
        ("reformer", {"lsh_attn_chunk_length": 4, "local_attn_chunk_length": 4}, "none of whose blocks"),
    ],
)
def test_what_has_no_heads_to_read_still_gives_its_states(
    model_type: str, changes: dict[str, Any], reason: str
) -> None:
    found = check_type(model_type, **changes).found
    for aspect in ("hidden", "lens", "early stop"):
        assert found[aspect] == "pass"
    for aspect in ("attention", "qk before", "qk after"):
        assert reason in found[aspect]


def test_the_kernel_that_is_read_is_not_always_that_of_the_oracle() -> None:
    config = small_config("llama")
    plain, eager = small_model(config), small_model(config, attn_implementation="eager")
    assert (plain.config._attn_implementation, eager.config._attn_implementation) == ("sdpa", "eager")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("model_type", ["cohere", "gemma2", "gpt2", "llama", "minicpm3", "qwen3", "recurrent_gemma"])
def test_half_precision(model_type: str, dtype: torch.dtype) -> None:
    """Found as in single precision, and read to the digits that the type has."""
    exact = readable(small_model(small_config(model_type)))
    half = readable(small_model(small_config(model_type)).to(dtype))
    assert (half.anatomy.post.scale, half.anatomy.post.softcap) == (
        exact.anatomy.post.scale,
        exact.anatomy.post.softcap,
    )
    items = random_items(exact, (11, 8))
    readouts = [HiddenStates("score"), LabelLogits("score"), QueryKey("after"), QueryKey("before"), AttentionWeights()]
    a, b = (extract(lm, items, readouts) for lm in (exact, half))
    for name in a.arrays:
        assert abs(a[name] - b[name]).max() < 0.15 * abs(a[name]).max(), name


def test_a_wrong_number_of_each_would_be_seen() -> None:
    lm = readable(small_model(small_config("llama")))
    items = random_items(lm, (11, 8))
    truths = [truth(lm.model, item.ids, lm) for item in items]
    for check, readouts in ((tokens, TOKENS), (entropies, (ENTROPY, LAST, LABELS))):
        found = extract(lm, items, [*readouts, STREAM])
        assert check(lm, found, items, truths) == "pass"
        for name in (readout.name for readout in readouts):
            arrays = {key: array + (key == name) for key, array in found.arrays.items()}
            ragged = {key: Ragged(rows.values + (key == name), rows.offsets) for key, rows in found.ragged.items()}
            assert check(lm, replace(found, arrays=arrays, ragged=ragged), items, truths).startswith("WRONG: "), name


def test_a_wrong_reading_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracles can fail: a norm that is left out, a scale, a head order, a rotation."""
    from innerjudge.extraction.taps import attention

    def result() -> Coverage:
        return check_type("qwen3")

    with monkeypatch.context() as patch:
        patch.setattr("innerjudge.models.anatomy.Anatomy.normed", lambda _a, states: states * 1.001)
        found = {k: v for k, v in result().found.items() if v != "pass"}
        assert any("WRONG" in said or "to equal its logits" in said for said in found.values())
    with monkeypatch.context() as patch:
        plain = attention.products
        patch.setattr(attention, "products", lambda q, k, *scale: plain(q.flip(1), k, *scale))
        assert not result().passes("qk after")
    with monkeypatch.context() as patch:

        def turned(tap: Any, _heads: Any, call: Any, q_at: Any, k_at: Any, _number: int) -> Any:
            return tap._unrotated.pick(call.query, q_at), tap._unrotated.pick(call.key, k_at)

        patch.setattr(attention.AttentionTap, "_before_rotary", turned)
        assert not result().passes("qk before")
