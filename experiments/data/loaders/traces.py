"""Answers that are right or wrong: GSM8K solutions, RewardBench 2, ProcessBench; what tools wrote down."""

import re
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from ....models.items import Item
from ..answers import normalise
from ..mapping import items_from
from ..records import Record
from ..tables import parsed, read_table
from .files import Rows, by_rows, item_of, kept, question_of

_ANSWER = re.compile(r"^[ \t]*A:(.*)$", re.MULTILINE)


@by_rows
def gsm8k_solutions(record: Record, name: str) -> Rows:
    """Sample solutions to GSM8K by several models (grade-school-math, ``example_model_solutions.jsonl``).

    One trace for each model of ``{question, ground_truth, MODEL: {solution, is_correct}, ...}``. ``question_id`` is
    ``gsm8k-LINE`` (from 0), ``candidate_id`` the model's name, ``response`` the solution as written (no reasoning
    markers), ``answer`` what follows the last ``A:`` at the start of a line (normalised; ``None`` without one),
    ``correct`` the file's ``is_correct``. The worked truth stays in ``extra``.
    """
    asked = {"question_id": f"gsm8k-{name.rpartition('-')[2]}", "prompt": record.text("question")}
    asked["ground_truth"] = record.text("ground_truth")
    models = [name for name in record.values if name not in ("question", "ground_truth")]
    if not models:
        raise record.error("MODEL", "nothing", "a model's name with its solution", "check loader and path")
    for model in models:
        sample = record.inner(model)
        said = sample.text("solution")
        known = {"answer": final_answer(said), "correct": sample.flag("is_correct")}
        yield asked | {"candidate_id": model, "response": said} | known


def final_answer(solution: str) -> str | None:
    """What follows the last ``A:`` at the start of a line, normalised."""
    found = _ANSWER.findall(solution)
    return normalise(found[-1]) if found else None


@by_rows
def rewardbench2(record: Record, name: str) -> Rows:
    """RewardBench 2: a question with right and wrong candidates (also several right ones: the subset Ties)."""
    right, wrong = record.texts("chosen", at_least=1), record.texts("rejected", at_least=1)
    asked = {"question_id": record.label("id") if record.has("id") else name, "prompt": record.text("prompt")}
    for number, text in enumerate((*right, *wrong)):
        one = {"candidate_id": str(number), "response": text, "correct": number < len(right)}
        yield asked | one | kept(record, "subset")


@by_rows
def processbench(record: Record, name: str) -> Rows:
    """ProcessBench: solutions; ``correct`` says that no step is wrong, ``first_error`` which step is (-1: none)."""
    steps, prompt = record.texts("steps", at_least=1), record.text("problem")
    first = record.whole("label", range(-1, len(steps)))
    asked = {"question_id": question_of(prompt), "candidate_id": record.label("id"), "prompt": prompt}
    known = {"correct": first == -1, "first_error": first, "steps": _spans(steps, "\n\n")}
    yield asked | {"response": "\n\n".join(steps)} | known | kept(record, "final_answer_correct", "generator")


@by_rows
def prm800k(record: Record, name: str) -> Rows:
    """PRM800K: solutions whose steps people rated; ratings of 0 and 1 are right, steps behind the last rated unknown.

    A step is the chosen completion, else the labeler's own (not rated), else the first. ``correct`` follows from
    ``finish_reason``: right at a solution, wrong at an error found.
    """
    asked, label = record.inner("question"), record.inner("label")
    known = [_rated(step) for step in label.records("steps")]
    known += [(str(text), None) for text in _listed(asked.values.get("pre_generated_steps"))[len(known) :]]
    known = [one for one in known if one[0].strip()]
    if not known:
        raise record.error("label", "no step with text", "one at least", "leave this line out")
    steps, labels = zip(*known, strict=True)
    prompt, right = asked.text("problem"), {"solution": True, "found_error": False}
    row = {"question_id": question_of(prompt), "candidate_id": name, "prompt": prompt, "response": "\n".join(steps)}
    said: dict[str, Any] = {"steps": _spans(steps, "\n"), "step_labels": [*labels]} | kept(label, "finish_reason")
    said["correct"] = right.get(str(said.get("finish_reason")))
    yield row | said | kept(record, "labeler", "is_quality_control_question")


def _spans(steps: Sequence[str], between: str) -> list[list[int]]:
    """Characters of each step where they are joined by ``between``."""
    ends = accumulate(len(step) + len(between) for step in steps)
    return [[end - len(between) - len(step), end - len(between)] for step, end in zip(steps, ends, strict=True)]


def _rated(step: Record) -> tuple[str, bool | None]:
    if step.has("human_completion") and not step.has("chosen_completion"):
        return step.inner("human_completion").text("text"), None
    many = step.records("completions")
    one = many[step.whole("chosen_completion", range(len(many))) if step.has("chosen_completion") else 0]
    return one.text("text"), one.whole("rating", range(-1, 2)) >= 0 if one.has("rating") else None


#: What ends a step of Math-Shepherd, where its label has + or -.
_ENDS = "\u043a\u0438"


