"""Texts that lie end to end in one row are read as those that have a row each, and nothing is padding."""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from innerjudge.extraction import Features, extract, reader as sweeps
from innerjudge.extraction.batching import by_length
from innerjudge.models.caching import Probe, packs_by_itself
from innerjudge.models.loading import LanguageModel, wrap
from innerjudge.models.positions import Encoding
from torch.nn.functional import scaled_dot_product_attention
from transformers import (
    AttentionInterface,
    AutoModelForCausalLM,
    BloomConfig,
    GPTJConfig,
    Lfm2Config,
    Llama4TextConfig,
    MambaConfig,
    MistralConfig,
    MixtralConfig,
    Qwen3MoeConfig,
    Qwen3NextConfig,
)
from transformers.modeling_flash_attention_utils import prepare_fa_kwargs_from_position_ids

from .conftest import CONFIGS, GROUPED, LENGTHS, READOUTS, SDPA, SPECIAL, same

Tiny = Callable[..., LanguageModel]
OPTIONS = (2, 4, 3, 2, 3, 4, 3)


PACKED: dict[str, Any] = {"packed": True}


def wrapped(config: Any, words: Any) -> LanguageModel:
    """A model of a config, with weights at which a leak shows."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(copy.deepcopy(config))
    for weight in model.parameters():
        weight.data += torch.randn_like(weight) * 0.15
    return wrap(model, words)


def moved(item: Encoding, by: int) -> dict[str, tuple[int, ...]]:
    return {role: tuple(at + by for at in places) for role, places in item.positions.items()}


def shapes_of_passes(lm: LanguageModel, run: Callable[[], Features]) -> tuple[Features, list[tuple[int, ...]]]:
    """What a run gives, and the shape of the token ids of each of its passes, once the model was tried."""
    run()
    seen: list[tuple[int, ...]] = []
    embedding = lm.model.get_input_embeddings()
    handle = embedding.register_forward_pre_hook(lambda _m, args: seen.append(tuple(args[0].shape)))
    try:
        return run(), seen
    finally:
        handle.remove()


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
@pytest.mark.parametrize("family", [name for name in CONFIGS if name != "opt"])
def test_packed_is_alone(family: str, kernel: str, tiny: Tiny, random_items: Any) -> None:
    if family not in SDPA and kernel == "sdpa":
        pytest.skip("has no such kernel")
    lm, items = tiny(family, attn_implementation=kernel), random_items(LENGTHS, options=OPTIONS)
    assert lm.reads_packed
    alone = extract(lm, items, READOUTS, batch_size=1)
    packed, passes = shapes_of_passes(lm, lambda: extract(lm, items, READOUTS, packed=True))
    # Longest first, and no row longer than the context of 64: 23 + 17 + 12 + 11 = 63, and 9 + 6 + 6 = 21.
    assert passes == [(1, 63), (1, 21)]
    same(alone, packed)


MORE: dict[str, Any] = {
    "mistral": MistralConfig(**GROUPED, sliding_window=4),
    "mixtral": MixtralConfig(**GROUPED, num_local_experts=4),
    "qwen3_moe": Qwen3MoeConfig(**GROUPED, head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16),
    "llama4, chunks of 4": Llama4TextConfig(
        **GROUPED, head_dim=8, intermediate_size_mlp=48, num_local_experts=2, attention_chunk_size=4
    ),
    "gptj, outside the registry": GPTJConfig(**SPECIAL, n_embd=32, n_layer=2, n_head=4, n_positions=64, rotary_dim=4),
}


@pytest.mark.parametrize("family", MORE)
def test_packed_is_alone_with_experts_windows_and_chunks(family: str, words: Any, random_items: Any) -> None:
    lm, items = wrapped(MORE[family], words), random_items(LENGTHS, options=OPTIONS)
    assert lm.reads_packed
    same(extract(lm, items, READOUTS, batch_size=1), extract(lm, items, READOUTS, packed=True))


@pytest.mark.parametrize("family", ["llama", "gemma3", "qwen3"])
def test_flex_attention(family: str, tiny: Tiny, random_items: Any) -> None:
    """As it is written: compiling it takes ten seconds a family. Attention rows need another kernel, packed or not."""
    items = random_items(LENGTHS, options=OPTIONS)
    with torch.compiler.set_stance("force_eager"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="flex_attention called without torch.compile")
        lm = tiny(family, attn_implementation="flex_attention")
        assert lm.reads_packed
        packed, passes = shapes_of_passes(lm, lambda: extract(lm, items, READOUTS, packed=True))
    assert passes[-2:] == [(1, 63), (1, 21)]
    assert "expected sdpa or eager" in packed.missing["attention"]["item-0"]
    alone = extract(tiny(family), items, READOUTS, batch_size=1)
    for name in alone.arrays.keys() - {"attention"}:
        assert np.allclose(packed[name], alone[name], atol=1e-4, rtol=1e-4), name


def varlen_by_hand(
    _module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, **more: Any
) -> tuple[torch.Tensor, None]:
    """Flash attention's way without its kernel: no mask, and the texts of a row parted by what position ids say."""
    assert mask is None
    assert len(query) == 1
    times = query.shape[1] // key.shape[1]
    key, value = (states.repeat_interleave(times, dim=1) for states in (key, value))
    (ends, _), _ = prepare_fa_kwargs_from_position_ids(more["position_ids"])
    sizes = ends.diff().tolist()
    parts = zip(*(states.split(sizes, dim=2) for states in (query, key, value)), strict=True)
    found = [scaled_dot_product_attention(*part, is_causal=True, scale=more["scaling"]) for part in parts]
    return torch.cat(found, dim=2).transpose(1, 2), None


