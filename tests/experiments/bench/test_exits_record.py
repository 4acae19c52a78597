"""What leaving reasoning early costs is measured answer by answer; the committed page holds what the promise says."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from innerjudge.experiments.bench.promises import exits
from innerjudge.experiments.drawing.style import NOTHING
from innerjudge.experiments.judges.sample_and_judge import Saved
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.probes import Promise


def trace(question: str, tokens: int, correct: bool, *, exited: bool = False, text: str = "</think>") -> Trace:
    extra: dict[str, Any] = {"response_ids": list(range(tokens))} | ({"exited": "so"} if exited else {})
    return Trace(
        question_id=question, candidate_id=f"{tokens}", prompt="?", response=text, correct=correct, extra=extra
    )


def test_by_hand() -> None:
    """Question a: two wrong answers of which one exits; b: one wrong that stays; c: right, exits and turns wrong."""
    plain = [trace("a", 9, False), trace("a", 7, False), trace("b", 5, False), trace("c", 11, True)]
    short = [trace("a", 3, False, exited=True, text="</think></think>"), *plain[1:3], trace("c", 5, False, exited=True)]
    promise = Promise("passed bad answers", 0.5, 0.9, 1.0, 100)
    found = exits.compared(promise, plain, short, Saved(0, 8.0, 2))
    assert found.exited == 2 / 4
    assert found.wrong_exited == (1 / 2 + 0) / 2
    assert found.tokens == (32 / 4, 20 / 4)
    assert found.accuracy == (pytest.approx(1 / 3), 0.0)
    assert (found.estimated, found.again) == (2.0, 1 / 2)
    with pytest.raises(AssertionError, match="others are what they were"):
        exits.compared(promise, plain, [*short[:2], trace("b", 6, False), short[3]], Saved(0, 8.0, 2))


def test_a_small_run(reference: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exits, "LEVELS", (0.6,))
    (found,) = exits.measured(reference, questions=12, n=3, seed=5)
    assert 0 <= found.wrong_exited <= 1
    assert (found.exited > 0) == (found.tokens[0] != found.tokens[1])
    page = exits.markdown([found], questions=12, n=3, command="c", seed=5)
    assert f"| 0.6 | {found.wrong_exited:.3f} | {found.exited:.3f} |" in page
    none = replace(found, exited=0.0, wrong_exited=0.0)
    assert f"| {NOTHING} |" in exits.markdown([none], questions=12, n=3, command="c", seed=5)


def test_the_page_keeps_its_promise() -> None:
    """The answered questions are one draw: the level and three standard errors of a share of as many."""
    page = Path(exits.__file__).with_name("exits.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:3] == "| 0"]
    assert [float(row[0]) for row in rows] == list(exits.LEVELS)
    for row in rows:
        level = float(row[0])
        assert float(row[1]) <= level + 3 * math.sqrt(level * (1 - level) / 150)
        assert (row[5] == NOTHING) == (float(row[2]) == 0)
    assert any(float(row[2]) > 0 for row in rows)
