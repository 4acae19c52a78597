"""Plots of judges side by side: how their scores spread, lines in the colours of their families, maps of heads."""

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch

from ...drawing import scores as spread
from ...drawing.inside import head_map
from ...drawing.lines import BANDS, accuracy_against_n, curves
from ...drawing.style import LINES, STYLE, UNKNOWN, number, short
from ..figures import Grid, Plot, family_rank
from ..lens import Lens, as_floats
from ..results import Curve, HeadMap
from ..sweep import Sweep
from .draw import COLOURS, panels_of, slug, with_legend

_MAP_NOTE = (
    "A ring marks a chosen head. The best cell of a map flatters its head, since it is chosen and reported on the same "
    "items; the table has the honest figure."
)
_SHADES = (("white", 0.0), ("black", 0.45), ("white", 0.4))


def png(drawing: Drawing, *, dpi: int = 150) -> bytes:
    """A drawing as the bytes of a PNG file."""
    buffer = io.BytesIO()
    drawing.set(dpi=dpi, facecolor="white")
    with mpl.rc_context(STYLE):  # `savefig` would draw twice, to lay out and to print
        cast(Any, FigureCanvasAgg(drawing)).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def score_distributions(lens: Lens) -> Plot | None:
    """How each judge's scores differ between right and wrong, or over the human mean: a small panel a judge."""
    judges = [judge for judge in lens.judges if any(s is not None for s in lens.table.scores(judge))]
    judges.sort(key=lambda name: family_rank(lens.families[name]))
    if not judges:
        return None

    def draw() -> Drawing:
        drawing, panels = panels_of(len(judges), columns=4, width=2.5, height=1.95, more=0.55)
        entries: dict[str, Any] = {}
        for panel, judge in zip(panels, judges, strict=False):
            colour = COLOURS.get(lens.families[judge], "#333333")
            entries |= draw_spread(panel, lens, judge, colour)
            panel.set_title(short(judge, 26), fontsize=9, color=colour, loc="left", fontweight="bold")
            panel.tick_params(labelsize=7.5, length=2)
            panel.xaxis.label.set_size(7.5)
            panel.yaxis.label.set_size(7.5)
        if entries:
            drawing.legend(list(entries.values()), list(entries), loc="outside upper left", ncols=len(entries))
        return drawing

    shape = "Boxes over the human score" if lens.kind == "rating" else "Histograms by true label"
    return Plot(
        name=slug(lens.data, "scores"),
        heading="Scores of right and wrong items" if lens.kind != "rating" else "Scores by human grade",
        alt=f"{shape}, a panel for each judge.",
        draw=draw,
        note="Each judge has a scale of its own; a histogram's outer bars hold the tails. Unscored items are left out.",
    )


def accuracy_by_block(lens: Lens, found: Sequence[Curve], measure: str, behind: Grid) -> Plot | None:
    """A curve over blocks for each judge that has one; block 0 is the embedding row."""
    draw = partial(curves, x="block (0 = embedding row)", y=measure)
    heading, alt = f"{measure} by block", _peaks(found, "block")
    return _family_curves(lens, found, ("blocks", heading, alt), family="hidden", draw=draw, behind=behind)


def accuracy_by_candidates(lens: Lens, found: Sequence[Curve]) -> Plot | None:
    """Accuracy of the picked candidate against how many candidates there were to pick from."""
    words = ("candidates", "Accuracy against the number of candidates", _peaks(found, "candidates"))
    return _family_curves(lens, found, words, family="baseline", draw=accuracy_against_n)


def head_maps(lens: Lens, maps: Sequence[HeadMap]) -> Plot | None:
    """A map a judge: blocks down (from 1), heads to the right (from 0), a ring around each chosen ``(block, head)``."""
    if not maps:
        return None

    def draw() -> Drawing:
        drawing, panels = panels_of(len(maps), columns=2, width=4.8, height=3.5)
        for panel, found in zip(panels, maps, strict=False):
            head_map(panel, found.values, label=found.metric, chosen=found.chosen)
            panel.set_title(short(found.label, 44), fontsize=10, loc="left", fontweight="bold")
        return drawing

    chosen = {one.label: ", ".join(f"block {b} head {h}" for b, h in one.chosen) or "none" for one in maps}
    alt = " ".join(f"{label}: chosen {heads}." for label, heads in chosen.items())
    return Plot(name=slug(lens.data, "heads"), heading="Every head", alt=alt, draw=draw, note=_MAP_NOTE)


