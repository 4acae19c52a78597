"""Whether probabilities mean what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from ...models.errors import InnerjudgeError
from .palette import CYCLE


def reliability(
    ax: Axes, said: npt.ArrayLike, right: npt.ArrayLike, *, n: npt.ArrayLike | None = None, colour: str = CYCLE[0]
) -> Any:
    """Share right over probability said, a point a bin; on the dotted diagonal the two are the same.

    Args:
        ax: Where to draw.
        said: Mean probability of each bin.
        right: Share right of each bin.
        n: Items of each bin: the larger, the larger the point, with a bar of one standard error.
        colour: Of points and line.

    Raises:
        InnerjudgeError: If the columns differ in length or leave [0, 1].

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
