"""A fitted judge of each kind, on the built-in model."""

from __future__ import annotations

import pytest
from innerjudge import CLUE, LAGER, Judge, LanguageModel, QKScore, TextJudge, Trace, read
from innerjudge.models.reference.choose import choices

PROMPT = "Start with 7. Add 5. Times 3."
RIGHT = "<think>7+5=12;12*3=36</think>36"
WRONG = "<think>7+5=13;13*3=39</think>39"


@pytest.fixture(scope="session")
def traces() -> list[Trace]:
    said = [RIGHT, WRONG, "<think>7+5=12;12*3=26</think>26", "<think>7+5=12;12+3=15</think>15"]
    return [Trace(question_id="q", candidate_id=str(k), prompt=PROMPT, response=one) for k, one in enumerate(said)]


@pytest.fixture(scope="session")
def clue(reference: LanguageModel, traces: list[Trace]) -> Judge:
    judge = CLUE(rank_by="margin")
    return Judge(judge.fit(read(reference, traces, judges=[judge]), [True, False, False, False]), reference)


@pytest.fixture(scope="session")
def rater(reference: LanguageModel) -> Judge:
    return Judge(LAGER(), reference)


@pytest.fixture(scope="session")
def asker(reference: LanguageModel) -> Judge:
    return Judge(TextJudge.verdict(), reference)


@pytest.fixture(scope="session")
def chooser(reference: LanguageModel) -> Judge:
    judge = QKScore()
    items = choices(40, seed=5)
    features = read(reference, items, judges=[judge])
    return Judge(judge.fit(features, [item.answer for item in items]), reference)
