"""Logs of Inspect (``.eval`` or ``.json``): what a model answered, ready to be scored again (extra ``inspect``)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....models.conversation import Text, as_prompt
from ....models.errors import InnerjudgeError, shown
from ....models.extra import require
from ....models.items import Item, Trace
from ....models.markers import THINK
from .files import require_archive

if TYPE_CHECKING:
    from inspect_ai.log import EvalSample
    from inspect_ai.model import ChatMessage, ModelOutput

_log = logging.getLogger(__name__)

#: How Inspect's scorers say right and wrong.
_CORRECT: dict[Any, bool] = {"C": True, "I": False, 1: True, 0: False}


def inspect_log(path: Path) -> list[Item]:
    """One trace for each sample and epoch.

    ``question_id`` is the sample's id, ``candidate_id`` its epoch (from 1), ``prompt`` what the model was sent (the
    messages before its last answer), ``response`` the completion with its reasoning between the
    markers. ``answer`` and ``correct`` are those of the log's first scorer, where it says right or wrong. A sample that
    failed, or whose reasoning is redacted, has no response and says why: every judge leaves it unscored.
    """
    require("inspect_ai", "inspect")
    from inspect_ai.log import read_eval_log

    require_archive(path)
    try:
        log = read_eval_log(str(path))
    except Exception as error:  # its readers raise what their zip and JSON libraries raise
        said = shown(str(error).splitlines()[0] if str(error) else type(error).__name__, 300)
        raise InnerjudgeError(f"given {path}, expected a log of Inspect (.eval or .json): {said}") from None
    items: list[Item] = []
    reasons: list[str] = []
    for number, sample in enumerate(log.samples or (), start=1):
        response, why = completion_of(sample.output), ""
        prompt: Text = ""
        try:
            prompt = prompt_of(sent(sample.messages) or sample.input)
        except InnerjudgeError as error:
            response, why = None, str(error)
        if response is None:
            reasons.append(why or _why_not(sample))
        score = next(iter((sample.scores or {}).values()), None)
        value = score.value if score is not None and isinstance(score.value, str | int | float) else None
        items.append(
            Trace(
                question_id=f"sample {number}" if sample.id in (None, "") else str(sample.id),
                candidate_id=str(sample.epoch),
                prompt=prompt,
                response=response or "",
                answer=score.answer if score is not None else None,
                correct=_CORRECT.get(value),
                extra={} if response is not None else {"unanswered": reasons[-1]},
            )
        )
    if items and len(reasons) == len(items):
        raise InnerjudgeError.of("data.none-answered", path, len(items), reasons[0])
    if reasons:
        _log.warning("%s: %d of %d samples have no answer (first: %s)", path, len(reasons), len(items), reasons[0])
    return items


def sent(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The messages before the last answer of the model: what it was sent; all of them where it did not answer."""
    last = max((k for k, one in enumerate(messages) if one.role == "assistant"), default=len(messages))
    return list(messages[:last])


def _why_not(sample: EvalSample) -> str:
    if sample.error is not None:
        return shown(f"the sample failed: {sample.error.message}", 300)
    if sample.limit is not None:
        return f"the sample was stopped by its limit of {sample.limit.type}"
    return "the reasoning is redacted" if sample.output.choices else "the model gave no output"


def prompt_of(given: str | Sequence[ChatMessage]) -> Text:
    """A sample's input: its text, or its messages with their tool calls."""
    return given if isinstance(given, str) else as_prompt([_message(one) for one in given])


def _message(given: ChatMessage) -> dict[str, Any]:
    parts = [] if isinstance(given.content, str) else given.content
    apart = "".join(part.reasoning for part in parts if part.type == "reasoning" and not part.redacted)
    calls = [
        {"function": {"name": one.function, "arguments": one.arguments}}
        for one in (given.tool_calls or () if given.role == "assistant" else ())
    ]
    content = (
        given.content
        if isinstance(given.content, str)
        else [{"type": part.type, "text": getattr(part, "text", None)} for part in parts if part.type != "reasoning"]
    )
    return {"role": given.role, "content": content, "reasoning": apart, "tool_calls": calls}


def completion_of(output: ModelOutput) -> str | None:
    """The whole completion, with its reasoning between the markers: Inspect keeps the two apart.

    ``None`` where there is none, or its reasoning cannot be read (redacted).
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
