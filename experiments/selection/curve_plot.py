"""Accuracy against candidates, or against what they cost: a panel a rule, a line a judge."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ..drawing.lines import curves, look
from ..drawing.style import STYLE, short
from .curves import Point

_WITHOUT: dict[str, dict[str, Any]] = {
    "majority": {"color": "#000000", "linestyle": "--", "marker": "", "linewidth": 1.2},
    "random": {"color": "#8C8C8C", "linestyle": ":", "marker": "", "linewidth": 1.2},
    "oracle": {"color": "#8C8C8C", "linestyle": "-", "marker": "", "linewidth": 1.2},
}
_AXES = {"n": "candidates per question", "tokens": "tokens per question", "seconds": "seconds per question"}


def draw(points: Sequence[Point], *, against: str) -> Figure | None:
    """The figure against ``"n"``, ``"tokens"`` or ``"seconds"``; ``None`` if that is unknown or there is no point."""
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
            lines = {name: _line([p for p in points if p.rule == name and not p.judge], against) for name in _WITHOUT}
            lines = {name: line[:2] for name, line in lines.items()}
            looks = dict(_WITHOUT)
            for k, judge in enumerate(judges):
                lines[judge] = _line([p for p in points if (p.judge, p.rule) == (judge, rule)], against)
                looks[judge] = look(k)
            lines = {name: line for name, line in lines.items() if line[0]}
            handles |= dict(zip(lines, curves(panel, lines, x="", y="", looks=looks, legend=False), strict=True))
            panel.set(xlabel="", ylabel="")
            panel.set_title(short(rule, 40), fontsize=10, loc="left")
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


def _line(points: Sequence[Point], against: str) -> tuple[list[Any], ...]:
    x = [getattr(point, against) for point in points]
    return x, [p.accuracy for p in points], [p.low for p in points], [p.high for p in points]
