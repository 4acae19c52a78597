"""How many texts are written at once: by tokens and bytes, whatever the batch size and the longest item."""

from __future__ import annotations

import pytest
from innerjudge.extraction.writing import generate as writing
from innerjudge.extraction.writing.generate import Budget, Limits, complete
from innerjudge.models import InnerjudgeError
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import encode_prompt
from innerjudge.models.prompts import rating_prompt


def test_tokens_bound_a_batch(reference: LanguageModel) -> None:
    budget = Budget(reference, Limits(max_new_tokens=28, batch_size=64, memory=10**12))
    assert budget.rows(4) == 64
    assert budget.rows(100) == 20  # 2048 tokens of prompts: 2048 // 100
    assert budget.rows(5000) == 1
    long = Budget(reference, Limits(max_new_tokens=924, batch_size=64, memory=10**12))
    assert long.rows(100) == 6  # 3 * 2048 tokens are held: 6144 // 1024


def test_bytes_bound_a_batch(reference: LanguageModel) -> None:
    limits = Limits(max_new_tokens=28, batch_size=64, memory=10**12)
    each = (
        128 * Budget(reference, limits).held + 100 * Budget(reference, limits).read + Budget(reference, limits).logits
    )
    assert Budget(reference, Limits(max_new_tokens=28, batch_size=64, memory=3 * each)).rows(100) == 3
    assert Budget(reference, Limits(max_new_tokens=28, batch_size=64, memory=1)).rows(100) == 1


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
