"""A figure for every head of a model, as a map."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ...models.errors import InnerjudgeError
from .style import short


def head_map(
    ax: Axes,
    values: npt.ArrayLike,
    *,
    label: str,
    chosen: Iterable[tuple[int, int]] = (),
    limits: tuple[float, float] | None = None,
) -> Any:
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
