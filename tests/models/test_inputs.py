"""Position ids as each family counts them, and the sides on which a model may be padded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.experiments.bench.coverage.shrink import small_config
from innerjudge.experiments.bench.coverage.small_model import random_items, readable, small_model
from innerjudge.extraction import HiddenStates, extract
from innerjudge.models.inputs import positions


def test_positions_count_real_tokens() -> None:
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0]])
    assert positions(mask, 2).tolist() == [[2, 2, 2, 3, 4], [2, 3, 4, 4, 4]]


@pytest.mark.parametrize(
    ("model_type", "offset", "sides"),
    [
        ("llama", 0, {"left", "right"}),
        ("gpt2", 0, {"left", "right"}),
        ("roberta", 1, {"left", "right"}),  # counts from padding_idx + 1, and the small config pads with 0
        ("bart", None, {"right"}),  # counts by itself
        ("rwkv", None, {"right"}),  # a recurrence without a mask
        ("cpmant", None, {"left"}),  # looks both ways and masks the left only
    ],
)
def test_told_from_the_model(model_type: str, offset: int | None, sides: set[str]) -> None:
    lm = readable(small_model(small_config(model_type)))
    assert lm.anatomy.position_offset == offset
    assert lm.padding_sides == sides


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("model_type", ["bart", "cpmant", "rwkv", "roberta"])
def test_a_batch_reads_as_its_items_alone(model_type: str, side: Any) -> None:
    lm = readable(small_model(small_config(model_type)))
    items = random_items(lm, (13, 9, 11))
    readouts = [HiddenStates("middle"), HiddenStates("score")]
    alone = extract(lm, items, readouts, batch_size=1)
    together = extract(lm, items, readouts, batch_size=3, padding_side=side)
    for name, array in alone.arrays.items():
        assert np.abs(array - together[name]).max() <= 1e-4 * np.abs(array).max(), name
