"""Plots of a comparison: one function a plot, each returning a figure (or ``None`` where there is nothing to draw)."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from ...drawing.heads import head_map
from ...drawing.lines import BANDS, accuracy_against_n, curves
from ...drawing.palette import FAMILY_COLOURS, LINES, STYLE, short
from ...drawing.spelling import number, title
from ..results import Comparison, Curve
from .spread import draw_spread, has_verdicts
from .table import family_rank

_SCORES_NOTE = "Each judge has a scale of its own; the outermost bars hold the tails. Unscored items are left out."
_MAP_NOTE = (
    "A ring marks a chosen head. The best cell of a map flatters its head, since it is chosen and reported on the same "
    "items; the table has the honest figure."
)


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot that is ready to draw: a file name without suffix, a heading, and words for who cannot see it."""

    name: str
    heading: str
    alt: str
    draw: Callable[[], Figure | None]
    note: str = ""


def plots(comparison: Comparison, prefix: str) -> list[Plot]:
    """The plots that a comparison has data for, in the order of the report.

    Args:
        comparison: What was found.
        prefix: Start of every file name.
    """
    found: list[Plot] = []

    def add(name: str, heading: str, alt: str, draw: Callable[[Comparison], Figure | None], note: str = "") -> None:
        found.append(Plot(f"{prefix}-{name}", heading, alt, lambda: draw(comparison), note))

    if any(has_verdicts(comparison, judge) for judge in comparison.judges):
        shape = "Boxes over the human score" if comparison.kind == "rating" else "Histograms by label"
        add("scores", "Scores by label", f"{shape}, a panel for each judge.", score_distributions, _SCORES_NOTE)
    if comparison.by_block:
        metric = title(comparison.by_block_metric) or "figure"
        heading = f"{metric[0].upper()}{metric[1:]} by block"
        add("blocks", heading, _peaks(comparison.by_block, "block"), accuracy_by_block, _note(comparison.by_block))
    if comparison.head_maps:
        chosen = (
            f"{found.label}: chosen " + (", ".join(f"block {b} head {h}" for b, h in found.chosen) or "none") + "."
            for found in comparison.head_maps
        )
        add("heads", "Every head", " ".join(chosen), head_maps, _MAP_NOTE)
    if comparison.by_candidates:
        words = _peaks(comparison.by_candidates, "candidates")
        add(
            "candidates",
            "Accuracy against the number of candidates",
            words,
            accuracy_by_candidates,
            _note(comparison.by_candidates),
        )
    return found


def png(figure: Figure, *, dpi: int = 150) -> bytes:
    """A figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def score_distributions(comparison: Comparison) -> Figure | None:
    """How each judge's scores differ between right and wrong, or over the human mean: a small panel a judge."""
    judges = sorted(comparison.judges, key=lambda name: family_rank(comparison.judges[name]))
    judges = [judge for judge in judges if has_verdicts(comparison, judge)]
    if not judges:
        return None
    with mpl.rc_context(STYLE):
        columns = min(4, len(judges))
        rows = -(-len(judges) // columns)
        figure = Figure(figsize=(max(5.0, 2.5 * columns), 1.95 * rows + 0.55), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in panels[len(judges) :]:
            panel.set_visible(False)
        entries: dict[str, Any] = {}
        for panel, judge in zip(panels, judges, strict=False):
            colour = FAMILY_COLOURS.get(comparison.judges[judge], "#333333")
            entries |= draw_spread(panel, comparison, judge, colour)
            panel.set_title(short(judge, 26), fontsize=9, color=colour, loc="left", fontweight="bold")
            panel.tick_params(labelsize=7.5, length=2)
            panel.xaxis.label.set_size(7.5)
            panel.yaxis.label.set_size(7.5)
        if entries:
            figure.legend(list(entries.values()), list(entries), loc="outside upper left", ncols=len(entries))
        return figure


def accuracy_by_block(comparison: Comparison) -> Figure | None:
    """A curve over blocks for each judge that has one; block 0 is the embedding row."""
    x, y = "block (0 = embedding row)", title(comparison.by_block_metric)
    return draw_curves(comparison, comparison.by_block, family="hidden", draw=partial(curves, x=x, y=y))


def accuracy_by_candidates(comparison: Comparison) -> Figure | None:
    """Accuracy of the picked candidate against how many candidates there were to pick from."""
    return draw_curves(comparison, comparison.by_candidates, family="baseline", draw=accuracy_against_n)


def head_maps(comparison: Comparison) -> Figure | None:
    """A map a judge: blocks down (from 1), heads to the right (from 0), a ring around each chosen ``(block, head)``."""
    if not comparison.head_maps:
        return None
    with mpl.rc_context(STYLE):
        columns = min(2, len(comparison.head_maps))
        rows = -(-len(comparison.head_maps) // columns)
        figure = Figure(figsize=(4.6 * columns + 0.4, 3.5 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in panels[len(comparison.head_maps) :]:
            panel.set_visible(False)
        for panel, found in zip(panels, comparison.head_maps, strict=False):
            head_map(panel, found.values, label=title(found.metric), chosen=found.chosen)
            panel.set_title(short(found.label, 44), fontsize=10, loc="left", fontweight="bold")
        return figure


def _note(curves: Sequence[Curve]) -> str:
    there = any(curve.low is not None for curve in curves)
    return "The bars at the right are the intervals at the last point." if there and len(curves) > BANDS else ""


def _peaks(curves: Sequence[Curve], unit: str) -> str:
    words = []
    for curve in curves:
        known = [(y, x) for x, y in zip(curve.x, curve.y, strict=True) if y is not None]
        if known:
            y, x = max(known)
            words.append(f"{curve.label}: at most {number(y)}, at {unit} {x}.")
    return " ".join(words)


_SHADES = (("white", 0.0), ("black", 0.45), ("white", 0.4))


def draw_curves(
    comparison: Comparison, curves: Sequence[Curve], *, family: str, draw: Callable[..., list[Any]]
) -> Figure | None:
    """One line a curve, by a function of :mod:`.drawing.lines`; ``family`` is that of a line that names no judge."""
    shown = {curve.label: curve for curve in curves if curve.x}
    if not shown:
        return None
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, max(3.7, 0.3 * len(shown) + 0.8)), layout="constrained")
        looks = {curve.label: look for curve, look in _styled(comparison, list(shown.values()), family)}
        lines = {label: (curve.x, curve.y, curve.low, curve.high) for label, curve in shown.items()}
        handles = draw(figure.subplots(), lines, looks=looks, legend=False)
        figure.legend(handles=handles, loc="outside right upper", fontsize=8.5)
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
        dash, mark = LINES[turn % len(LINES)]
        base, towards, share = (
            FAMILY_COLOURS.get(family, "#333333"),
            *_SHADES[(turn + turn // len(LINES)) % len(_SHADES)],
        )
        mixed = [a * (1 - share) + b * share for a, b in zip(to_rgb(base), to_rgb(towards), strict=True)]
        colour = to_hex((mixed[0], mixed[1], mixed[2]))
        yield curve, {"color": colour, "linestyle": dash, "marker": mark}
