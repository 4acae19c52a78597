"""Texts that begin alike are read as those that are read whole, and their beginning is computed once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import (
    AttentionWeights,
    HiddenStates,
    LabelLogits,
    QueryKey,
    extract,
    reader as sweeps,
    schedule,
)
from innerjudge.models.inputs import find_mixing
from innerjudge.models.loading import LanguageModel, wrap
from innerjudge.models.positions import Encoding
from transformers import LlamaConfig, LlamaForCausalLM, MambaConfig, MambaForCausalLM

from . import conftest
from .conftest import same

Tiny = Callable[..., LanguageModel]
PROMPT = 30
READOUTS = [HiddenStates("reasoning_start"), *conftest.READOUTS]
#: Rotary, learned and no positions, sliding windows shorter than the prompt (4 tokens), soft-caps, q/k norms.
FAMILIES = ["llama", "yarn", "qwen3", "gpt_neox", "gpt2", "gpt_neo", "gemma2", "gemma3", "phi3", "cohere2", "opt"]


def candidates(make: Any, *, answers: tuple[int, ...] = (7, 12, 6, 9), seed: int = 0) -> list[Encoding]:
    """Answers to one prompt; options in the prompt, across its end and behind it; one item lacks a position."""
    prompt = make((PROMPT,), seed=seed + 100)[0].ids
    found = []
    for k, item in enumerate(make(answers, seed=seed)):
        ids = (*prompt, *item.ids)
        positions = {
            "prompt_end": (PROMPT - 1,),
            "reasoning_start": (3 + k % 2,),
            "reasoning_end": (len(ids) - 3,),
            "response_end": (len(ids) - 1,),
            "score": (len(ids) - 1,),
            "option_end": ((2, 9, PROMPT - 1), (5, PROMPT, len(ids) - 2), (1, 2), (PROMPT, PROMPT + 2, PROMPT + 4))[
                k % 4
            ],
        }
        if k == 2:
            del positions["reasoning_end"]
        found.append(replace(item, id=f"{seed}-{k}", ids=ids, positions=positions, missing={}))
    return found


@contextmanager
def counted(lm: LanguageModel) -> Iterator[list[int]]:
    """Tokens of every pass."""
    seen: list[int] = []
    embedding = lm.model.get_input_embeddings()
    handle = embedding.register_forward_pre_hook(lambda _m, args: seen.append(args[0].numel()))
    try:
        yield seen
    finally:
        handle.remove()


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_to_whole_texts(family: str, tiny: Tiny, random_items: Any) -> None:
    lm, items = tiny(family), candidates(random_items)
    assert lm.shares_prompts
    naive = extract(lm, items, READOUTS, share_prompts=False)
    with counted(lm) as tokens:
        shared = extract(lm, items, READOUTS)
    # The log-probability of the first response token needs the prompt's last state: 29 tokens are shared, and the rest
    # is padded to the longest, 1 + 12.
    assert tokens == [PROMPT - 1, 4 * 13]
    same(naive, shared)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3"])
def test_eager_kernel_and_early_stop(family: str, tiny: Tiny, random_items: Any) -> None:
    lm, items = tiny(family, attn_implementation="eager"), candidates(random_items)
    same(extract(lm, items, READOUTS, share_prompts=False), extract(lm, items, READOUTS))
    early = extract(lm, items, READOUTS[:-1], last_block=2)
    assert early["hidden/prompt_end"].shape[1] == 3
    same(extract(lm, items, READOUTS[:-1], last_block=2, share_prompts=False), early)


def test_without_log_probabilities_the_whole_prompt_is_shared(tiny: Tiny, random_items: Any) -> None:
    lm, items = tiny("llama"), candidates(random_items)
    with counted(lm) as tokens:
        extract(lm, items, READOUTS[:-1])
    assert tokens == [PROMPT, 4 * 12]


def test_two_prompts_a_lone_text_and_a_family_in_several_batches(tiny: Tiny, random_items: Any) -> None:
    lm = tiny("qwen3")
    items = [*candidates(random_items), *random_items((21,), seed=5), *candidates(random_items, seed=1)]
    items = [items[k] for k in (5, 0, 4, 6, 1, 7, 2, 8, 3)]
    naive = extract(lm, items, READOUTS, share_prompts=False)
    same(naive, extract(lm, items, READOUTS))
    with counted(lm) as tokens:
        same(naive, extract(lm, items, READOUTS, batch_size=3, padding_side="left"))
    # Each family of 13, 10, 8 and 7 tokens in two batches of two: 2 * 13 + 2 * 8.
    assert sorted(tokens) == sorted([29, 2 * 13, 2 * 8, 29, 2 * 13, 2 * 8, 21])


def test_query_inside_the_common_beginning(tiny: Tiny, random_items: Any) -> None:
    """Two prompts that differ behind the query only: no more is shared than what comes before it."""
    lm, items = tiny("llama"), candidates(random_items)
    items = [replace(item, positions={**item.positions, "score": (25,), "option_end": (3, 24)}) for item in items]
    readouts = [QueryKey("before"), AttentionWeights(), LabelLogits("score")]
    with counted(lm) as tokens:
        shared = extract(lm, items, readouts)
    assert tokens[0] == 25
    same(extract(lm, items, readouts, share_prompts=False), shared)


def test_half_precision(tiny: Tiny, random_items: Any) -> None:
    lm = tiny("llama", seed=1, dtype=torch.bfloat16)
    items = candidates(random_items)
    naive, shared = extract(lm, items, READOUTS, share_prompts=False), extract(lm, items, READOUTS)
    for name in naive.arrays:
        assert np.abs(naive[name] - shared[name]).max() <= 0.05 * np.abs(naive[name]).max(), name


def test_a_recurrence_is_read_text_by_text_and_says_so_once(words: Any, random_items: Any) -> None:
    torch.manual_seed(0)
    lm = wrap(MambaForCausalLM(MambaConfig(vocab_size=61, hidden_size=32, state_size=4, num_hidden_layers=2)), words)
    items, readouts = candidates(random_items), [HiddenStates("score"), LabelLogits("score")]
    assert not lm.shares_prompts
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        found = [extract(lm, items, readouts) for _ in range(3)]
    assert [str(w.message) for w in said] == [
        "prompts are computed once for each text: MambaForCausalLM cannot share them (a text that goes on after a "
        "cached prompt reads differently, or there is no such cache)"
    ]
    same(extract(lm, items, readouts, share_prompts=False), found[0])


def test_a_cache_that_fails_on_the_way_is_left(tiny: Tiny, random_items: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lm, items = tiny("llama"), [*candidates(random_items), *candidates(random_items, seed=1)]
    run_batch = sweeps.run_batch

    def failing(*args: Any) -> Any:
        if args[-1] is not None:
            raise ValueError("odd cache")
        return run_batch(*args)

    monkeypatch.setattr(sweeps, "run_batch", failing)
    with pytest.warns(UserWarning, match="odd cache") as said:
        found = extract(lm, items, READOUTS)
    assert len(said) == 1
    same(extract(lm, items, READOUTS, share_prompts=False), found)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_a_prompt_that_does_not_fit_says_nothing_about_sharing(
    tiny: Tiny, random_items: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    lm, items = tiny("llama"), [*candidates(random_items), *candidates(random_items, seed=1)]
    naive = extract(lm, items, READOUTS, share_prompts=False)
    read_prompt, asked = schedule.read_prompt, []

    def full_at_first(*args: Any) -> Any:
        asked.append(args)
        if len(asked) == 1:
            raise error
        return read_prompt(*args)

    monkeypatch.setattr(schedule, "read_prompt", full_at_first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = extract(lm, items, READOUTS)
    assert len(asked) == 2  # the second prompt is shared again
    same(naive, found)


def test_angles_that_depend_on_the_length_are_not_shared_beyond_it(words: Any, random_items: Any) -> None:
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    config = LlamaConfig(
        vocab_size=61,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=40,
        rope_parameters=rope,
    )
    assert find_mixing(config).until == 40
    torch.manual_seed(0)
    lm = wrap(LlamaForCausalLM(config), words)
    assert lm.shares_prompts
    assert lm.padding_sides
    items = candidates(random_items, answers=(7, 10, 6, 9))
    with counted(lm) as tokens:
        shared = extract(lm, items, READOUTS)
    assert tokens[0] == PROMPT - 1
    same(extract(lm, items, READOUTS, share_prompts=False), shared)
    long = [replace(item, ids=item.ids + item.ids[:8]) for item in items]
    lm = replace(lm, anatomy=replace(lm.anatomy, context=None))
    with counted(lm) as tokens:
        extract(lm, long, READOUTS[:2])
    assert PROMPT - 1 not in tokens
