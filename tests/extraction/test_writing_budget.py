"""How many texts are written at once: by tokens and bytes, whatever the batch size and the longest item."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from innerjudge.extraction import LabelLogits, extract, reader as readers, schedule as budgets
from innerjudge.extraction.schedule import Budget
from innerjudge.extraction.writing import generate as writing
from innerjudge.extraction.writing.generate import Limits, complete
from innerjudge.models import InnerjudgeError
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import encode_prompt
from innerjudge.models.prompts import rating_prompt


def test_tokens_bound_a_batch(reference: LanguageModel) -> None:
    budget = Budget(replace(reference, memory=1000.0))
    assert budget.rows(4, 28, 64) == 64
    assert budget.rows(100, 28, 64) == 20  # 2048 tokens of prompts: 2048 // 100
    assert budget.rows(5000, 28, 64) == 1
    assert budget.rows(100, 924, 64) == 6  # 3 * 2048 tokens are held: 6144 // 1024


def test_bytes_bound_a_batch(reference: LanguageModel) -> None:
    plain = Budget(reference)
    each = 128 * plain.held + 100 * plain.read + 100 * 100 * plain.paired + plain.logits
    assert plain.of(100, 28) == each
    assert plain.of(100) == 100 * plain.read + 100 * 100 * plain.paired
    budget = Budget(replace(reference, memory=(3 * each + 1) / 1e9))
    assert budget.rows(100, 28, 64) == budget.texts(100, 28) == 3
    assert budget.refused(100, 28) is None
    alone = each - (100 * 100 * plain.paired if reference.attention == "sdpa" else 0)  # without padding, no mask
    small = Budget(replace(reference, memory=(alone - 1) / 1e9))
    assert small.texts(100, 28) == 1
    assert "100 tokens take about" in str(small.refused(100, 28))
    assert "that are free or given as memory" in str(small.refused(100, 28))
    assert Budget(replace(reference, memory=alone / 1e9)).refused(100, 28) is None
    row = budget.row()
    assert budget.of(row) <= budget.bytes < budget.of(row + 1)


def test_by_default_a_batch_takes_half_of_what_is_free(
    reference: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "free_memory", lambda _device: 10_000)
    monkeypatch.setattr(Budget, "of", lambda _self, length, _new=0, **_how: length)
    budget = Budget(reference)
    assert budget.bytes == 5000
    assert budget.refused(10_000) is None, "alone, a text may take all"
    assert budget.refused(10_001) == (
        "10001 tokens take about 1e-05 GB, more than the 1e-05 GB that are free or given as memory"
    )


def test_a_text_beyond_the_budget_is_left_out_and_the_others_are_not(reference: LanguageModel) -> None:
    prompts = [rating_prompt(words, "hi") for words in ("Say hi.", "Say hi. " * 40, "Say ho.")]
    items = [encode_prompt(reference.tokenizer, str(k), str(k), prompt) for k, prompt in enumerate(prompts)]
    lengths = [len(item.ids) for item in items]
    needed = Budget(reference).of(max(lengths[0], lengths[2]), 4)
    small = replace(reference, memory=needed / 1e9)
    first, long, last = complete(small, items, max_new_tokens=4, batch_size=7)
    assert [first, last] == complete(reference, items[::2], max_new_tokens=4, batch_size=1)
    assert str(long).startswith(f"{lengths[1]} tokens take about")
    found = extract(small, items, [LabelLogits()])
    assert found.missing == {"logits/score": {"1": Budget(small).refused(lengths[1])}}
    assert np.allclose(found["logits/score"][::2], extract(reference, items[::2], [LabelLogits()])["logits/score"])


def test_a_budget_is_checked(reference: LanguageModel) -> None:
    for odd in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InnerjudgeError, match="gigabytes above 0"):
            replace(reference, memory=odd)


def test_a_batch_that_does_not_fit_is_halved(reference: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [
        encode_prompt(reference.tokenizer, str(k), str(k), rating_prompt("Say hi." * (1 + k % 3), "hi"))
        for k in range(7)
    ]
    whole = complete(reference, items, max_new_tokens=4, batch_size=7)
    own, sizes = writing.write_batch, []

    def limited(lm: LanguageModel, all_items: object, rows: list[int], *rest: object, **more: object) -> object:
        sizes.append(len(rows))
        if len(rows) > 2:
            raise MemoryError
        return own(lm, all_items, rows, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(writing, "write_batch", limited)
    found = complete(reference, items, max_new_tokens=4, batch_size=7)
    assert [one.text for one in found] == [one.text for one in whole]  # type: ignore[union-attr]
    assert max(sizes) == 7
    assert sum(size for size in sizes if size <= 2) == 7


def test_limits_are_checked() -> None:
    with pytest.raises(InnerjudgeError, match="max_new_tokens=0"):
        Limits(max_new_tokens=0)


@pytest.mark.parametrize("packed", [False, True])
def test_batches_of_reading_stay_within_the_bytes(
    reference: LanguageModel, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    prompts = [rating_prompt("Say hi. " * n, "hi") for n in (1, 30, 2, 8, 3, 60, 5)]
    items = [encode_prompt(reference.tokenizer, str(k), str(k), prompt) for k, prompt in enumerate(prompts)]
    lengths = sorted(len(item.ids) for item in items)
    small = replace(reference, memory=Budget(reference).of(lengths[-2]) / 1e9)
    read, own = list[list[int]](), readers.run_batch

    def noted(lm: LanguageModel, batch: Any, *rest: Any) -> Any:
        read.append([len(item.ids) for item in batch])
        return own(lm, batch, *rest)

    monkeypatch.setattr(readers, "run_batch", noted)
    found = extract(small, items, [LabelLogits()], packed=packed, share_prompts=False, batch_size=64)
    assert list(found.missing["logits/score"]) == ["5"]
    assert lengths[-1] not in {length for batch in read for length in batch}
    budget = Budget(small)
    assert all(len(batch) * budget.of(max(batch)) <= budget.bytes for batch in read)
    if packed:  # every two tokens of a row have a mask between them
        assert all(budget.of(sum(batch)) <= budget.bytes for batch in read if len(batch) > 1)
    assert len(read) < len(items)
