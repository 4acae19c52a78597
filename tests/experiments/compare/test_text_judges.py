"""A text judge behind a server sits on the table of a comparison, and its replies are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from innerjudge import ComparisonSettings, InnerjudgeError, Trace, compare
from innerjudge.experiments.judges.openai_judge import OpenAIJudge
from innerjudge.probes import Verdict

pytestmark = pytest.mark.usefixtures("no_pixels")

pytest.importorskip("openai")
ITEMS = [
    Trace(
        question_id=f"q{k // 2}",
        candidate_id=str(k % 2),
        prompt=f"Add {k // 2}.",
        response=f"<think>{'good' if k % 2 else 'bad'} {k}</think>{k}",
        correct=bool(k % 2),
    )
    for k in range(24)
]
SERVER = "openai:http://127.0.0.1:9/v1#big"


def test_it_is_a_text_judge_that_the_others_are_compared_with(monkeypatch, tmp_path: Path, reference) -> None:  # type: ignore[no-untyped-def]
    asked: list[int] = []

    def verdicts(self: OpenAIJudge, kind: str, items: list[Trace], passes: object, **_: object) -> list[Verdict]:
        asked.append(len(items))
        self.tokens += 10 * len(items)
        return [Verdict(item.id, score=float(bool(item.correct)), label=bool(item.correct)) for item in items]

    monkeypatch.setattr(OpenAIJudge, "verdicts", verdicts)
    how = ComparisonSettings(text_judges=(SERVER,), against="big", reasoning_tokens=0)
    found = compare(reference, ITEMS, judges=["clue", "length"], settings=how, out=tmp_path / "run")
    assert asked == [12]  # those to report on
    assert found.verdicts.labels("big") == [bool(truth) for truth in found.verdicts.truths]
    results = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))
    assert found.found.parts[0].families["big"] == "text"
    (cost,) = results["cost_per_item"].values()
    assert cost["big"] == {"prompts": 1.0, "tokens": 10.0}
    assert "minus big" in (tmp_path / "run" / "report.md").read_text(encoding="utf-8")


def test_a_name_of_ours_and_another_form_are_refused_first(reference) -> None:  # type: ignore[no-untyped-def]
    for typed, why in (
        (SERVER.replace("#big", "#clue"), "the text judge clue twice, or named as one of ours"),
        ("gpt", "expected openai:URL#MODEL"),
    ):
        with pytest.raises(InnerjudgeError, match=why):
            compare(reference, ITEMS, settings=ComparisonSettings(text_judges=(typed,), reasoning_tokens=0))
