"""Features of a pass that stopped early are the first rows of those of a whole one, and say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from innerjudge.extraction import AttentionWeights, HiddenStates, LabelLogits, QueryKey, ResponseLogProb, extract
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import LanguageModel

READOUTS = [HiddenStates("score"), LabelLogits("score"), QueryKey("before"), QueryKey("after"), AttentionWeights()]


@pytest.mark.parametrize("last", [1, 2])
def test_first_rows(tiny: Callable[..., LanguageModel], random_items: Any, last: int) -> None:
    lm, items = tiny("qwen3"), random_items((12, 9))
    whole, early = extract(lm, items, READOUTS), extract(lm, items, READOUTS, last_block=last)
    assert early["hidden/score"].shape == (2, last + 1, 32)
    assert early["qk/before"].shape == (2, last, 4, 3)
    assert np.array_equal(early["hidden/score"], whole["hidden/score"][:, : last + 1])
    assert np.allclose(early["logits/score"], whole["logits/score"][:, :, : last + 1], atol=1e-5)
    for name in ("qk/before", "qk/after", "attention"):
        assert np.allclose(early[name], whole[name][:, :last], atol=1e-5)
    assert early.provenance.differences(whole.provenance) == ("last_block",)
    with pytest.raises(InnerjudgeError, match="last_block"):
        whole.provenance.require(early.provenance, "a judge")


def test_all_blocks_are_a_whole_pass(tiny: Callable[..., LanguageModel], random_items: Any) -> None:
    lm, items = tiny("qwen3"), random_items((12,))
    whole, early = extract(lm, items, READOUTS), extract(lm, items, READOUTS, last_block=3)
    assert early.provenance == whole.provenance
    assert all(np.array_equal(early[name], whole[name]) for name in whole.arrays)


def test_what_cannot_be_is_refused(tiny: Callable[..., LanguageModel], random_items: Any) -> None:
    lm, items = tiny("qwen3"), random_items((12,))
    for last in (0, 4):
        with pytest.raises(InnerjudgeError, match=rf"given last_block={last}, expected one of the model's 3 blocks"):
            extract(lm, items, READOUTS, last_block=last)
    with pytest.raises(InnerjudgeError, match="need all 3 blocks"):
        extract(lm, items, [ResponseLogProb()], last_block=2)