@by_rows
def math_shepherd(record: Record, name: str) -> Rows:
    """Math-Shepherd: solutions whose steps were labelled by sampling on; ``correct`` is the last step's label."""
    given, label = record.text("input"), record.text("label")
    *parts, rest = given.split(_ENDS)
    prompt, first, _ = given.partition("Step 1:")
    ends = accumulate(len(part) + 1 for part in parts)  # a mark of two letters is one in the label
    marks = [label[end - 1 : end] for end in ends]
    if not parts or not first or {*marks} - {"+", "-"} or rest.strip():
        raise record.error("label", "no + or - at the end of each step", "one for each mark of the input", "check it")
    steps = [part.strip() for part in (parts[0][len(prompt) :], *parts[1:])]
    row = {"question_id": question_of(prompt.strip()), "candidate_id": name, "prompt": prompt.strip()}
    known = {"response": "\n".join(steps), "step_labels": [mark == "+" for mark in marks], "correct": marks[-1] == "+"}
    yield row | {"steps": steps} | known | kept(record, "task")


def openai_messages(path: Path) -> list[Item]:
    """Conversations as for OpenAI's fine-tuning: the assistant's last message is the response to those before it."""
    return items_from(path)


@by_rows
def vllm_outputs(record: Record, name: str) -> Rows:
    """Outputs of vLLM (``RequestOutput`` as JSON): ``prompt``, or ``messages``, and ``outputs`` with ``text``."""
    prompt = record.values["messages"] if record.has("messages") else record.text("prompt")
    asked = {"question_id": str(record.values.get("request_id") or name), "prompt": prompt}
    for number, one in enumerate(record.records("outputs")):
        yield asked | {"candidate_id": str(number), "response": one.text("text")} | kept(one, "finish_reason")


#: Metrics that say whether an answer is right, the first that is there.
_RIGHT = ("exact_match", "acc", "pass@1", "pass_at_1", "prompt_level_strict_acc", "em")


def lm_eval_samples(path: Path) -> list[Item]:
    """Samples of lm-evaluation-harness (``--log_samples``): traces where the model wrote, choices where it chose.

    ``question_id`` is ``TASK/doc_id``; a trace's ``candidate_id`` numbers the repeats. The prompt is what the model was
    given (its messages, where they were sent to a chat API), the response its text before filters, ``answer`` the
    filtered one, and ``correct`` the first of ``exact_match``, ``acc`` and the like, where it is 0 or 1. Of several
    filters, the first that finds an answer right counts. A choice's ``answer`` is the target.
    """
    found: dict[str, Item] = {}
    for record in read_table(path):
        for row in _logged(record, sample_name(path, record)):
            item = item_of(row, record.where)
            if item.id not in found or (row.get("correct") and not getattr(found[item.id], "correct", False)):
                found[item.id] = item
    return list(found.values())


def sample_name(path: Path, record: Record) -> str:
    """``TASK/doc_id`` of a row that lm-evaluation-harness logged."""
    return f"{path.name.removeprefix('samples_').partition('.')[0]}/{record.values.get('doc_id')}"


def _logged(record: Record, name: str) -> Rows:
    asked = record.inner("arguments")
    calls = [asked.inner(one) for one in sorted(asked.values, key=lambda one: (len(one), one))]
    if not calls:
        raise record.error("arguments", "no request", "what the model was given", "log with lm-eval 0.4")
    prompt = _prompt(calls[0])
    if all(isinstance(one.values.get("arg_1"), str) for one in calls):
        # Beside them may stand requests without the question (``acc_mutual_info``).
        asked_so = [one for one in calls if one.values.get("arg_0") == calls[0].values.get("arg_0")]
        if len(asked_so) < 2 <= len(calls):
            raise record.error("arguments", "several prompts", "several answers to one prompt", "leave this task out")
        target = str(record.values.get("target"))
        known = int(target) if target.isdecimal() and int(target) < len(asked_so) else None
        options = [one.text("arg_1").strip() for one in asked_so]
        if len(options) > 1:  # else a text whose probability was asked for
            yield {"question_id": name, "question": prompt, "options": options, "answer": known}
        return
    metric = next((record.values[one] for one in _RIGHT if record.values.get(one) in (0, 1)), None)
    texts = [one for many in _listed(record.values.get("resps")) for one in _listed(many) or [None]]
    filtered = _listed(record.values.get("filtered_resps"))
    for number, text in enumerate(texts or [None]):
        if not isinstance(text, str):
            raise record.error("resps", "no list of lists of texts", "what the model wrote", "log with lm-eval 0.4")
        answer = filtered[number] if number < len(filtered) else None
        right = metric if len(texts) == 1 else None
        row = {"question_id": name, "candidate_id": str(number), "prompt": prompt, "response": text, "correct": right}
        yield row | {"answer": answer if isinstance(answer, str) else None}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _prompt(call: Record) -> Any:
    """What a request asked; messages for a chat API stand as a JSON text in a list."""
    given = call.values.get("arg_0")
    if not isinstance(given, list) or len(given) != 1:
        return given
    said = Record({"arg_0": parsed(call.texts("arg_0")[0], call.where)}, call.where)
    return [{k: v for k, v in one.values.items() if k in ("role", "content")} for one in said.records("arg_0")]
