"""Sample solutions to GSM8K test questions by several models (grade-school-math, ``example_model_solutions.jsonl``)."""

import re
from pathlib import Path

from ....models.items import Item, Trace
from ..answers import normalise
from .files import read_list

_ANSWER = re.compile(r"^[ \t]*A:(.*)$", re.MULTILINE)


def gsm8k_solutions(path: Path) -> list[Item]:
    """One trace for each model and question of ``{question, ground_truth, MODEL: {solution, is_correct}, ...}``.

    ``question_id`` is ``gsm8k-LINE`` (from 0), ``candidate_id`` the model's name, ``response`` the solution as written
    (no reasoning markers), ``answer`` what follows the last ``A:`` at the start of a line (normalised; ``None`` without
    one), ``correct`` the file's ``is_correct``. The worked truth stays in ``extra``.
    """
    items: list[Item] = []
    for number, record in enumerate(read_list(path)):
        prompt, truth = record.text("question"), record.text("ground_truth")
        models = [name for name in record.values if name not in ("question", "ground_truth")]
        if not models:
            raise record.error("MODEL", "nothing", "a model's name with its solution", "check loader and path")
        for model in models:
            sample = record.inner(model)
            solution = sample.text("solution")
            items.append(
                Trace(
                    question_id=f"gsm8k-{number}",
                    candidate_id=model,
                    prompt=prompt,
                    response=solution,
                    answer=final_answer(solution),
                    correct=sample.flag("is_correct"),
                    extra={"ground_truth": truth},
                )
            )
    return items


def final_answer(solution: str) -> str | None:
    """What follows the last ``A:`` at the start of a line, normalised."""
    found = _ANSWER.findall(solution)
    return normalise(found[-1]) if found else None
