"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import torch
from innerjudge.extraction.writing.progress import BatchProgress


def test_batch_progress() -> None:
    texts = BatchProgress(2, frozenset({0}), torch.device("cpu"))
    assert (texts.add(0, 7), texts.add(1, 0)) == (True, False)
    assert (texts.ids, texts.finished, texts.open) == ([[7], []], [False, True], [0])
    assert (texts.shrink(), texts.present) == ([0], [0])
