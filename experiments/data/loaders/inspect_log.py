"""Logs of Inspect (``.eval`` or ``.json``): what a model answered, ready to be scored again (extra ``inspect``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....models.chat import THINK
from ....models.errors import InnerjudgeError
from ....models.extra import require
from ....models.items import Item, Trace

if TYPE_CHECKING:
    from inspect_ai.model import ChatMessage, ModelOutput

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
    require("inspect_ai", "inspect")
    from inspect_ai.log import read_eval_log

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


def prompt_of(given: str | Sequence[ChatMessage]) -> str:
    r"""Text of a sample's input; messages are joined by blank lines.

    Example:
        >>> from inspect_ai.model import ChatMessageSystem, ChatMessageUser
        >>> prompt_of([ChatMessageSystem(content="Be brief."), ChatMessageUser(content="2+2?")])
        'Be brief.\n\n2+2?'
    """
    return given if isinstance(given, str) else "\n\n".join(message.text for message in given)


def completion_of(output: ModelOutput) -> str | None:
    """The whole completion, with its reasoning between the markers: Inspect keeps the two apart.

    Returns:
        ``None`` where there is none, or its reasoning cannot be read (redacted).

    Example:
        >>> from inspect_ai.model import ContentReasoning, ContentText, ModelOutput
        >>> said = [ContentReasoning(reasoning="7+5=12"), ContentText(text="12")]
        >>> completion_of(ModelOutput.from_content("mockllm/model", said))
        '<think>7+5=12</think>12'
    """
    if not output.choices:
        return None
    content = output.choices[0].message.content
    if isinstance(content, str):
        return content
    texts = []
    for part in content:
        if part.type == "reasoning":
            if part.redacted:
                return None
            texts.append(f"{THINK[0]}{part.reasoning}{THINK[1]}")
        elif part.type == "text":
            texts.append(part.text)
    return "".join(texts)
