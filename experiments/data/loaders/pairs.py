"""Pairs of responses of which one is preferred: PandaLM, LLMBar, MT-Bench, RewardBench, JudgeBench."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ....models.errors import quoted
from ....models.items import Item
from ..records import Record
from ..tables import read_table
from ..variants import with_sides
from .files import Rows, by_rows, item_of, kept, one_of, question_of

_NAMES = ("tie", "a", "b")


@by_rows
def pandalm(record: Record, name: str) -> Rows:
    """Pairs of the PandaLM test set, ``[{idx, instruction, input, response1, response2, annotator1, ...}, ...]``.

    The prompt is the instruction, then the input where there is one. ``preference`` is what at least two of the three
    annotators (0 tie, 1, 2) said, else ``"tie"``. ``extra`` keeps ``annotators`` (three preferences) and ``cmp_key``
    (the two systems). The published file holds some replies as a JSON ``true`` instead of text: they are read as
    ``"True"``.
    """
    number = record.values.get("idx")
    if isinstance(number, bool) or not isinstance(number, int | str):
        raise record.error("idx", quoted(number), "a number", "check loader and path")
    votes = [_NAMES[record.whole(f"annotator{k}", range(3))] for k in (1, 2, 3)]
    parts = (record.text("instruction"), record.optional_text("input") or "")
    prompt = "\n\n".join(part for part in parts if part.strip())
    row = {"pair_id": f"pandalm-{number}", "question_id": question_of(prompt), "prompt": prompt}
    row |= {"response_a": _reply(record, "response1"), "response_b": _reply(record, "response2")}
    known = {"preference": majority_preference(votes), "annotators": votes}
    yield row | known | {"cmp_key": record.optional_text("cmp_key")}


def _reply(record: Record, name: str) -> str:
    value = record.values.get(name)
    return str(value) if isinstance(value, bool) else record.text(name)


def majority_preference(annotators: Sequence[str]) -> str:
    """What more than half of the annotators said, else ``"tie"``."""
    return next((name for name in _NAMES if 2 * annotators.count(name) > len(annotators)), "tie")


@by_rows
def llmbar(record: Record, name: str) -> Rows:
    """Pairs of one file of LLMBar, ``[{input, output_1, output_2, label}, ...]``; label 1 is ``"a"``, 2 is ``"b"``.

    ``pair_id`` is ``FILE-RECORD`` (from 0).
    """
    row = {"pair_id": name, "question_id": question_of(record.text("input")), "prompt": record.text("input")}
    row |= {"response_a": record.text("output_1"), "response_b": record.text("output_2")}
    yield row | {"preference": "ab"[record.whole("label", (1, 2)) - 1]}


@by_rows
def rewardbench(record: Record, name: str) -> Rows:
    """RewardBench: pairs, with the chosen response sometimes as a, sometimes as b; ``subset`` is kept."""
    named = kept(record, "prompt", "chosen", "rejected", "subset", "chosen_model", "rejected_model")
    row = with_sides(Record(named, record.where))
    yield {"pair_id": name, "question_id": question_of(row.get("prompt")), **row}


@by_rows
def judgebench(record: Record, name: str) -> Rows:
    """JudgeBench: pairs of responses of one model, of which one is right."""
    sides = {"response_a": record.text("response_A"), "response_b": record.text("response_B")}
    preferred = "ab"[one_of(record, "label", ["A>B", "B>A"])]
    prompt = record.text("question")
    row = {"pair_id": record.label("pair_id"), "question_id": question_of(prompt), "prompt": prompt, **sides}
    yield row | {"preference": preferred} | kept(record, "source", "original_id", "response_model")


_WINNERS = {"model_a": "a", "model_b": "b", "tie": "tie", "tie (inconsistent)": "tie"}


def mt_bench_human(path: Path) -> list[Item]:
    """Pairs of MT-Bench's human (or GPT-4) judgments: one for two systems' answers to a turn of a question.

    ``preference`` is what more than half of its judges said (``winner``), else ``"tie"``; ``extra`` keeps their votes
    (``annotators``), ``question_id``, ``turn``, and the systems; the first judge of two systems says which is a, and
    votes of judges who saw them the other way round are turned. In the second turn, each response holds the turns from
    the system's first answer on.
    """
    found: dict[tuple[str, int, frozenset[str]], tuple[dict[str, Any], str]] = {}
    for record in read_table(path):
        a, b, turn = record.text("model_a"), record.text("model_b"), record.whole("turn", (1, 2))
        question = str(record.values.get("question_id"))
        vote = list(_WINNERS.values())[one_of(record, "winner", list(_WINNERS))]
        pair = question, turn, frozenset((a, b))
        if pair not in found:
            row: dict[str, Any] = {f"response_{side}": _said(record, f"conversation_{side}", 2 * turn) for side in "ab"}
            row |= {"pair_id": f"{question}/{a}/{b}/{turn}", "annotators": [], "question_id": question, "turn": turn}
            row |= {"prompt": record.records("conversation_a")[0].text("content"), "system_a": a, "system_b": b}
            found[pair] = row, record.where
        row = found[pair][0]
        row["annotators"].append(vote if row["system_a"] == a else {"a": "b", "b": "a"}.get(vote, vote))
    return [item_of(row | {"preference": majority_preference(row["annotators"])}, at) for row, at in found.values()]


def _said(record: Record, name: str, count: int) -> list[Any]:
    turns = [one.values for one in record.records(name)[:count]]
    if len(turns) < count:
        raise record.error(name, f"{len(turns)} messages", f"{count}", "leave the row out")
    return turns[1:]