def _family_curves(
    lens: Lens, found: Sequence[Curve], words: tuple[str, str, str], *, family: str, draw: Callable[..., list[Any]],
    behind: Grid | None = None
) -> Plot | None:  # fmt: skip
    """One line a curve, by a function of :mod:`.drawing.lines`; ``family`` is that of a line that names no judge."""
    shown = {curve.label: curve for curve in found if curve.x}
    if not shown:
        return None

    looks = {curve.label: look for curve, look in _looks(lens, list(shown.values()), family)}
    lines = {label: (curve.x, curve.y, curve.low, curve.high) for label, curve in shown.items()}
    drawn = partial(with_legend, lines, draw, width=9.0, height=max(3.7, 0.3 * len(shown) + 0.8), looks=looks)
    bars = any(curve.low is not None for curve in shown.values()) and len(shown) > BANDS
    name, heading, alt = words
    note = "The bars at the right are the intervals at the last point." if bars else ""
    return Plot(name=slug(lens.data, name), heading=heading, alt=alt, draw=drawn, behind=behind, note=note)


def _peaks(found: Sequence[Curve], unit: str) -> str:
    known = {c.label: [(y, x) for x, y in zip(c.x, c.y, strict=True) if y is not None] for c in found}
    tops = {label: max(points) for label, points in known.items() if points}
    return " ".join(f"{label}: at most {number(y)}, at {unit} {x}." for label, (y, x) in tops.items())


def _looks(lens: Lens, found: Sequence[Curve], fallback: str) -> Iterator[tuple[Curve, dict[str, Any]]]:
    """Each curve in a shade of its family's colour, with a dash and mark; the family is that of the judge it names."""
    names = {name.lower().replace("-", " "): family for name, family in lens.families.items()}
    seen: Counter[str] = Counter()
    for k, curve in enumerate(found):
        label = curve.label.lower().replace("-", " ")
        family = names[max(starts, key=len)] if (starts := [n for n in names if label.startswith(n)]) else fallback
        dash, mark = LINES[k % len(LINES)]
        towards, share = _SHADES[seen[family] % len(_SHADES)]
        seen[family] += 1
        pairs = zip(to_rgb(COLOURS.get(family, "#333333")), to_rgb(towards), strict=True)
        red, green, blue = (a * (1 - share) + b * share for a, b in pairs)
        yield curve, {"color": to_hex((red, green, blue)), "linestyle": dash, "marker": mark}


_X = {"choice": "best score minus second best", "pair": "score (higher favours a)"}
_WORDS = {"trace": ("right traces", "wrong traces")}


def draw_spread(panel: Axes, lens: Lens, judge: str, colour: str) -> dict[str, Patch]:
    """Draw the panel of ``judge``; returns the legend's entries by their words (none for ratings).

    The sides are the true label of a trace; for a choice or pair, whether the judge picked the right one.
    """
    scores = lens.table.scores(judge)
    if lens.kind == "rating":
        both = zip(as_floats(lens.truths), scores, strict=True)
        pairs = [(human, score) for human, score in both if None not in (human, score)]
        if pairs:
            human, said = zip(*pairs, strict=True)
            spread.scores_by_grade(panel, human, said, colour=colour)
        else:
            panel.set(xlabel="human score", ylabel="score")
            panel.text(0.5, 0.5, "no human scores", ha="center", transform=panel.transAxes, color=UNKNOWN, fontsize=8)
        return {}
    sides = lens.truths if lens.kind == "trace" else lens.rights(judge)
    right, wrong, unknown = *_WORDS.get(lens.kind, ("right picks", "wrong picks")), "no label"
    groups: dict[str, list[float]] = {right: [], wrong: [], unknown: []}
    for side, score in zip(sides, scores, strict=True):
        if score is not None:
            groups[unknown if side is None else right if side else wrong].append(score)
    return spread.score_distributions(panel, groups, x=_X.get(lens.kind, "score"))


def sweep_plot(found: Sweep) -> Drawing:
    """Figures over the rows of the states, each judge at its best position on the fitting questions; heads as maps."""
    with mpl.rc_context(STYLE):
        if found.table["head"].notna().any():
            names = list(dict.fromkeys(found.table["judge"]))
            figure = Drawing(figsize=(4.4 * len(names), 3.5), layout="constrained")
            for ax, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
                part = found.table[found.table["judge"] == name]
                held = part.pivot_table(index="row", columns="head", values="test").to_numpy()
                best = part.loc[part["fit"].idxmax()]
                head_map(ax, held, label=found.metric, chosen=[(int(best["row"]), int(best["head"]))])
                ax.set_title(name, loc="left")
            return figure
        lines = {}
        for judge, part in found.table.groupby("judge", sort=False):
            if part["fit"].notna().any():
                best = part.iloc[part["fit"].argmax()]
                same = part[(part["position"] == best["position"]) & (part["normalisation"] == best["normalisation"])]
                name = f"{judge}, {best['position']}, {best['normalisation']}"
                rows = same["row"].where(same["row"] >= 0, same["row"].max() + 1)  # -1 is the final-normed state
                lines[name] = rows.to_list(), same["test"].to_list()
        return with_legend(lines, width=9, height=4, x="row: h[0] to h[L], then final-normed", y=found.metric)
