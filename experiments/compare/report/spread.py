"""How the scores of one judge spread over what is true of the items: one small panel of a plot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from ...data.verdict_files import score_of as size
from ...drawing.palette import UNKNOWN
from ...drawing.scores import score_distributions, scores_by_grade
from ..results import Comparison

_X = {"choice": "best score minus second best", "pair": "distance of the two scores"}
_WORDS = {"trace": ("right traces", "wrong traces"), "choice": ("right picks", "wrong picks")}


def has_verdicts(comparison: Comparison, judge: str) -> bool:
    """Whether any item has a score of ``judge``."""
    return any(size(row.get("score")) is not None for row in _rows(comparison, judge))


def draw_spread(panel: Axes, comparison: Comparison, judge: str, colour: str) -> dict[str, Patch]:
    """Draw the panel of ``judge``; returns the legend's entries by their words (none for ratings)."""
    rows = [row for row in _rows(comparison, judge) if size(row.get("score")) is not None]
    if comparison.kind == "rating":
        pairs = [(truth, size(row["score"])) for row in rows if (truth := _mean(row.get("truth"))) is not None]
        if pairs:
            scores_by_grade(panel, *np.array(pairs, dtype=np.float64).T, colour=colour)
        else:
            panel.set(xlabel="human score", ylabel="score")
            panel.text(0.5, 0.5, "no human scores", ha="center", transform=panel.transAxes, color=UNKNOWN, fontsize=8)
        return {}
    groups: dict[str, list[float]] = {
        words: [] for words in (*_WORDS.get(comparison.kind, ("right picks", "wrong picks")), "no label")
    }
    right, wrong, unknown = groups
    for row in rows:
        truth = _is_right(row, comparison.kind)
        groups[unknown if truth is None else right if truth else wrong].append(cast(float, size(row["score"])))
    return score_distributions(panel, groups, x=_X.get(comparison.kind, "score"))


def _rows(comparison: Comparison, judge: str) -> Iterable[Mapping[str, Any]]:
    return (row for row in comparison.verdicts if row.get("judge") == judge)


def _is_right(row: Mapping[str, Any], kind: str) -> bool | None:
    """Of a trace: whether it is right. Of a choice or pair: whether the judge picked the right one."""
    truth, label, score = row.get("truth"), row.get("label"), row["score"]
    if truth is None or kind == "trace":
        return None if truth is None else bool(truth)
    if label is None and isinstance(score, list | tuple):
        label = max(range(len(score)), key=lambda k: -math.inf if score[k] is None else score[k])
        label = "ab"[label] if kind == "pair" and label < 2 else label
    return None if label is None else bool(label == truth)


def _mean(truth: Any) -> float | None:
    if isinstance(truth, list | tuple):
        known = [float(t) for t in truth if isinstance(t, int | float)]
        return sum(known) / len(known) if known else None
    return float(truth) if isinstance(truth, int | float) and math.isfinite(truth) else None
