"""A judge on the built-in model, as an object and as a folder, and questions with known answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from innerjudge import LAGER, Judge, LanguageModel
from innerjudge.models.reference.solve import Problem, problems

PROMPT = "Start with 7. Add 5. Times 3."
RIGHT = "<think>7+5=12;12*3=36</think>36"
WRONG = "<think>7+5=13;13*3=39</think>39"


@pytest.fixture(scope="session")
def judge(reference: LanguageModel) -> Judge:
    return Judge(LAGER(values=(0, 1)), reference, name="solver")


@pytest.fixture(scope="session")
def folder(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("judge") / "solver"
    judge.save(found)
    return found


@pytest.fixture(scope="session")
def solve_problems() -> list[Problem]:
    return problems(6, seed=11)
