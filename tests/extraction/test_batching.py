"""Padding, batch size, order and company change nothing beyond float error."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from innerjudge.extraction import Features, extract, stream
from innerjudge.extraction.batching import by_length, collate
from innerjudge.models.inputs import positions
from innerjudge.models.loading import LanguageModel

from .conftest import LENGTHS, READOUTS, same


@pytest.mark.parametrize("family", ["llama", "yarn", "qwen3", "gpt2", "opt", "gpt_neo", "gemma2", "gemma3", "phi3"])
def test_padding_side_batch_size_and_order(family: str, tiny: Callable[..., LanguageModel], random_items: Any) -> None:
    lm, items = tiny(family), random_items(LENGTHS, options=(2, 4, 3, 2, 3, 4, 3))
    alone = extract(lm, items, READOUTS, batch_size=1)
    for side in ("left", "right"):
        for size in (2, 64):
            same(alone, extract(lm, items, READOUTS, batch_size=size, padding_side=side))
    order = [3, 0, 6, 2, 5, 1, 4]
    same(alone.take(order), extract(lm, [items[i] for i in order], READOUTS, batch_size=3))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(6, 30), min_size=1, max_size=6),
    size=st.integers(1, 7),
    side=st.sampled_from(["left", "right"]),
    seed=st.integers(0, 1000),
)
def test_any_batch_equals_one_at_a_time(
    tiny: Callable[..., LanguageModel], random_items: Any, lengths: list[int], size: int, side: Any, seed: int
) -> None:
    lm, items = tiny("gpt2"), random_items(lengths, seed=seed)
    same(extract(lm, items, READOUTS, batch_size=1), extract(lm, items, READOUTS, batch_size=size, padding_side=side))


@pytest.mark.parametrize("family", ["llama", "gpt_neo"])
def test_two_threads_share_one_model(family: str, tiny: Callable[..., LanguageModel], random_items: Any) -> None:
    lm = tiny(family)
    work = [random_items(LENGTHS, seed=1), random_items(LENGTHS[::-1], seed=2)]
    after_one_another = [extract(lm, items, READOUTS, batch_size=2) for items in work]
    found: dict[int, list[Features]] = {0: [], 1: []}
    start = threading.Barrier(2)

    def run(k: int) -> None:
        start.wait()
        for _ in range(6):
            found[k].append(extract(lm, work[k], READOUTS, batch_size=2))

    threads = [threading.Thread(target=run, args=(k,)) for k in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, features in found.items():
        assert len(features) == 6
        for one in features:
            same(one, after_one_another[k])


def test_a_stream_is_the_whole_in_parts(tiny: Callable[..., LanguageModel], random_items: Any) -> None:
    lm, items = tiny("llama"), random_items(LENGTHS)
    parts = list(stream(lm, items, READOUTS, chunk=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    same(extract(lm, items, READOUTS), Features.concat(parts))


def test_a_pass_leaves_no_hooks_and_no_tap(tiny: Callable[..., LanguageModel], random_items: Any) -> None:
    lm, items = tiny("llama"), random_items((9,))
    ids = torch.tensor([items[0].ids])

    def hooks() -> list[Any]:  # transformers keeps some of its own
        return [h for m in lm.model.modules() for h in (*m._forward_hooks.values(), *m._forward_pre_hooks.values())]

    before, own = lm.model(input_ids=ids).logits, hooks()
    extract(lm, items, READOUTS)
    assert hooks() == own
    assert torch.equal(before, lm.model(input_ids=ids).logits)


@pytest.mark.parametrize("side", ["left", "right"])
def test_collate_by_hand(random_items: Any, side: Any) -> None:
    items = random_items((6, 8))
    batch = collate(items, pad_id=0, side=side, device=torch.device("cpu"))
    short, long = (list(item.ids) for item in items)
    assert batch.ids.tolist() == [[0, 0, *short] if side == "left" else [*short, 0, 0], long]
    assert batch.mask.tolist() == [[0, 0, *[1] * 6] if side == "left" else [*[1] * 6, 0, 0], [1] * 8]
    assert batch.offsets.tolist() == [2 if side == "left" else 0, 0]
    real = batch.mask.bool()
    placed = positions(batch.mask, 0)
    assert placed[0][real[0]].tolist() == [0, 1, 2, 3, 4, 5]
    assert placed[1].tolist() == list(range(8))


@given(lengths=st.lists(st.integers(6, 40), min_size=1, max_size=20), size=st.integers(1, 6))
def test_batches_hold_every_item_once_and_least_padding(lengths: list[int], size: int) -> None:
    batches = by_length(lengths, lambda _length: size)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(batch) == size for batch in batches[:-1])
    read = [lengths[i] for batch in batches for i in batch]
    assert read == sorted(lengths, reverse=True)
