"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.runs.job import items_file
from innerjudge.experiments.runs.look import look_at
from innerjudge.models.items import Trace


def test_look_at() -> None:
    row = {"question_id": "q", "candidate_id": "1", "prompt": "2+2?", "response": "<think>2+2=4</think>4"}
    found = look_at([Trace(**row, correct=True)])
    assert (found.facts["kind"], "[reasoning_end]" in found.items[0]) == ("1 trace", True)


def test_items_file() -> None:
    assert (items_file("permuted"), items_file("")) == ("permuted/items.jsonl", "items.jsonl")
