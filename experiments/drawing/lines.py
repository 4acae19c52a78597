"""Lines: curves with intervals over blocks or numbers of candidates, and reliability over probabilities."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ...models.errors import InnerjudgeError
from .style import CYCLE, LINES, short

#: Up to this many curves have their interval drawn as a band.
BANDS = 5
#: ``(x, y)`` or ``(x, y, low, high)``, of one length each; ``None`` or NaN is a gap.
Line = Sequence[Any]


def curves(
    ax: Axes, lines: Mapping[str, Line], *, x: str, y: str, looks: Mapping[str, Mapping[str, Any]] | None = None,
    legend: bool = True
) -> list[Any]:  # fmt: skip
    """One line for each name, its interval as a band, or as a bar at the right if more than :data:`BANDS` have one.

    ``lines``: name -> ``(x, y)`` or ``(x, y, low, high)``; ``x`` and ``y`` say what the axes are. ``looks``: name ->
    settings of its line for matplotlib; without, a colour, dash and mark each. ``legend`` writes the names into the
    axes; the lines are returned for a legend of one's own. ``InnerjudgeError`` if there is no line, or one whose
    columns differ in length.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> (line,) = curves(ax, {"CLUE": ([0, 1], [0.5, 0.7], [0.4, 0.6], [0.6, 0.8])}, x="block", y="AUROC")
        >>> line.get_label(), ax.get_xlabel()
        ('CLUE', 'block')
    """
    if not lines:
        raise InnerjudgeError("given no line to draw, expected at least one: name -> (x, y) or (x, y, low, high)")
    columns = {name: _columns(name, line) for name, line in lines.items()}
    handles: list[Any] = []
    banded = sum(low is not None for _, _, low, _ in columns.values()) <= BANDS
    for k, (name, (at, values, low, high)) in enumerate(columns.items()):
        settings, label = look(k) | dict((looks or {}).get(name, {})), short(name, 60)
        label = label if len(name) <= 30 else " " + "\n ".join(textwrap.wrap(label, 30))
        handles += ax.plot(at, values, markevery=max(1, len(at) // 12), label=label, **settings)
        if low is None or high is None:
            continue
        if banded:
            ax.fill_between(at, low, high, color=settings["color"], alpha=0.14, linewidth=0)
        else:
            place = at[-1] + (at[-1] - at[0]) * (0.03 + 0.16 * len(handles) / len(columns))
            ax.plot([place, place], [low[-1], high[-1]], color=settings["color"], linewidth=1.6, solid_capstyle="butt")
            ax.plot([place], values[-1:], color=settings["color"], marker=settings["marker"], markersize=4)
    ax.set(xlabel=x, ylabel=short(y, 50))
    places = sorted({float(place) for at, *_ in columns.values() for place in at})
    if all(place.is_integer() for place in places):  # blocks and candidates are counted
        ax.set_xticks([t for t in MaxNLocator(12, integer=True).tick_values(places[0], places[-1]) if t in places])
    if legend:
        ax.legend(handles=handles)
    return handles


def accuracy_against_n(
    ax: Axes, lines: Mapping[str, Line], *, looks: Mapping[str, Mapping[str, Any]] | None = None, legend: bool = True
) -> list[Any]:
    """:func:`curves` of accuracy over the number of candidates of a question.

    A line named ``"oracle"`` or ``"random candidate"`` is thin: no rule beats the first, each should beat the second.

    Example:
        >>> from matplotlib.figure import Figure
        >>> lines = {"best score": ([1, 2], [0.5, 0.7]), "oracle": ([1, 2], [0.5, 0.75])}
        >>> [line.get_linewidth() for line in accuracy_against_n(Figure().subplots(), lines)]
        [1.6, 0.9]
    """
    bounds = {name: {"linewidth": 0.9, "color": "#000000"} for name in ("oracle", "random candidate")}
    merged = {name: {**(looks or {}).get(name, {}), **bounds.get(name, {})} for name in lines}
    return curves(ax, lines, x="candidates per question", y="accuracy", looks=merged, legend=legend)


def _columns(name: str, line: Line) -> Any:
    if len(line) not in (2, 4) or len({len(c) for c in line if c is not None}) != 1 or not len(line[0]):
        raise InnerjudgeError.of("drawing.line", name, len(line))
    found = [None if c is None else np.array([np.nan if v is None else v for v in c], dtype=np.float64) for c in line]
    return (*found, None, None)[:4]


def look(k: int) -> dict[str, Any]:
    """Colour, dash and mark of the ``k``-th line."""
    dash, mark = LINES[k % len(LINES)]
    return {"color": CYCLE[k % len(CYCLE)], "linestyle": dash, "marker": mark, "markersize": 4, "linewidth": 1.6}


def reliability(
    ax: Axes, said: npt.ArrayLike, right: npt.ArrayLike, *, n: npt.ArrayLike | None = None, colour: str = CYCLE[0]
) -> Any:
    """Share right against stated probability, a point for each bin; on the dotted diagonal the two are equal.

    ``said`` and ``right`` are mean probability and share right of each bin, ``n`` its items: the larger, the larger the
    point, with a bar of one standard error. ``InnerjudgeError`` if the columns differ in length or leave [0, 1].

    Example:
        >>> from matplotlib.figure import Figure
        >>> line = reliability(Figure().subplots(), [0.2, 0.8], [0.3, 0.7], n=[50, 10])
        >>> line.get_xdata().tolist()
        [0.2, 0.8]
    """
    p, share = np.asarray(said, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if p.shape != share.shape or p.ndim != 1 or not ((p >= 0) & (p <= 1) & (share >= 0) & (share <= 1)).all():
        raise InnerjudgeError(f"given columns of shapes {p.shape} and {share.shape}, expected one, all within 0 to 1")
    ax.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=":")
    (line,) = ax.plot(p, share, "o-", color=colour, markersize=4, linewidth=1.4)
    if n is not None:
        count = np.maximum(np.asarray(n, dtype=np.float64), 1)
        error = np.sqrt(share * (1 - share) / count)
        ax.errorbar(p, share, yerr=error, fmt="none", ecolor=colour, elinewidth=1, alpha=0.6)
        ax.scatter(p, share, s=20 + 120 * count / count.max(), color=colour, alpha=0.35, linewidths=0)
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    ax.set(xlabel="probability said", ylabel="share right")
    return line
