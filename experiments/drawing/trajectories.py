"""The path of hidden states through the layers of a model, along its two principal components."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from ...models.errors import InnerjudgeError
from .style import RIGHT, UNKNOWN, WRONG

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