@pytest.mark.parametrize("family", ["llama", "qwen3", "opt", "granite"])
def test_a_kernel_that_is_told_by_positions_alone(
    family: str, tiny: Tiny, words: Any, random_items: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As flash attention is, also where the model's own mask would not part the texts (OPT)."""
    monkeypatch.setitem(AttentionInterface._global_mapping, "varlen_by_hand", varlen_by_hand)
    items = random_items(LENGTHS)
    alone = extract(tiny(family), items, READOUTS[:5], batch_size=1)
    lm = wrap(copy.deepcopy(tiny(family).model), words)
    lm.model.set_attn_implementation("varlen_by_hand")
    assert lm.reads_packed
    same(alone, extract(lm, items, READOUTS[:5], packed=True))


REFUSED: dict[str, Any] = {
    "a recurrence": MambaConfig(vocab_size=61, hidden_size=32, state_size=4, num_hidden_layers=2),
    "a delta net beside attention": Qwen3NextConfig(
        **GROUPED,
        head_dim=8,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
        shared_expert_intermediate_size=16,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        layer_types=["linear_attention", "full_attention", "linear_attention"],
    ),
    "a convolution": Lfm2Config(**GROUPED, layer_types=["conv", "full_attention", "conv"]),
    "positions of its own count": BloomConfig(**SPECIAL, hidden_size=32, n_layer=2, n_head=4),
    "a mask without positions": CONFIGS["opt"],
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_runs_on_into_the_next_text_is_padded_and_said_once(what: str, words: Any, random_items: Any) -> None:
    lm, items = wrapped(REFUSED[what], words), random_items(LENGTHS)
    assert not lm.reads_packed
    readouts = READOUTS[:3]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        found = [extract(lm, items, readouts, packed=True) for _ in range(3)]
    assert [str(w.message).split(":")[0] for w in said] == ["texts are padded"]
    same(extract(lm, items, readouts, batch_size=1), found[0])


def test_a_leak_would_be_seen(tiny: Tiny, random_items: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions that do not restart make one text of all: the trial sees it, and so does a reading of it."""
    lm, items = tiny("llama"), random_items((9, 12, 7))
    alone = extract(lm, items, READOUTS, batch_size=1)
    assert lm.reads_packed

    def running_on(lengths: Any, offset: int) -> torch.Tensor:
        return torch.arange(sum(lengths))[None] + offset

    monkeypatch.setattr("innerjudge.models.caching.restarting", running_on)
    assert not Probe(lm.model, lm.anatomy.stream, 0, lm.pad_id).packs()
    monkeypatch.setattr("innerjudge.extraction.one_pass.restarting", running_on)
    monkeypatch.setattr(sweeps, "_proved", WeakKeyDictionary())
    with pytest.warns(UserWarning, match="in a row of 28 tokens is not that of the text alone") as said:
        same(alone, extract(lm, items, READOUTS, packed=True))
    assert len(said) == 1
    monkeypatch.setattr(sweeps, "_near", lambda *_: True)  # without the second look
    leaking = extract(lm, items, READOUTS[:1], packed=True)
    assert np.abs(leaking["hidden/reasoning_end"] - alone["hidden/reasoning_end"]).max() > 0.1


def test_other_texts_of_the_row_change_nothing(tiny: Tiny, random_items: Any) -> None:
    lm = tiny("gemma3")
    a, b, c = random_items((9, 12, 7))
    b_other = replace(random_items((12,), seed=9)[0], id=b.id)
    one, two = (extract(lm, [a, x, c], READOUTS, packed=True) for x in (b, b_other))
    for name in one.arrays:
        assert np.array_equal(one[name][[0, 2]], two[name][[0, 2]]), name


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(6, 30), min_size=1, max_size=6),
    size=st.integers(1, 7),
    family=st.sampled_from(["gpt2", "phi3"]),
    seed=st.integers(0, 1000),
)
def test_any_row_equals_one_at_a_time(
    tiny: Tiny, random_items: Any, lengths: list[int], size: int, family: str, seed: int
) -> None:
    lm, items = tiny(family), random_items(lengths, seed=seed)
    same(
        extract(lm, items, READOUTS, batch_size=1),
        extract(lm, items, READOUTS, batch_size=size, max_tokens=64, packed=True),
    )


def test_half_precision(tiny: Tiny, random_items: Any) -> None:
    lm, items = tiny("llama", seed=1, dtype=torch.bfloat16), random_items(LENGTHS)
    alone, packed = extract(lm, items, READOUTS, batch_size=1), extract(lm, items, READOUTS, packed=True)
    for name in alone.arrays:
        assert np.abs(alone[name] - packed[name]).max() <= 0.05 * np.abs(alone[name]).max(), name


def test_missing_positions_and_an_early_stop(tiny: Tiny, random_items: Any) -> None:
    lm, items = tiny("qwen3"), random_items(LENGTHS)
    lacking = {role: at for role, at in items[1].positions.items() if role not in ("reasoning_end", "option_end")}
    items[1] = replace(items[1], positions=lacking)
    alone, packed = (extract(lm, items, READOUTS[:-1], last_block=2, **how) for how in ({"batch_size": 1}, PACKED))
    assert set(alone.missing) == {"hidden/reasoning_end", "qk/before", "qk/after", "attention"}
    same(alone, packed)


def test_by_default_where_it_pays(tiny: Tiny, random_items: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lm, items = tiny("llama"), random_items((16, 17, 15))
    assert lm.reads_packed
    assert lm.padding_sides  # both are tried on first use, in passes of their own
    padded, passes = shapes_of_passes(lm, lambda: extract(lm, items, READOUTS))
    assert passes == [(3, 17)]
    monkeypatch.setattr(sys.modules["innerjudge.extraction.extract"], "packs_by_itself", lambda device, kernel: True)
    packed, passes = shapes_of_passes(lm, lambda: extract(lm, items, READOUTS))
    assert passes == [(1, 16 + 17 + 15)]
    same(padded, packed)
    _, passes = shapes_of_passes(lm, lambda: extract(lm, items, READOUTS, packed=False))
    assert passes == [(3, 17)]


@pytest.mark.parametrize(
    ("device", "kernel", "pays"),
    [
        ("cuda", "flash_attention_2", True),
        ("cuda:1", "flash_attention_3", True),
        ("cuda", "flex_attention", True),
        ("cuda", "sdpa", False),  # whose square would be of the whole row
        ("cpu", "flex_attention", False),
    ],
)
def test_where_it_pays(device: str, kernel: str, pays: bool) -> None:
    assert packs_by_itself(torch.device(device), kernel) is pays


def test_texts_with_one_prompt_share_it_and_the_rest_are_packed(tiny: Tiny, random_items: Any) -> None:
    lm = tiny("llama")
    assert lm.reads_packed
    assert lm.shares_prompts
    prompt = random_items((30,), seed=1)[0].ids
    together = [
        replace(item, id=f"with-{item.id}", ids=(*prompt, *item.ids), positions=moved(item, 30))
        for item in random_items((7, 12, 6, 9), seed=2)
    ]
    items = [*together[:2], *random_items((21, 13, 8), seed=5), *together[2:]]
    packed, passes = shapes_of_passes(lm, lambda: extract(lm, items, READOUTS[:3], packed=True))
    # Prompt, the four rests padded to 12, and the three others: 21 + 13 + 8 in one row.
    assert passes == [(1, 30), (4, 12), (1, 42)]
    same(extract(lm, items, READOUTS[:3], batch_size=1, share_prompts=False), packed)


def test_a_row_that_does_not_fit_is_halved(tiny: Tiny, random_items: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lm, items = tiny("llama"), random_items((12, 11, 10, 9))
    alone = extract(lm, items, READOUTS, batch_size=1)
    extract(lm, items, READOUTS, packed=True)
    run_batch, tried = sweeps.run_batch, []

    def limited(lm: Any, batch: Any, *rest: Any) -> Any:
        tried.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run_batch(lm, batch, *rest)

    monkeypatch.setattr(sweeps, "run_batch", limited)
    same(alone, extract(lm, items, READOUTS, packed=True))
    assert tried == [4, 2, 2]


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=20), size=st.integers(1, 6), tokens=st.integers(1, 80))
def test_rows_hold_every_text_once_and_no_more_than_they_may(lengths: list[int], size: int, tokens: int) -> None:
    rows = by_length(lengths, lambda _: size, tokens)
    assert sorted(k for row in rows for k in row) == list(range(len(lengths)))
    assert all(len(row) <= size for row in rows)
    assert all(len(row) == 1 or sum(lengths[k] for k in row) <= tokens for row in rows)
    read = [lengths[k] for row in rows for k in row]
    assert read == sorted(lengths, reverse=True)


def test_what_counts_as_near() -> None:
    alone = np.ones((3, 8), np.float32)
    alone[:, 0] = 5000.0  # a massive activation: the error of the others is not to hide behind it
    off = alone.copy()
    off[1, 1:] += 3.0  # sqrt(7) * 3 = 7.9 of 5000, over a thousandth of it, 5
    assert sweeps._near(alone * (1 + 1e-6), alone, 1e-3)
    assert not sweeps._near(off, alone, 1e-3)
    gone = alone.copy()
    gone[2] = np.nan
    assert not sweeps._near(gone, alone, 1e-3)
    assert sweeps._near(gone, gone, 1e-3), "what neither reading has is no difference"
    assert sweeps._near(np.zeros((0, 3)), np.zeros((0, 3)), 1e-3)
