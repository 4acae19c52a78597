"""Texts that go on from a beginning computed once are those that read it each for themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from innerjudge.extraction.batching import Room, collate
from innerjudge.extraction.writing import prefix_cache
from innerjudge.extraction.writing.decoding import decode
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import Encoding
from transformers import GenerationConfig


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few shared tokens are worth a pass of their own here."""

    class Eager(Room):
        def __init__(self, device: torch.device, max_tokens: int | None) -> None:
            super().__init__(device, max_tokens)
            self.fixed = 0

    monkeypatch.setattr(prefix_cache, "Room", Eager)


def texts(beginnings: Sequence[int], lengths: Sequence[Sequence[int]], *, seed: int = 0) -> list[Encoding]:
    """For each beginning, so many texts of these lengths that share it."""
    random = torch.Generator().manual_seed(seed)

    def tokens(n: int) -> tuple[int, ...]:
        return tuple(torch.randint(4, 60, (n,), generator=random).tolist())

    heads = [tokens(n) for n in beginnings]
    rows = [(*head, *tokens(n - len(head))) for head, some in zip(heads, lengths, strict=True) for n in some]
    return [Encoding(id=str(k), group="", ids=ids, positions={}) for k, ids in enumerate(rows)]


CASES: dict[str, list[Encoding]] = {
    "one beginning, one length": texts([12], [[16, 16, 16]]),
    "one beginning, padded": texts([12], [[20, 14, 16]]),
    "padding longer than the beginning": texts([6], [[24, 9, 24, 22]]),
    "two beginnings": texts([12, 8], [[18, 16], [14, 15, 16]]),
    "one text alone": texts([12, 4], [[20, 18, 19], [9]]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neo", "gemma3", "phi3", "cohere2", "qwen3", "opt"])
def test_greedy_texts_and_logits(tiny: Callable[..., LanguageModel], family: str, case: str) -> None:
    lm, items = tiny(family), CASES[case]
    cache = prefix_cache.prefix_cache(lm, items, 6)
    assert cache is not None
    longest = max(len(item.ids) for item in items)
    assert 0 < cache.get_seq_length() < longest
    logits: dict[bool, list[torch.Tensor]] = {True: [], False: []}
    for share in (True, False):
        batch = collate(items, pad_id=lm.pad_id, side="left", device=lm.device)
        more: dict[str, Any] = {"past_key_values": cache} if share else {}
        with torch.inference_mode():
            out: Any = lm.model.generate(
                input_ids=batch.ids,
                attention_mask=batch.mask,
                generation_config=GenerationConfig(
                    max_new_tokens=6, output_logits=True, return_dict_in_generate=True, pad_token_id=0
                ),
                **more,
            )
        logits[share] = list(out.logits)
    for one, two in zip(logits[True], logits[False], strict=True):
        assert torch.allclose(one, two, atol=2e-4 * float(two.abs().max().clamp(min=1)))
    assert decode(lm, items, 6) == decode(lm, items, 6, share=False)


def test_the_beginning_is_computed_once(tiny: Callable[..., LanguageModel]) -> None:
    lm, items = tiny("llama"), CASES["one beginning, padded"]
    shapes: list[tuple[int, ...]] = []
    decode(lm, items, 1)  # what is tried once a model
    handle = lm.anatomy.blocks[0].register_forward_hook(lambda _m, args, _o: shapes.append(tuple(args[0].shape[:2])))
    try:
        decode(lm, items, 1)
    finally:
        handle.remove()
    assert shapes == [(1, 12), (3, 8)]


def test_where_it_does_not_pay(tiny: Callable[..., LanguageModel], monkeypatch: pytest.MonkeyPatch) -> None:
    lm = tiny("llama")
    assert prefix_cache.prefix_cache(lm, texts([0], [[12, 12]]), 4) is None
    # 12 tokens for two texts save 12; the text alone is as long as the whole batch: no column is common to all.
    assert prefix_cache.prefix_cache(lm, texts([12, 0], [[16, 16], [16]]), 4) is None
    monkeypatch.undo()
    assert prefix_cache.prefix_cache(lm, CASES["one beginning, padded"], 4) is None, "too few tokens to be worth it"
