"""Candidates sampled from the model, and what they are called."""

from __future__ import annotations

from typing import Any

import pytest
from innerjudge.experiments.reading import verdict_pass as sampling
from innerjudge.experiments.reading.verdict_pass import sample_traces
from innerjudge.extraction.writing.answers import Completion
from innerjudge.models.loading import LanguageModel
from innerjudge.models.reference.solve import problems
from innerjudge.models.reference.words import HELD_OUT_SEED


def test_labels_come_from_the_answer(reference: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = problems(2, seed=HELD_OUT_SEED)
    said: list[Completion | str] = [
        Completion((5,), f"<think>so</think>{one.answer}", True),
        Completion((6,), f"<think>so</think>{one.answer}", False),
        Completion((7,), f"<think>so</think>{two.answer}0", True),
        "no room",
    ]

    def complete(_lm: Any, items: list[Any], **_: Any) -> list[Completion | str]:
        assert [item.group for item in items] == [one.question_id] * 2 + [two.question_id] * 2
        return said

    monkeypatch.setattr(sampling, "complete", complete)
    traces = sample_traces(reference, [one, two], n_candidates=2)
    assert [t.correct for t in traces] == [True, False, False, None]
    assert [t.answer for t in traces] == [one.answer, None, f"{two.answer}0", None]
    assert [t.id for t in traces] == [f"{p.question_id}/{k}" for p in (one, two) for k in range(2)]
    assert traces[0].extra == {"response_ids": [5], "sampled_by": reference.fingerprint, "finished": True}
    assert traces[3].extra == {"not_sampled": "no room"}
