"""How scores spread over what is true of the items."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ...models.errors import InnerjudgeError
from .style import CYCLE, RIGHT, UNKNOWN, WRONG

#: Filling, dash and hatch of one class after the other: the first is right, the second wrong.
_SIDES: tuple[tuple[str, Any, str | None], ...] = ((RIGHT, "-", None), (WRONG, "--", "////"), (UNKNOWN, ":", "...."))


def score_distributions(ax: Axes, groups: Mapping[str, npt.ArrayLike], *, x: str = "score") -> dict[str, Patch]:
    """A histogram for each class, on the same bins, each summing to 1; the two outer bins hold the tails.

    ``groups``: name of a class -> its scores; up to three, right ones first. An empty class keeps its colour and is not
    drawn. ``x`` says what the scores are. Returns words -> patch, for a legend. ``InnerjudgeError`` if there is no
    score, one that is not finite, or a fourth class.

    Example:
        >>> from matplotlib.figure import Figure
        >>> list(score_distributions(Figure().subplots(), {"right": [0.6, 0.9], "wrong": [0.1]}))
        ['right', 'wrong']
    """
    classes = {words: np.asarray(values, dtype=np.float64).ravel() for words, values in groups.items()}
    values = np.concatenate([*classes.values(), np.zeros(0)])
    if not len(values) or not np.isfinite(values).all() or len(classes) > len(_SIDES):
        raise InnerjudgeError.of("drawing.classes", len(values), len(classes))
    edges = _edges(values)
    entries = {}
    for (words, part), (fill, dash, hatch) in zip(classes.items(), _SIDES, strict=False):
        if len(part):
            share = np.histogram(np.clip(part, edges[0], edges[-1]), edges)[0] / len(part)
            ax.stairs(share, edges, fill=True, color=fill, alpha=0.35)
            ax.stairs(share, edges, color=fill, linewidth=1.4, linestyle=dash, hatch=hatch)
            entries[words] = Patch(facecolor=(fill, 0.35), edgecolor=fill, linewidth=1.4, linestyle=dash, hatch=hatch)
    known = np.unique(values)
    if len(known) <= 4 and (len(known) == 1 or np.diff(known).min() >= np.ptp(known) / 5):
        ax.set_xticks(known, [f"{value:.3g}" for value in known])
    else:  # a small panel has room for few labels, and none for many digits
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.ticklabel_format(axis="x", style="sci", scilimits=(-2, 4), useMathText=False)
        ax.xaxis.get_offset_text().set_fontsize(7)
    ax.set(xlabel=x, ylabel="share")
    ax.set_ylim(bottom=0)
    return entries


def scores_by_grade(ax: Axes, human: npt.ArrayLike, scores: npt.ArrayLike, *, colour: str = CYCLE[0]) -> None:
    """A box plot of scores at every rounded human mean, with the scores themselves behind it.

    ``human`` scores and the ``scores`` of a judge are ``[n]``; points and medians have the ``colour``.
    ``InnerjudgeError`` if there is no item, or the columns differ in length.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> scores_by_grade(ax, [1, 1.4, 5], [1.2, 1.1, 4.0])
        >>> ax.get_xticks().tolist()
        [1.0, 5.0]
    """
    given, score = np.asarray(human, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if given.shape != score.shape or given.ndim != 1 or not len(given):
        raise InnerjudgeError(f"given columns of shapes {given.shape} and {score.shape}, expected one, not empty")
    near = np.floor(given + 0.5)
    jitter = np.random.default_rng(0).uniform(-0.16, 0.16, len(score))
    ax.scatter(near + jitter, score, s=5, color=colour, alpha=0.25, linewidths=0)
    places = np.unique(near)
    dark, own = {"color": "#444444", "linewidth": 0.9}, {"color": colour, "linewidth": 2.2}
    looks: Any = {"boxprops": dark, "whiskerprops": dark, "capprops": dark, "medianprops": own}
    boxes = [score[near == at] for at in places]
    ax.boxplot(boxes, positions=places, widths=0.55, showfliers=False, manage_ticks=False, **looks)
    ax.set_xticks(places if len(places) <= 10 else places[:: -(-len(places) // 10)])
    ax.set_xlim(places[0] - 0.6, places[-1] + 0.6)
    ax.set(xlabel="human score", ylabel="score")


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
