"""A budget of tokens a batch; a run that meets a full memory goes on with smaller batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from innerjudge.extraction import (
    AttentionWeights,
    HiddenStates,
    LabelLogits,
    QueryKey,
    ResponseLogProb,
    extract,
    reader as sweeps,
)
from innerjudge.extraction.batching import Room, by_cost, is_memory
from innerjudge.models.loading import LanguageModel

Tiny = Callable[..., LanguageModel]
READOUTS = [HiddenStates("score"), LabelLogits("score"), QueryKey("before"), AttentionWeights(), ResponseLogProb()]
LENGTHS = (40, 9, 17, 38, 6, 12, 36, 11, 23, 35)
CPU = torch.device("cpu")


def cost(batches: list[list[int]], lengths: Sequence[int], fixed: int) -> int:
    return sum(fixed + len(batch) * max(lengths[k] for k in batch) for batch in batches)


def test_batches_hold_at_most_so_many_tokens() -> None:
    batches = by_cost(LENGTHS, Room(CPU, 80).items, 1000)  # so dear a pass makes as few as there can be
    # Longest first: two of 40 or 38 fit, and of 36 or 35; three of 23 would, but four batches it takes in any case, and
    # 2 * 23 + 4 * 12 is less than 3 * 23 + 3 * 11.
    assert [[LENGTHS[k] for k in batch] for batch in batches] == [[40, 38], [36, 35], [23, 17], [12, 11, 9, 6]]
    assert Room(CPU, 80).items(1000) == 1
    # 23 with 17 and 12 costs 69 + 5; alone, and 17 with 12: 23 + 34 + 10.
    batches = by_cost((23, 17, 12), lambda _length: 8, 5)
    assert [[(23, 17, 12)[k] for k in batch] for batch in batches] == [[23], [17], [12]]
    batches = by_cost((23, 17, 12), lambda _length: 8, 6)
    assert cost(batches, (23, 17, 12), 6) == 23 + 6 + 2 * 17 + 6 - 0 == cost([[0], [1, 2]], (23, 17, 12), 6)
    assert by_cost((), lambda _length: 8, 6) == []


@given(st.lists(st.integers(1, 40), max_size=7), st.integers(0, 30), st.integers(1, 5))
def test_no_cut_of_the_sorted_texts_is_cheaper(lengths: list[int], fixed: int, most: int) -> None:
    found = by_cost(lengths, lambda _length: most, fixed)
    assert sorted(k for batch in found for k in batch) == list(range(len(lengths)))
    assert all(len(batch) <= most for batch in found)
    order = sorted(range(len(lengths)), key=lambda k: -lengths[k])
    cuts = [
        [order[a:b] for a, b in pairwise((0, *inner, len(order)))]
        for n in range(len(order))
        for inner in combinations(range(1, len(order)), n)
    ]
    allowed = [cut for cut in cuts if all(len(batch) <= most for batch in cut)]
    assert cost(found, lengths, fixed) == min((cost(cut, lengths, fixed) for cut in allowed), default=0)


def test_results_come_in_the_given_order(tiny: Tiny, random_items: Any) -> None:
    lm, items = tiny("llama"), random_items(LENGTHS)
    alone = extract(lm, items, READOUTS, batch_size=1)
    batched = extract(lm, items, READOUTS, max_tokens=80, batch_size=64)
    assert batched.ids == alone.ids == tuple(item.id for item in items)
    for name in alone.arrays:
        assert np.allclose(alone[name], batched[name], atol=1e-4, rtol=1e-4)


class Memory:
    """A machine on which a batch fits as long as it has at most ``tokens`` tokens, padding included."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tokens: int, error: BaseException) -> None:
        self.tried: list[tuple[int, int]] = []
        run_batch = sweeps.run_batch

        def limited(lm: Any, items: Any, *rest: Any) -> Any:
            longest = max(len(item.ids) for item in items)
            self.tried.append((len(items), longest))
            if len(items) * longest > tokens:
                raise error
            return run_batch(lm, items, *rest)

        monkeypatch.setattr(sweeps, "run_batch", limited)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_a_full_memory_halves_the_batch(
    tiny: Tiny, random_items: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    lm, items = tiny("llama"), random_items(LENGTHS)
    expected = extract(lm, items, READOUTS, batch_size=1)
    memory = Memory(monkeypatch, 80, error)
    done: list[int] = []
    found = extract(lm, items, READOUTS, batch_size=8, max_tokens=10_000, on_batch=done.append)
    # The four of 35 to 40 tokens are cheapest together; they do not fit, two do. All of them are of one bucket (32 to
    # 63 tokens), so the other two are tried as two.
    assert memory.tried[:3] == [(4, 40), (2, 40), (2, 36)]
    assert sum(done) == len(items)
    assert not found.missing
    for name in expected.arrays:
        assert np.allclose(expected[name], found[name], atol=1e-4, rtol=1e-4)


def test_a_text_that_does_not_fit_alone_is_unscored(
    tiny: Tiny, random_items: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm, items = tiny("llama"), random_items(LENGTHS)
    Memory(monkeypatch, 37, MemoryError())
    done: list[int] = []
    found = extract(lm, items, READOUTS, on_batch=done.append)
    assert sum(done) == len(items)
    reasons = {f"item-{k}": f"{LENGTHS[k]} tokens, for which the memory of cpu is too small" for k in (0, 3)}
    assert found.missing == {readout.name: reasons for readout in READOUTS}
    assert not found["hidden/score"][[0, 3]].any()
    assert found["hidden/score"][[1, 2]].any()


def test_other_errors_are_not_taken_for_a_full_memory(
    tiny: Tiny, random_items: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Memory(monkeypatch, 0, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        extract(tiny("llama"), random_items((9,)), READOUTS)
    assert is_memory(torch.OutOfMemoryError("x"))
    assert not is_memory(ValueError("out of memory"))


def test_room_is_remembered_by_length() -> None:
    room = Room(CPU, 1024)
    assert (room.items(64), room.items(100), room.items(30)) == (16, 10, 34)
    room.ran_out(10, 100)
    assert (room.items(64), room.items(127), room.items(128), room.items(30)) == (5, 5, 8, 34)
    room.ran_out(1, 100)
    assert room.items(64) == 1
    assert Room(CPU, 1024).items(256, skip=192) == 16
