"""Logs of Inspect (``.eval`` or ``.json``): what a model answered, ready to be scored again (extra ``inspect``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...models.errors import InnerjudgeError
from ...models.items import Item, Trace

#: How Inspect's scorers say right and wrong.
_CORRECT: dict[Any, bool] = {"C": True, "I": False, 1: True, 0: False}


def inspect_log(path: Path) -> list[Item]:
    """One trace for each sample and epoch that the model completed.

    ``question_id`` is the sample's id, ``candidate_id`` its epoch (from 1), ``prompt`` its input (messages joined by
    blank lines), ``response`` the completion with its reasoning between the markers. ``answer`` and ``correct`` are
    those of the log's first scorer, where it says right or wrong.

    Raises:
        InnerjudgeError: If the file is no log.
    """
    from ..adapters.inspect_ai import completion_of, prompt_of

    from inspect_ai.log import read_eval_log  # isort: skip - after the extra was asked for

    try:
        log = read_eval_log(str(path))
    except Exception as error:  # its readers raise what their zip and JSON libraries raise
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InnerjudgeError(f"given {path}, expected a log of Inspect (.eval or .json): {said}") from None
    items: list[Item] = []
    for sample in log.samples or ():
        response = completion_of(sample.output)
        if response is None:
            continue
        score = next(iter((sample.scores or {}).values()), None)
        value = score.value if score is not None and isinstance(score.value, str | int | float) else None
        items.append(
            Trace(
                question_id=str(sample.id),
                candidate_id=str(sample.epoch),
                prompt=prompt_of(sample.input),
                response=response,
                answer=score.answer if score is not None else None,
                correct=_CORRECT.get(value),
            )
        )
    return items
