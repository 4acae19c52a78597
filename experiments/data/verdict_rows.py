"""Rows of ``verdicts.jsonl``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from ...models.errors import InnerjudgeError
from ...models.items import Choice, Item, Pair, Rating, Trace
from ...probes import Verdict
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


def size(score: Any) -> float | None:
    """A verdict's score as one number: itself, or for a list how far its best stands above its second best.

    Example:
        >>> size(0.5), size([0.2, 0.7, 0.4]), size(None)
        (0.5, 0.29999999999999993, None)
    """
    if isinstance(score, list | tuple):
        known = sorted((s for s in map(size, score) if s is not None), reverse=True)
        return known[0] - known[1] if len(known) > 1 else None
    return float(score) if isinstance(score, int | float) and math.isfinite(score) else None


def read_rows(path: Path, what: str = "verdicts") -> list[dict[str, Any]]:
    """Rows of a file that one of the commands wrote.

    Raises:
        InnerjudgeError: If it holds no such rows.
    """
    try:
        return [dict(json.loads(line)) for line in path.read_text(encoding="utf-8").split("\n") if line]
    except (ValueError, TypeError, OSError):
        raise InnerjudgeError(
            f"given --out {path}, which holds no {what}, expected a new file: choose another --out"
        ) from None
