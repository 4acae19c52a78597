"""Readouts and texts from one reading of the prompts are those of two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from innerjudge.extraction import AttentionWeights, HiddenStates, LabelLogits, QueryKey, ResponseLogProb, extract
from innerjudge.extraction.writing.generate import generate
from innerjudge.extraction.writing.write_and_read import read_and_write
from innerjudge.models.loading import LanguageModel, wrap
from innerjudge.models.positions import Encoding
from transformers import MambaConfig, MambaForCausalLM

READOUTS: list[Any] = [
    HiddenStates("score"),
    HiddenStates("reasoning_end"),
    LabelLogits(),
    QueryKey("before"),
    QueryKey("after"),
    AttentionWeights(),
    ResponseLogProb(),
]


def naive(lm: LanguageModel, items: list[Encoding], readouts: list[Any], tokens: int) -> Any:
    read = extract(lm, items, readouts, batch_size=1, share_prompts=False)
    return read.join(generate(lm, items, name="direct", max_new_tokens=tokens, batch_size=1))


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neo", "gemma3", "phi3", "qwen3"])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_one_reading_is_two(
    tiny: Callable[..., LanguageModel], random_items: Any, family: str, batch_size: int
) -> None:
    lm, items = tiny(family), random_items((12, 9, 12, 17, 8), options=[3, 2, 3, 4, 1])
    items[1] = replace(items[1], missing={"option_end": "changed"}, positions={
        role: at for role, at in items[1].positions.items() if role != "option_end"
    })  # fmt: skip
    items[4] = replace(items[4], label_ids=(), missing={"labels": "split"})
    expected = naive(lm, items, READOUTS, 6)
    found = read_and_write(lm, items, READOUTS, name="direct", max_new_tokens=6, batch_size=batch_size)
    assert found.texts == expected.texts
    assert found.missing == expected.missing
    assert (found.ids, found.groups, found.provenance) == (expected.ids, expected.groups, expected.provenance)
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_allclose(found[name], array, atol=2e-4 * max(1.0, np.abs(array).max()), err_msg=name)


def test_what_has_no_room_for_a_text_is_read_all_the_same(
    tiny: Callable[..., LanguageModel], random_items: Any
) -> None:
    lm, items = tiny("gpt2"), random_items((62, 12, 70))  # a context of 64: no room for six more, and none at all
    expected = naive(lm, items, READOUTS, 6)
    found = read_and_write(lm, items, READOUTS, name="direct", max_new_tokens=6)
    assert found.texts == expected.texts
    assert found.missing == expected.missing
    assert set(found.missing["direct"]) == {"item-0", "item-2"}
    for name, array in expected.arrays.items():
        np.testing.assert_allclose(found[name], array, atol=2e-4 * max(1.0, np.abs(array).max()), err_msg=name)


def test_prompts_that_begin_alike_are_computed_once_in_each_of_two_readings(
    tiny: Callable[..., LanguageModel], random_items: Any
) -> None:
    lm = tiny("llama")
    shared = random_items((40,), seed=5)[0].ids
    items = [
        replace(
            item,
            ids=(*shared, *item.ids),
            positions={role: tuple(at + 40 for at in places) for role, places in item.positions.items()},
        )
        for item in random_items((8, 6, 9, 7))
    ]
    assert lm.shares_prompts
    assert "left" in lm.padding_sides  # tried before tokens are counted
    expected = naive(lm, items, READOUTS[:4], 6)
    tokens: list[int] = []
    handle = lm.model.get_input_embeddings().register_forward_pre_hook(lambda _m, args: tokens.append(args[0].numel()))
    try:
        found = read_and_write(lm, items, READOUTS[:4], name="direct", max_new_tokens=6, batch_size=4)
    finally:
        handle.remove()
    # Whole prompts are 190 tokens. Two readings are of 40 + 4 * 9 each, or little more where rows begin later.
    assert sum(tokens) < 190
    assert found.texts == expected.texts
    for name, array in expected.arrays.items():
        np.testing.assert_allclose(found[name], array, atol=2e-4 * max(1.0, np.abs(array).max()), err_msg=name)


def test_what_a_model_does_not_give_is_missing(words: Any, random_items: Any) -> None:
    lm = wrap(MambaForCausalLM(MambaConfig(vocab_size=61, hidden_size=32, num_hidden_layers=2)), words)
    items = random_items((12, 9))
    expected = naive(lm, items, READOUTS, 4)
    found = read_and_write(lm, items, READOUTS, name="direct", max_new_tokens=4)
    assert found.texts == expected.texts
    assert found.missing == expected.missing
    assert {"attention", "qk/before"} <= found.missing.keys()
    np.testing.assert_allclose(found["logits/score"], expected["logits/score"], atol=1e-3)


def test_prompts_are_read_once_and_clear_texts_end(tiny: Callable[..., LanguageModel], random_items: Any) -> None:
    lm, items = tiny("llama"), random_items((12, 9, 12))
    whole = generate(lm, items, name="direct", max_new_tokens=6).texts["direct"]
    shapes: list[tuple[int, ...]] = []
    handle = lm.anatomy.blocks[0].register_forward_hook(lambda _m, args, _o: shapes.append(tuple(args[0].shape[:2])))
    try:
        found = read_and_write(
            lm,
            items,
            [LabelLogits()],
            name="direct",
            max_new_tokens=6,
            settled=lambda k, text: len(text.split()) == k + 1,
        )
    finally:
        handle.remove()
    # The first text is clear after one token, the last after three: the prompts, and two steps.
    assert shapes == [(3, 12), (3, 1), (3, 1)]
    assert [text.split() for text in found.texts["direct"]] == [text.split()[: k + 1] for k, text in enumerate(whole)]
