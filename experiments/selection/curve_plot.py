"""Accuracy against candidates, or against what they cost: a panel a rule, a line a judge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..palette import STYLE, short
from .curve_rows import Point

#: Okabe and Ito's colours, told apart by colour-blind readers; then the same again with other dashes.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DASHES = ("-", "--", ":", "-.")
_WITHOUT = {"majority": ("#000000", "--"), "random": ("#8C8C8C", ":"), "oracle": ("#8C8C8C", "-")}
#: Up to so many judges have their interval drawn as a band; of more, at the last point only.
_BANDS = 3
_AXES = {"n": "candidates a question", "tokens": "tokens a question", "seconds": "seconds a question"}


def draw(points: Sequence[Point], *, against: str) -> Figure | None:
    """The figure; ``None`` where the cost is unknown or there is nothing to draw.

    Args:
        points: All points.
        against: ``"n"``, ``"tokens"`` or ``"seconds"``.
    """
    points = [point for point in points if getattr(point, against) is not None]
    rules = list(dict.fromkeys(point.rule for point in points if point.judge))
    judges = list(dict.fromkeys(point.judge for point in points if point.judge))
    if not rules:
        return None
    across = min(3, len(rules))
    down = math.ceil(len(rules) / across)
    with mpl.rc_context(STYLE):
        height = max(3.2 * down + 0.4, 0.24 * (len(judges) + 4) + 0.8)
        figure = Figure(figsize=(3.4 * across + 2.6, height), layout="constrained")
        panels = figure.subplots(down, across, squeeze=False, sharey=True, sharex=True)
        handles: dict[str, Any] = {}
        for place, rule in enumerate(rules):
            panel = panels[place // across, place % across]
            for name, (colour, dash) in _WITHOUT.items():
                some = [point for point in points if point.rule == name and not point.judge]
                handles[name] = _line(panel, some, against, colour, dash, 1.2)
            for k, judge in enumerate(judges):
                some = [point for point in points if (point.judge, point.rule) == (judge, rule)]
                colour, dash = _COLOURS[k % len(_COLOURS)], _DASHES[k // len(_COLOURS) % len(_DASHES)]
                if some:
                    handles[judge] = _line(panel, some, against, colour, dash, 1.7)
                    _interval(panel, some, against, colour, k, len(judges))
            panel.set_title(short(rule, 40), fontsize=10, loc="left")
            if against == "n":
                panel.xaxis.set_major_locator(MaxNLocator(9, integer=True))
        for panel in panels.flat[len(rules) :]:
            panel.remove()
        for panel in panels[:, 0]:
            panel.set_ylabel("share of questions right")
        for place in range(len(rules)):
            if place + across >= len(rules):  # nothing below it
                panels[place // across, place % across].set_xlabel(_AXES[against])
                panels[place // across, place % across].tick_params(labelbottom=True)
        figure.legend(
            list(handles.values()), [short(name, 28) for name in handles], loc="outside right upper", fontsize=8.5
        )
        return figure


def _line(panel: Axes, points: Sequence[Point], against: str, colour: str, dash: str, width: float) -> Any:
    x = [getattr(point, against) for point in points]
    (line,) = panel.plot(x, [point.accuracy for point in points], color=colour, linestyle=dash, linewidth=width)
    return line


def _interval(panel: Axes, points: Sequence[Point], against: str, colour: str, k: int, judges: int) -> None:
    x = [getattr(point, against) for point in points]
    low, high = [point.low for point in points], [point.high for point in points]
    if judges <= _BANDS:
        panel.fill_between(x, low, high, color=colour, alpha=0.14, linewidth=0)
        return
    at = x[-1] + (x[-1] - x[0] or 1.0) * (
        0.03 + 0.16 * k / judges
    )  # beside the last point: bands would hide one another
    panel.plot([at, at], [low[-1], high[-1]], color=colour, linewidth=1.4, solid_capstyle="butt")
    panel.plot([at], [points[-1].accuracy], color=colour, marker="o", markersize=3)
