"""A budget of tokens a batch; a run that meets a full memory goes on with smaller batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import AttentionWeights, HiddenStates, LabelLogits, QueryKey, ResponseLogProb, extract
from innerjudge.extraction import sweep as sweeps
from innerjudge.extraction.batching import by_length
from innerjudge.extraction.room import Room, is_memory
from innerjudge.models.loading import LanguageModel

Tiny = Callable[..., LanguageModel]
READOUTS = [HiddenStates("score"), LabelLogits("score"), QueryKey("before"), AttentionWeights(), ResponseLogProb()]
LENGTHS = (40, 9, 17, 38, 6, 12, 36, 11, 23, 35)
CPU = torch.device("cpu")


def test_batches_hold_at_most_so_many_tokens(random_items: Any) -> None:
    items = random_items(LENGTHS)
    room = Room(CPU, 80)
    batches = list(by_length(items, 64, room.items))
    # Longest first: 40 38 | 36 35 | 23 17 12 | 11 9 6
    assert [[LENGTHS[k] for k in batch] for batch in batches] == [[40, 38], [36, 35], [23, 17, 12], [11, 9, 6]]
    assert all(len(batch) * max(LENGTHS[k] for k in batch) <= 80 for batch in batches)
    assert [len(batch) for batch in by_length(items, 2, room.items)] == [2, 2, 2, 2, 2]
    assert Room(CPU, 80).items(1000) == 1


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
    # 8 of up to 40 tokens and then 4 do not fit, 2 do. Texts of 32 to 63 tokens are one bucket: 36 and 35 start at 2.
    # 23 tokens are another: 4 do not fit (92), so 2; then what is left.
    assert memory.tried[:4] == [(8, 40), (4, 40), (2, 40), (2, 36)]
    assert (8, 23) not in memory.tried[4:]
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
