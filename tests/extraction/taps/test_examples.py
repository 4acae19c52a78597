"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import torch
from innerjudge.extraction.taps.attention import is_plain
from innerjudge.extraction.taps.block_attention import nearest


def test_is_plain() -> None:
    from transformers.models.gemma2 import modeling_gemma2
    from transformers.models.qwen3 import modeling_qwen3

    found = is_plain(modeling_qwen3.eager_attention_forward), is_plain(modeling_gemma2.eager_attention_forward)
    assert found == (True, False)


def test_nearest() -> None:
    assert nearest(torch.tensor([3, 8]), torch.tensor([[8, 3, 99]])).tolist() == [[1, 0, 1]]
