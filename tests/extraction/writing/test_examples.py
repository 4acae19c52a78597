"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import torch
from innerjudge.extraction.writing.checks import Exit
from innerjudge.extraction.writing.progress import BatchProgress


def test_batch_progress() -> None:
    texts = BatchProgress(2, frozenset({0}), torch.device("cpu"))
    assert (texts.add(0, 7), texts.add(1, 0)) == (True, False)
    assert (texts.ids, texts.finished, texts.open) == ([[7], []], [False, True], [0])
    assert (texts.shrink(), texts.present) == (None, [0, 1]), "nobody is to leave"
    texts.leaving = True
    assert (texts.shrink(), texts.present) == ([0], [0])


def test_what_is_done_with_a_text() -> None:
    texts = BatchProgress(4, frozenset({0}), torch.device("cpu"))
    for text, said in enumerate(("bad", Exit("good"), None, Exit("no room"))):
        texts.act(text, said, [5, 6] if text < 3 else ())
    assert (texts.said, texts.open) == ([{"rejected": "bad"}, {"exited": "good"}, {}, {}], [1, 2, 3])
    texts.leaving = True
    assert texts.shrink() == [1, 2, 3]
    assert [texts.forced_next() for _ in range(3)] == [{0: 5}, {0: 6}, {}], "rows of the smaller batch"
