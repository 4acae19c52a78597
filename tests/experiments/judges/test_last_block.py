"""A fitted judge of an early block stops the pass by itself, on every way from items to verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from innerjudge import load_judge, read, save_judge
from innerjudge.experiments.reading import verdict_pass
from innerjudge.models.items import Choice, Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.probes import DifferenceOfMeans, LetterLogits, QKScore, TextJudge

CHOICES = [
    Choice(question_id=f"c{k}", question=f"Which comes {k}th?", options=("iron", "pear", "gold"), answer=k % 3)
    for k in range(6)
]
TRACES = [
    Trace(
        question_id=f"q{k // 2}",
        candidate_id=str(k),
        prompt=f"Start with {k // 2}. Add 1.",
        response=f"<think>{k // 2}+1={k}</think>{k}",
        correct=k % 2 == 0,
    )
    for k in range(8)
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The last block of every extraction."""
    seen: list[int | None] = []
    extract = verdict_pass.extract

    def spy(*args: Any, **options: Any) -> Any:
        seen.append(options["last_block"])
        return extract(*args, **options)

    monkeypatch.setattr(verdict_pass, "extract", spy)
    return seen


def test_read_stops_after_a_chosen_head(reference: LanguageModel, asked: list[int | None]) -> None:
    judge = QKScore()
    whole = read(reference, CHOICES, judges=[judge])
    assert asked == [None]  # its fit looks at all blocks
    judge.fit(whole, [choice.answer for choice in CHOICES])
    judge.heads_ = ((2, 1),)
    early = read(reference, CHOICES, judges=[judge])
    assert asked == [None, 2]
    assert early.provenance.last_block == 2
    assert early["qk/before"].shape[1] == 2
    assert set(early.arrays) == {"qk/before", "labels"}
    np.testing.assert_allclose(judge.decision_function(early), judge.decision_function(whole), atol=1e-4)
    # With a judge that needs the whole pass, it is run.
    for other in (LetterLogits(), TextJudge.choice()):
        both = read(reference, CHOICES, judges=[judge, other])
        assert asked[-1] is None
        np.testing.assert_allclose(judge.decision_function(both), judge.decision_function(whole), atol=1e-4)


def test_score_and_rank_stop_by_themselves(
    cli: Callable[..., Any], reference: LanguageModel, tmp_path: Path, asked: list[int | None]
) -> None:
    data = tmp_path / "traces.jsonl"
    rows = [
        {
            "question_id": t.question_id,
            "candidate_id": t.candidate_id,
            "prompt": t.prompt,
            "response": t.response,
            "correct": t.correct,
        }
        for t in TRACES
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    judge = DifferenceOfMeans(row=3)
    judge.fit(read(reference, TRACES, judges=[judge]), [t.correct for t in TRACES])
    save_judge(judge, tmp_path / "judge")
    assert load_judge(tmp_path / "judge").last_block == 3
    assert cli("extract", "--data", data, "--out", tmp_path / "features").code == 0
    asked.clear()
    for command in ("score", "rank"):
        said = cli(command, "--judge", tmp_path / "judge", "--data", data, "--out", tmp_path / f"{command}.jsonl")
        assert said.code == 0, said.err
    assert asked == [3, 3]
    said = cli(
        "score", "--judge", tmp_path / "judge", "--features", tmp_path / "features", "--out", tmp_path / "f.jsonl"
    )
    assert said.code == 0, said.err

    def scores(name: str) -> list[float]:
        return [json.loads(line)["score"] for line in (tmp_path / name).read_text("utf-8").splitlines()]

    expected = judge.decision_function(read(reference, TRACES))
    for name in ("score.jsonl", "rank.jsonl.verdicts.jsonl", "f.jsonl"):
        np.testing.assert_allclose(scores(name), expected, atol=1e-3)
