"""Rows of the one table from what judges said of items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...probes import Verdict
from ..compare.results import Outcome
from ..data.verdict_table import Row
from ..data.verdict_files import score_of


def rows_of(base: Mapping[str, Any], outcome: Outcome, place: int, kind: str) -> list[Row]:
    """The row of one item, and that of its other form: the pair swapped, the options permuted.

    Args:
        base: The item's columns.
        outcome: What the judge said of all items.
        place: The item's place among them.
        kind: Of the item.
    """
    found = [_row(base, outcome.judge, outcome.verdicts[place])]
    if kind == "pair":
        again = outcome.again[place] if outcome.again is not None else outcome.verdicts[place]
        # Pair-wise scores are those of what was shown first; a judge of single responses has one score in both orders.
        turned = outcome.again is not None and isinstance(again.score, float | int)
        score = 1 - float(again.score) if turned and isinstance(again.score, float | int) else again.score
        found.append(replace(_row(base, outcome.judge, replace(again, score=score)), order="swapped"))
    elif kind == "choice" and outcome.again is not None:
        found.append(replace(_row(base, outcome.judge, outcome.again[place]), order="permuted"))
    return found


def _row(base: Mapping[str, Any], judge: str, verdict: Verdict) -> Row:
    why = verdict.unscored
    return Row(**base, judge=judge, score=score_of(verdict.score), label=verdict.label, unscored=why)
