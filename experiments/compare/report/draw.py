"""Plots of figures: intervals on one scale, curves, bars by condition, matrices; each with the table behind it."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from ...drawing.lines import Line, curves as line_plot, look, reliability
from ...drawing.style import FAMILY_COLOURS, short
from ..figures import Figure, Grid, Plot, grid
from ..lens import Lens

#: Colours of families, with those of judges that came from elsewhere.
COLOURS = FAMILY_COLOURS | {"imported": "#CC79A7", "people": "#000000", "panel": "#56B4E9", "asked": "#009E73"}


def forest(
    lens: Lens, name: str, metric: str, figures: Sequence[Figure], *, mark: float | None = None, heading: str = ""
) -> Plot | None:
    """One figure and its interval a line, on one scale; ``mark`` is a vertical line (chance, or no bias)."""
    known = [f for f in figures if f.value is not None]
    if not known:
        return None

    def draw() -> Drawing:
        drawing, panel = _canvas(max(2.2, 0.3 * len(known) + 0.9))
        if mark is not None:
            panel.axvline(mark, color="#999999", linewidth=1)
        for y, f in enumerate(reversed(known)):
            colour = COLOURS.get(lens.families.get(f.judge, ""), "#333333")
            if f.low is not None and f.high is not None:
                panel.plot([f.low, f.high], [y, y], color=colour, linewidth=2.4, alpha=0.75, solid_capstyle="butt")
            panel.plot([f.value or 0.0], [y], "o", color=colour, markersize=6)
        panel.set_yticks(range(len(known)), [short(f.judge, 34) for f in reversed(known)])
        panel.set(xlabel=metric, ylim=(-0.6, len(known) - 0.4))
        panel.grid(axis="y", visible=False)
        return drawing

    best = max(known, key=lambda f: f.value or 0.0)
    behind = grid("plot of intervals", [[f.judge, f, f.n] for f in known], metric=metric)
    alt = f"{metric} of {len(known)} judges with 95 % intervals; highest {best.judge}."
    return Plot(name=slug(lens.data, name), heading=heading or metric, alt=alt, draw=draw, behind=behind)


def curves(
    data: str, name: str, heading: str, lines: Mapping[str, Line], *, x: str, y: str, behind: Grid
) -> Plot | None:
    """One line a judge, with its interval where it has one."""
    shown = {k: v for k, v in lines.items() if len(v[0])}
    if not shown:
        return None

    draw = partial(with_legend, shown, width=8.6, height=4.2, x=x, y=y)
    alt = f"{y} over {x} for {', '.join(shown)}."
    return Plot(name=slug(data, name), heading=heading, alt=alt, draw=draw, behind=behind)


def with_legend(
    lines: Mapping[str, Line], draw: Callable[..., list[Any]] = line_plot, *, width: float, height: float, **how: Any
) -> Drawing:
    """Lines, drawn by a function of :mod:`.drawing.lines`, and beside them what they are called."""
    drawing, panel = _canvas(height, width)
    drawing.legend(handles=draw(panel, lines, legend=False, **how), loc="outside right upper", fontsize=8.5)
    return drawing


def diagonals(
    lens: Lens, name: str, heading: str, points: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, behind: Grid
) -> Plot | None:
    """A small panel a judge: predicted against observed; on the diagonal the two are the same."""
    if not points:
        return None

    def draw() -> Drawing:
        drawing, panels = panels_of(len(points), columns=4, width=2.3, height=2.15)
        for panel, (judge, (xs, ys)) in zip(panels, points.items(), strict=False):
            colour = COLOURS.get(lens.families.get(judge, ""), "#333333")
            reliability(panel, xs, ys, colour=colour)
            panel.set(xlabel="", ylabel="")
            panel.set_title(short(judge, 24), fontsize=9, loc="left", color=colour)
        drawing.supxlabel("probability said", fontsize=9)
        drawing.supylabel("share right", fontsize=9)
        return drawing

    alt = f"Share right against probability said, a panel for each of {', '.join(points)}."
    return Plot(name=slug(lens.data, name), heading=heading, alt=alt, draw=draw, behind=behind)


def bars(
    data: str, name: str, heading: str, groups: Mapping[str, Mapping[str, Figure]], *, y: str, mark: float | None = None
) -> Plot | None:
    """Figures by condition (along x) and judge (colour and mark), with their intervals."""
    conditions = list(dict.fromkeys(c for held in groups.values() for c in held))
    if not conditions:
        return None

    def draw() -> Drawing:
        drawing, panel = _canvas(3.8)
        if mark is not None:
            panel.axhline(mark, color="#999999", linewidth=1)
        width = 0.8 / max(len(groups), 1)
        for k, (judge, held) in enumerate(groups.items()):
            colour, marker = look(k)["color"], look(k)["marker"]
            for at, condition in enumerate(conditions):
                figure = held.get(condition)
                if figure is None or figure.value is None:
                    continue
                place = at - 0.4 + width * (k + 0.5)
                if figure.low is not None and figure.high is not None:
                    panel.plot([place] * 2, [figure.low, figure.high], color=colour, linewidth=2, alpha=0.6)
                panel.plot([place], [figure.value], marker, color=colour, markersize=5)
            panel.plot([], [], marker, color=colour, label=short(judge, 30))
        rotate = 25 if sum(map(len, conditions)) > 60 else 0
        panel.set_xticks(range(len(conditions)), [short(c, 24) for c in conditions], rotation=rotate)
        panel.set_ylabel(y)
        panel.grid(axis="x", visible=False)
        drawing.legend(loc="outside right upper", fontsize=8.5)
        return drawing

    rows = [[judge, *(held.get(c) for c in conditions)] for judge, held in groups.items()]
    behind = grid("plot of conditions", rows, conditions, metric=y)
    alt = f"{y} by condition ({', '.join(conditions)}) for {', '.join(groups)}, with 95 % intervals."
    return Plot(name=slug(data, name), heading=heading, alt=alt, draw=draw, behind=behind)


def matrix(
    name: str, heading: str, rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]],
    *, behind: Grid, x: str, y: str,
) -> Plot:  # fmt: skip
    """A square of figures, read from the row to the column."""

    def draw() -> Drawing:
        with mpl.rc_context({"axes.grid": False}):
            drawing, panel = _canvas(0.55 * len(rows) + 1.6)
            held = np.array([[np.nan if v is None else v for v in row] for row in values])
            panel.imshow(np.ma.masked_invalid(held), cmap="cividis", aspect="auto")
            middle = float(np.nanmean(held)) if not np.isnan(held).all() else 0.0
            for i, j in np.ndindex(held.shape):
                if not np.isnan(held[i, j]):
                    ink = "white" if held[i, j] < middle else "black"
                    panel.text(j, i, f"{held[i, j]:.2f}", ha="center", va="center", color=ink)
            panel.set_xticks(range(len(columns)), [short(c, 26) for c in columns])
            panel.set_yticks(range(len(rows)), [short(r, 26) for r in rows])
            panel.set(xlabel=x, ylabel=y)
            panel.grid(visible=False)
            return drawing

    return Plot(name=slug("across", name), heading=heading, alt=heading, draw=draw, behind=behind)


def slug(*words: str) -> str:
    """A file name from words."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")[-80:].strip("-")


def panels_of(n: int, *, columns: int, width: float, height: float, more: float = 0.0) -> tuple[Drawing, Any]:
    """Panels in rows, of which only the first ``n`` are visible."""
    columns = min(columns, n)
    rows = -(-n // columns)
    drawing = Drawing(figsize=(max(5.0, width * columns), height * rows + more), layout="constrained")
    panels = drawing.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[n:]:
        panel.set_visible(False)
    return drawing, panels


def _canvas(height: float, width: float = 8.6) -> tuple[Drawing, Axes]:
    drawing = Drawing(figsize=(width, height), layout="constrained")
    return drawing, drawing.subplots()
