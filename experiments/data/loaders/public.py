"""Public data sets and logs whose rows become items one by one: a function of a row for each.

Files may be JSONL, JSON, CSV or Parquet, also compressed (:mod:`..tables`). Ids are those of the data, or ``FILE-ROW``.
Fields that are not named here stay out of the items but for the few in ``extra``.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ....models.items import Item
from ..kinds import hash_of, kind_of_record, record_to_item
from ..records import Record
from ..tables import read_table
from ..variants import said, with_sides

Rows = Iterator[dict[str, Any]]


def _kept(record: Record, *names: str) -> dict[str, Any]:
    return {name: record.values[name] for name in names if record.has(name)}


def _same(prompt: object) -> str:
    """A name for a question that its rows share by their prompt alone."""
    return f"q-{hash_of([repr(prompt)])}"


def rewardbench(record: Record, name: str) -> Rows:
    """RewardBench: pairs, the chosen one now as a, now as b; ``subset`` is kept."""
    one = Record({k: record.text(k) for k in ("prompt", "chosen", "rejected")}, record.where)
    yield {"pair_id": name, **with_sides(one), **_kept(record, "subset", "chosen_model", "rejected_model")}


def rewardbench2(record: Record, name: str) -> Rows:
    """RewardBench 2: a question with right and wrong candidates (also several right ones: the subset Ties)."""
    question = record.label("id") if record.has("id") else name
    right, wrong = record.texts("chosen", at_least=1), record.texts("rejected", at_least=1)
    for number, text in enumerate((*right, *wrong)):
        yield {
            "question_id": question, "candidate_id": str(number), "prompt": record.text("prompt"), "response": text,
            "correct": number < len(right), **_kept(record, "subset"),
        }  # fmt: skip


def judgebench(record: Record, name: str) -> Rows:
    """JudgeBench: pairs of responses of one model, of which one is right."""
    label = record.text("label")
    if label not in ("A>B", "B>A"):
        raise record.error("label", repr(label), "'A>B' or 'B>A'", "correct the value")
    yield {
        "pair_id": record.label("pair_id"), "prompt": record.text("question"), "preference": label[0].lower(),
        "response_a": record.text("response_A"), "response_b": record.text("response_B"),
        **_kept(record, "source", "original_id", "response_model"),
    }  # fmt: skip


def ultrafeedback(record: Record, name: str) -> Rows:
    """UltraFeedback: a rating (``overall_score``, 1 to 10) of each completion of an instruction."""
    for number, one in enumerate(record.records("completions")):
        scored = [one.number("overall_score", 1, 10)] if one.has("overall_score") else None
        yield {
            "item_id": f"{name}/{number}", "question_id": name, "prompt": record.text("instruction"),
            "response": one.text("response"), "scores": scored, "scale": [1, 10], "system": one.optional_text("model"),
        }  # fmt: skip


#: What a judge is asked, in our words.
_HELPSTEER = {
    "helpfulness": "Helpfulness: on the whole, the response gives the user what was asked for.",
    "correctness": "Correctness: every fact that matters is there, and none is wrong.",
    "coherence": "Coherence: the response is clear and consistent.",
    "complexity": "Complexity: writing the response takes an expert's depth, rather than anybody's.",
    "verbosity": "Verbosity: the response goes into much detail for what was asked.",
}


def helpsteer2(record: Record, name: str) -> Rows:
    """HelpSteer2: a rating (0 to 4) of each of five aspects; responses to one prompt share their question."""
    prompt = record.text("prompt")
    for aspect, criterion in _HELPSTEER.items():
        yield {
            "item_id": f"{name}/{aspect}", "question_id": _same(prompt), "prompt": prompt, "criterion": criterion,
            "response": record.text("response"), "scores": [record.number(aspect, 0, 4)], "scale": [0, 4],
            "aspect": aspect,
        }  # fmt: skip


def processbench(record: Record, name: str) -> Rows:
    """ProcessBench: solutions; ``correct`` says that no step is wrong, ``first_error`` which is (-1 none)."""
    steps = record.texts("steps", at_least=1)
    first = record.whole("label", range(-1, len(steps)))
    yield {
        "question_id": _same(record.text("problem")), "candidate_id": record.label("id"),
        "prompt": record.text("problem"), "response": "\n\n".join(steps), "correct": first == -1, "first_error": first,
        "steps": list(steps), **_kept(record, "final_answer_correct", "generator"),
    }  # fmt: skip


def arc(record: Record, name: str) -> Rows:
    """ARC: choices with labels A to E or 1 to 5, as on the hub or in the original file."""
    asked, question = record, record.values.get("question")
    if isinstance(question, dict):
        asked, question = record.inner("question"), question.get("stem")
    if isinstance(asked.values.get("choices"), list):
        pairs = [(one.label("label"), one.text("text")) for one in asked.records("choices")]
    else:
        both = asked.inner("choices")
        pairs = list(zip(both.texts("label"), both.texts("text"), strict=False))
    labels = [label for label, _ in pairs]
    key = record.label("answerKey") if record.has("answerKey") and record.values["answerKey"] else None
    if key is not None and key not in labels:
        raise record.error("answerKey", repr(key), f"one of {', '.join(labels)}", "correct the value")
    yield {
        "question_id": record.label("id"), "question": question, "options": [text for _, text in pairs],
        "answer": None if key is None else labels.index(key),
    }  # fmt: skip


def hellaswag(record: Record, name: str) -> Rows:
    """HellaSwag: which ending goes on; the test split has no labels."""
    label = record.values.get("label")
    known = {str(k): k for k in range(len(record.texts("endings", at_least=2)))}
    if label not in (None, "") and str(label) not in known:
        raise record.error("label", f"{label!r:.60}", f"a number from 0 to {len(known) - 1}", "correct the value")
    yield {
        "question_id": name, "question": record.text("ctx"), "options": list(record.texts("endings")),
        "answer": known.get(str(label)), **_kept(record, "activity_label"),
    }  # fmt: skip


def openai_messages(record: Record, name: str) -> Rows:
    """Conversations as for OpenAI's fine-tuning: the assistant's last message is the response to those before it."""
    messages = [one.values for one in record.records("messages")]
    last = max((k for k, one in enumerate(messages) if one.get("role") == "assistant"), default=0)
    if not last:
        raise record.error("messages", "no answer of the assistant behind a question", "one", "leave the row out")
    yield {"question_id": name, "candidate_id": "0", "prompt": said(messages[:last], "user"),
           "response": said(messages[last : last + 1], "assistant")}  # fmt: skip


def vllm_outputs(record: Record, name: str) -> Rows:
    """Outputs of vLLM (``RequestOutput`` as JSON): ``prompt``, or ``messages``, and ``outputs`` with ``text``."""
    prompt = record.values["messages"] if record.has("messages") else record.text("prompt")
    for number, one in enumerate(record.records("outputs")):
        yield {"question_id": str(record.values.get("request_id") or name), "candidate_id": str(number),
               "prompt": prompt, "response": one.text("text"), **_kept(one, "finish_reason")}  # fmt: skip


#: Name of a format -> what a row of it becomes.
ROWS: dict[str, Callable[[Record, str], Rows]] = {
    "rewardbench": rewardbench,
    "rewardbench2": rewardbench2,
    "judgebench": judgebench,
    "ultrafeedback": ultrafeedback,
    "helpsteer2": helpsteer2,
    "processbench": processbench,
    "arc": arc,
    "hellaswag": hellaswag,
    "openai-messages": openai_messages,
    "vllm-outputs": vllm_outputs,
}


def by_rows(rows: Callable[[Record, str], Rows]) -> Callable[[Path], list[Item]]:
    """The loader of a file by a function of its rows."""

    def load(path: Path) -> list[Item]:
        stem = path.name.partition(".")[0]
        items = []
        for number, record in enumerate(read_table(path)):
            for row in rows(record, f"{stem}-{number}"):
                one = Record(row, record.where)
                items.append(record_to_item(one, kind_of_record(one)))
        return items

    return load
