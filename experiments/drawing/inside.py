"""The inside of a model: a map of heads, and the path of states along their two principal components."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ...models.errors import InnerjudgeError
from .style import RIGHT, UNKNOWN, WRONG, short


def head_map(
    ax: Axes, values: npt.ArrayLike, *, label: str, chosen: Iterable[tuple[int, int]] = (),
    limits: tuple[float, float] | None = None
) -> Any:  # fmt: skip
    """Blocks run down (from 1), heads to the right (from 0); light is high; a ring marks each chosen ``(block, head)``.

    ``values`` are ``[L, H]``; NaN, as where a block has no heads, stays white. ``label`` says what the figure is, at
    the scale of colours; ``chosen`` are heads as ``heads_`` of a judge names them; ``limits`` are the values of the
    darkest and the lightest colour, so that several maps have one scale (default: the range). ``InnerjudgeError`` if
    ``values`` is not a table.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> image = head_map(ax, [[0.1, 0.2, 0.3], [0.4, 0.9, 0.5]], label="accuracy", chosen=[(2, 1)])
        >>> image.get_extent(), ax.collections[0].get_offsets().tolist()
        ([-0.5, 2.5, 2.5, 0.5], [[1.0, 2.0]])
    """
    table = np.ma.masked_invalid(np.array(values, dtype=np.float64))
    if table.ndim != 2 or not table.size:
        raise InnerjudgeError(f"given values of shape {table.shape}, expected [blocks, heads]")
    blocks, heads = table.shape
    low, high = limits if limits is not None else (None, None)
    extent = (-0.5, heads - 0.5, blocks + 0.5, 0.5)
    image = ax.imshow(table, cmap="cividis", aspect="auto", interpolation="nearest", extent=extent, vmin=low, vmax=high)
    ax.grid(visible=False)
    rings = list(chosen)
    size = float(np.clip(900 / max(blocks, heads), 14, 110))
    for width, colour in ((3.2, "black"), (1.6, "white")):
        at = [head for _, head in rings], [block for block, _ in rings]
        ax.scatter(*at, s=size, facecolors="none", edgecolors=colour, linewidths=width)
    ax.set(xlabel="head (from 0)", ylabel="block (from 1)")
    ax.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(9, integer=True))
    figure: Any = ax.figure
    bar = figure.colorbar(image, ax=ax, pad=0.02)
    bar.set_label(short(label, 40))
    bar.outline.set_visible(False)
    return image


#: Label -> words, colour, dash, mark.
_LOOKS: dict[bool | None, tuple[str, str, str, str]] = {
    True: ("right", RIGHT, "-", "o"),
    False: ("wrong", WRONG, "--", "X"),
    None: ("no label", UNKNOWN, ":", "."),
}


def trajectory(ax: Axes, states: npt.ArrayLike, labels: Sequence[bool | None]) -> npt.NDArray[np.float64]:
    """Every trace as a line through its states, in the two principal components of all of them.

    The steps of a trace are blocks (``h[0..L]`` of one position, less the final-normed row) or positions. The numbers
    stand at the mean of each step. The components are those of the states drawn here: another set has others.

    ``states`` are ``[n, steps, D]``; ``labels`` say of each trace whether it is right, ``None`` where that is not
    known. Returns what was drawn, ``[n, steps, 2]``: centred states on the two components, whose signs are so that the
    largest loading of each is positive. ``InnerjudgeError`` if the shapes do not fit, or there are fewer than three
    states or one dimension.

    Example:
        >>> from matplotlib.figure import Figure
        >>> states = np.array([[[0.0, 0.0], [3.0, 0.0]], [[0.0, 0.0], [3.0, 1.0]]])
        >>> trajectory(Figure().subplots(), states, [True, False]).shape
        (2, 2, 2)
    """
    x = np.asarray(states, dtype=np.float64)
    if x.ndim != 3 or len(labels) != len(x) or x.shape[0] * x.shape[1] < 3 or x.shape[2] < 2:
        raise InnerjudgeError.of("drawing.states", x.shape, len(labels))
    flat = x.reshape(-1, x.shape[2])
    centred = flat - flat.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    places = (centred @ axes.T).reshape(*x.shape[:2], 2)
    drawn: dict[str, Any] = {}
    for way, label in zip(places, labels, strict=True):
        words, colour, dash, mark = _LOOKS[None if label is None else bool(label)]
        look: dict[str, Any] = {"color": colour, "alpha": 0.55}
        (drawn[words],) = ax.plot(*way.T, dash, linewidth=0.9, marker=mark, markersize=3.5, **look)
    for step, (across, up) in enumerate(places.mean(axis=0)):
        ax.annotate(
            str(step), (across, up), xytext=(4, 5), textcoords="offset points", fontsize=8, fontweight="bold",
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.7},
        )  # fmt: skip
    share = spread[:2] ** 2 / max(float((spread**2).sum()), 1e-300)
    ax.set(xlabel=f"component 1 ({share[0]:.0%} of the variance)", ylabel=f"component 2 ({share[1]:.0%})")
    ax.legend(list(drawn.values()), list(drawn))
    return np.asarray(places)
