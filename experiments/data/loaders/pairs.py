"""Pairs of responses: the PandaLM test set and LLMBar."""

from collections.abc import Sequence
from pathlib import Path

from ....models.items import Item, Pair
from ..records import Record
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
