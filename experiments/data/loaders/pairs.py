"""Pairs of responses that people judged: PandaLM, LLMBar, MT-Bench."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ....models.items import Item, Pair
from ..kinds import record_to_item
from ..records import Record
from ..tables import read_table
from .files import read_list

_NAMES = ("tie", "a", "b")


def pandalm(path: Path) -> list[Item]:
    """Pairs of the PandaLM test set, ``[{idx, instruction, input, response1, response2, annotator1, ...}, ...]``.

    The prompt is the instruction, then the input where there is one. ``preference`` is what at least two of the three
    annotators (0 tie, 1, 2) said, else ``"tie"``. ``extra`` keeps ``annotators`` (three preferences) and ``cmp_key``
    (the two systems). The published file holds some replies as a JSON ``true`` instead of text: they are read as
    ``"True"``.
    """
    items: list[Item] = []
    for record in read_list(path):
        number = record.values.get("idx")
        if isinstance(number, bool) or not isinstance(number, int | str):
            raise record.error("idx", repr(number), "a number", "check loader and path")
        annotators = [_NAMES[record.whole(f"annotator{k}", range(3))] for k in (1, 2, 3)]
        parts = (record.text("instruction"), record.optional_text("input") or "")
        items.append(
            Pair(
                pair_id=f"pandalm-{number}",
                prompt="\n\n".join(part for part in parts if part.strip()),
                response_a=_reply(record, "response1"),
                response_b=_reply(record, "response2"),
                preference=majority_preference(annotators),
                extra={"annotators": annotators, "cmp_key": record.optional_text("cmp_key")},
            )
        )
    return items


def _reply(record: Record, name: str) -> str:
    value = record.values.get(name)
    return str(value) if isinstance(value, bool) else record.text(name)


def majority_preference(annotators: Sequence[str]) -> str:
    """What more than half of the annotators said, else ``"tie"``."""
    return next((name for name in _NAMES if 2 * annotators.count(name) > len(annotators)), "tie")


def llmbar(path: Path) -> list[Item]:
    """Pairs of one file of LLMBar, ``[{input, output_1, output_2, label}, ...]``; label 1 is ``"a"``, 2 is ``"b"``.

    ``pair_id`` is ``FILE-RECORD`` (from 0).
    """
    return [
        Pair(
            pair_id=f"{path.stem}-{number}",
            prompt=record.text("input"),
            response_a=record.text("output_1"),
            response_b=record.text("output_2"),
            preference="ab"[record.whole("label", (1, 2)) - 1],
        )
        for number, record in enumerate(read_list(path))
    ]


def mt_bench_human(path: Path) -> list[Item]:
    """Pairs of MT-Bench's human (or GPT-4) judgments: one for two systems' answers to a turn of a question.

    ``preference`` is what more than half of its judges said (``winner``), else ``"tie"``; ``extra`` keeps their votes
    (``annotators``), ``question_id``, ``turn``, and the systems. In the second turn, each response holds the turns from
    the system's first answer on.
    """
    votes: dict[tuple[str, ...], list[str]] = {}
    rows: dict[tuple[str, ...], Record] = {}
    for record in read_table(path):
        names = record.text("model_a"), record.text("model_b")
        key = (str(record.values.get("question_id")), *names, str(record.whole("turn", (1, 2))))
        winner = record.text("winner")
        said = {"model_a": "a", "model_b": "b"}.get(winner, "tie" if winner.startswith("tie") else "")
        if not said:
            raise record.error("winner", repr(winner), "model_a, model_b or tie", "correct the value")
        votes.setdefault(key, []).append(said)
        rows.setdefault(key, record)
    return [_judged(rows[key], key, votes[key]) for key in rows]


def _judged(record: Record, key: tuple[str, ...], votes: list[str]) -> Item:
    question, a, b, turn = key
    sides: dict[str, Any] = {}
    for side in "ab":
        turns = record.records(f"conversation_{side}")[: 2 * int(turn)]
        if len(turns) < 2 * int(turn):
            raise record.error(
                f"conversation_{side}", f"{len(turns)} messages", f"{2 * int(turn)}", "leave the row out"
            )
        asked, first = turns[0].text("content"), turns[1].text("content")
        sides[side] = first if turn == "1" else [dict(one.values) for one in turns[1:]]
    row: dict[str, Any] = {
        "pair_id": f"{question}/{a}/{b}/{turn}",
        "prompt": asked,
        "preference": majority_preference(votes),
    }
    row |= {f"response_{side}": text for side, text in sides.items()}
    row |= {"annotators": votes, "question_id": question, "turn": int(turn), "system_a": a, "system_b": b}
    return record_to_item(Record(row, record.where), "pair")
