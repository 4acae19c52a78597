"""How the scores of one judge spread over what is true of the items: one small panel of a plot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from .results import Comparison

#: Neither is the colour of a family.
RIGHT, WRONG = "#3F4E63", "#E69F00"
_X = {
    "trace": "score",
    "choice": "best score minus second best",
    "pair": "distance of the two scores",
    "rating": "human score",
}
_WORDS = {"trace": ("right traces", "wrong traces"), "choice": ("right picks", "wrong picks")}


def has_verdicts(comparison: Comparison, judge: str) -> bool:
    """Whether any item has a score of ``judge``."""
    return any(size(row.get("score")) is not None for row in _rows(comparison, judge))


def draw_spread(panel: Axes, comparison: Comparison, judge: str, colour: str) -> dict[str, Patch]:
    """Draw the panel of ``judge``; returns the legend's entries by their words (none for ratings)."""
    rows = [row for row in _rows(comparison, judge) if size(row.get("score")) is not None]
    panel.set_xlabel(_X.get(comparison.kind, "score"), fontsize=7.5)
    if comparison.kind == "rating":
        _boxes(panel, rows, colour)
        return {}
    values = np.array([size(row["score"]) for row in rows], dtype=np.float64)
    truth = [_is_right(row, comparison.kind) for row in rows]
    yes, no = _WORDS.get(comparison.kind, ("right picks", "wrong picks"))
    entries = {}
    sides = ((yes, True, RIGHT), (no, False, WRONG), ("no label", None, "#6E6E6E"))
    edges = _edges(values)
    for words, side, fill in sides:
        part = values[[t is side for t in truth]]
        if len(part):
            share = np.histogram(np.clip(part, edges[0], edges[-1]), edges)[0] / len(part)
            panel.stairs(share, edges, fill=True, color=fill, alpha=0.35)
            panel.stairs(share, edges, color=fill, linewidth=1.4, linestyle="--" if side is False else "-")
            entries[words] = Patch(
                facecolor=(fill, 0.35), edgecolor=fill, linewidth=1.4, linestyle="--" if side is False else "-"
            )
    known = np.unique(values)
    if len(known) <= 4 and (len(known) == 1 or np.diff(known).min() >= np.ptp(known) / 5):
        panel.set_xticks(known, [f"{value:.3g}" for value in known])
    else:  # a small panel has room for few labels, and none for many digits
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.ticklabel_format(axis="x", style="sci", scilimits=(-2, 4), useMathText=False)
        panel.xaxis.get_offset_text().set_fontsize(7)
    panel.set_ylabel("share", fontsize=7.5)
    panel.set_ylim(bottom=0)
    return entries


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


def _edges(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Edges of the bars: one bar a value where there are few, else up to 20; the outer two hold the tails."""
    known = np.unique(values)
    if len(known) <= 7:
        gap = float(np.diff(known).min()) if len(known) > 1 else 1.0
        low, high = float(known[0]), float(known[-1])
        steps = round((high - low) / gap) + 1
        if steps <= 24:
            return np.linspace(low - gap / 2, high + gap / 2, steps + 1)
    low, high = (float(q) for q in np.percentile(values, [0.5, 99.5]))
    if not high > low:
        low, high = float(known[0]), float(known[-1])
    return np.linspace(low, high, min(20, max(6, round(math.sqrt(len(values))))) + 1)


def _boxes(panel: Axes, rows: list[Mapping[str, Any]], colour: str) -> None:
    """A box of scores over every rounded human mean, and the scores themselves behind it."""
    pairs = [(truth, size(row["score"])) for row in rows if (truth := _mean(row.get("truth"))) is not None]
    panel.set_ylabel("score", fontsize=7.5)
    if not pairs:
        panel.text(0.5, 0.5, "no human scores", ha="center", transform=panel.transAxes, color="#6E6E6E", fontsize=8)
        return
    human, score = np.array(pairs, dtype=np.float64).T
    near = np.floor(human + 0.5)
    jitter = np.random.default_rng(0).uniform(-0.16, 0.16, len(score))
    panel.scatter(near + jitter, score, s=5, color=colour, alpha=0.25, linewidths=0)
    places = np.unique(near)
    boxes = panel.boxplot(
        [score[near == at] for at in places],
        positions=places,
        widths=0.55,
        showfliers=False,
        manage_ticks=False,
        medianprops={"color": colour, "linewidth": 2.2},
    )
    for part in ("boxes", "whiskers", "caps"):
        for line in boxes[part]:
            line.set(color="#444444", linewidth=0.9)
    panel.set_xticks(places if len(places) <= 10 else places[:: -(-len(places) // 10)])
    panel.set_xlim(places[0] - 0.6, places[-1] + 0.6)


def _mean(truth: Any) -> float | None:
    if isinstance(truth, list | tuple):
        known = [float(t) for t in truth if isinstance(t, int | float)]
        return sum(known) / len(known) if known else None
    return float(truth) if isinstance(truth, int | float) and math.isfinite(truth) else None
