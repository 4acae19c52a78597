"""Rows of ``verdicts.jsonl``."""

from __future__ import annotations

from typing import Any

from ..models.items import Choice, Item, Pair, Rating, Trace
from ..probes import Verdict
from .labels import label_of

_IDS = {Trace: ("question_id", "candidate_id"), Rating: ("item_id",), Choice: ("question_id",), Pair: ("pair_id",)}


def verdict_row(item: Item, verdict: Verdict, *, data: str, judge: str) -> dict[str, Any]:
    """Ids of the item, ``data``, ``judge``, ``score``, ``label``, ``unscored`` (null or the reason) and ``truth``.

    Of traces also ``answer``, and ``tokens``, their number, where the sampled ids are known: for rules that select.

    Example:
        >>> item = Choice(question_id="c1", question="?", options=("x", "y"), answer=1)
        >>> verdict_row(item, Verdict("c1", score=[0.1, 0.9], label=1), data="d", judge="qk-score")["truth"]
        1
    """
    ids = {name: getattr(item, name) for name in _IDS[type(item)]}
    said = {"score": verdict.score, "label": verdict.label, "unscored": verdict.unscored}
    return ids | {"data": data, "judge": judge} | said | {"truth": label_of(item)} | _of_trace(item)


def _of_trace(item: Item) -> dict[str, Any]:
    if not isinstance(item, Trace):
        return {}
    found: dict[str, Any] = {} if item.answer is None else {"answer": item.answer}
    ids = item.extra.get("response_ids")
    return found | ({"tokens": len(ids)} if ids else {})
