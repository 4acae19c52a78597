"""Samples that lm-evaluation-harness logged (``--log_samples``): what a model answered, or what it chose among."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....models.items import Item
from ..kinds import record_to_item
from ..records import Record
from ..tables import read_table
from ..variants import said

#: Metrics that say whether an answer is right, the first that is there.
_RIGHT = ("exact_match", "acc", "pass@1", "pass_at_1", "prompt_level_strict_acc", "em")


def lm_eval_samples(path: Path) -> list[Item]:
    """Items of a ``samples_TASK_*.jsonl``: traces where the model wrote, choices where it was scored on options.

    ``question_id`` is ``TASK/doc_id``; a trace's ``candidate_id`` numbers the repeats. The prompt is what the model was
    given (its messages, where a chat template was used), the response its text before filters, ``answer`` the filtered
    one, and ``correct`` the first of ``exact_match``, ``acc`` and the like, where it is 0 or 1. Of several filters, the
    first that finds an answer right counts. A choice's ``answer`` is the target.
    """
    found: dict[str, Item] = {}
    task = path.name.removeprefix("samples_").partition(".")[0]
    for record in read_table(path):
        for row, kind in _rows(record, task):
            item = record_to_item(Record(row, record.where), kind)
            before = found.get(item.id)
            if before is None or (row.get("correct") and not getattr(before, "correct", False)):
                found[item.id] = item
    return list(found.values())


def _rows(record: Record, task: str) -> Iterator[tuple[dict[str, Any], str]]:
    name = f"{task}/{record.values.get('doc_id')}"
    asked = record.inner("arguments")
    calls = [asked.inner(one) for one in sorted(asked.values, key=lambda one: (len(one), one))]
    if not calls:
        raise record.error("arguments", "no request", "what the model was given", "log with lm-eval 0.4")
    prompt = _prompt(calls[0])
    if all(isinstance(one.values.get("arg_1"), str) for one in calls):
        target = record.values.get("target")
        index = int(target) if isinstance(target, str) and target.isdecimal() else target
        known = index if isinstance(index, int) and 0 <= index < len(calls) else None
        options = [one.text("arg_1").strip() for one in calls]
        if len(options) > 1:  # else a text whose probability was asked for
            yield {"question_id": name, "question": prompt, "options": options, "answer": known}, "choice"
        return
    metric = next((record.values[one] for one in _RIGHT if record.values.get(one) in (0, 1)), None)
    responses = record.values.get("resps")
    nested = isinstance(responses, list) and all(isinstance(one, list) for one in responses)
    texts = [one for many in responses for one in many] if nested and responses else [None]
    filtered = record.values.get("filtered_resps")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise record.error("resps", "no list of lists of texts", "what the model wrote", "log with lm-eval 0.4")
        answer = filtered[number] if isinstance(filtered, list) and number < len(filtered) else None
        yield {
            "question_id": name, "candidate_id": str(number), "prompt": prompt, "response": text,
            "answer": answer if isinstance(answer, str) else None,
            "correct": bool(metric) if metric is not None and len(texts) == 1 else None,
        }, "trace"  # fmt: skip


def _prompt(call: Record) -> Any:
    """What a request asked; a chat is a list of messages, of which one alone is its text."""
    given = call.values.get("arg_0")
    return said(given, "user") if isinstance(given, list) and given and isinstance(given[0], dict) else given
