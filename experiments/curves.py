"""Lines with intervals over blocks or over numbers of candidates."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .palette import FAMILY_COLOURS, STYLE, short
from .results import Comparison, Curve

#: Up to this many curves have their interval drawn as a band.
BANDS = 5
_SHADES = (("white", 0.0), ("black", 0.45), ("white", 0.4))
_LINES = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"), ("-", "v"), ("--", "X"))


def draw_curves(comparison: Comparison, curves: Sequence[Curve], *, x: str, y: str, family: str) -> Figure | None:
    """One line a curve; ``family`` gives the colour of a line that names no judge."""
    curves = [curve for curve in curves if curve.x]
    if not curves:
        return None
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, max(3.7, 0.3 * len(curves) + 0.8)), layout="constrained")
        panel = figure.subplots()
        handles = []
        for curve, style in _styled(comparison, curves, family):
            values = np.array([np.nan if v is None else v for v in curve.y], dtype=np.float64)
            handles += panel.plot(curve.x, values, markevery=max(1, len(values) // 12), **style)
            if curve.low is not None and curve.high is not None:
                low, high = ([np.nan if v is None else v for v in side] for side in (curve.low, curve.high))
                if len(curves) <= BANDS:
                    panel.fill_between(curve.x, low, high, color=style["color"], alpha=0.14, linewidth=0)
                else:  # a bar beside the last point each: many bands hide one another
                    at = curve.x[-1] + (curve.x[-1] - curve.x[0]) * (0.03 + 0.16 * len(handles) / len(curves))
                    panel.plot(
                        [at, at], [low[-1], high[-1]], color=style["color"], linewidth=1.6, solid_capstyle="butt"
                    )
                    panel.plot([at], values[-1:], color=style["color"], marker=style["marker"], markersize=4)
        panel.set(xlabel=x, ylabel=short(y, 50))
        places = sorted({place for curve in curves for place in curve.x})
        ticks = MaxNLocator(12, integer=True).tick_values(places[0], places[-1])
        panel.set_xticks([tick for tick in ticks if tick in places])
        labels = ["\n ".join(textwrap.wrap(short(curve.label, 60), 30)) for curve in curves]
        figure.legend(handles, [f" {label}" for label in labels], loc="outside right upper", fontsize=8.5)
        return figure


def _styled(comparison: Comparison, curves: Sequence[Curve], fallback: str) -> Iterator[tuple[Curve, dict[str, Any]]]:
    """Each curve in a shade of its family's colour, with a dash and mark; the family is that of the judge it names."""
    names = {name.lower().replace("-", " "): family for name, family in comparison.judges.items()}
    seen: Counter[str] = Counter()
    for curve in curves:
        label = curve.label.lower().replace("-", " ")
        family = names[max(starts, key=len)] if (starts := [n for n in names if label.startswith(n)]) else fallback
        turn = seen[family]
        seen[family] += 1
        dash, mark = _LINES[turn % len(_LINES)]
        base, towards, share = (
            FAMILY_COLOURS.get(family, "#333333"),
            *_SHADES[(turn + turn // len(_LINES)) % len(_SHADES)],
        )
        mixed = [a * (1 - share) + b * share for a, b in zip(to_rgb(base), to_rgb(towards), strict=True)]
        colour = to_hex((mixed[0], mixed[1], mixed[2]))
        yield curve, {"color": colour, "linestyle": dash, "marker": mark, "markersize": 4, "linewidth": 1.6}
