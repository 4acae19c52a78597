"""Figures, colours, and how numbers are spelled: what notebooks and reports share.

Each function draws onto axes that it is given or returns HTML: ``lines.py`` curves and reliability, ``scores.py``
distributions, ``heads.py`` maps of heads, ``options.py`` attention over text, ``trajectories.py``
paths of states; ``style.py`` holds colours and dashes. Lines and classes differ by dash, mark or filling as well as
by colour, so that a print in grey says the same. ``style.py`` spells numbers and needs no plots: matplotlib
is imported only when a drawing function is first used. Imports nothing of the other rooms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...models.extra import lazy_names

if TYPE_CHECKING:
    from .heads import head_map
    from .lines import accuracy_against_n, curves, reliability
    from .options import attention_over_text
    from .scores import score_distributions, scores_by_grade
    from .style import CYCLE, FAMILY_COLOURS, STYLE, short
    from .trajectories import trajectory

_HOMES = {
    "CYCLE": ".style",
    "FAMILY_COLOURS": ".style",
    "STYLE": ".style",
    "accuracy_against_n": ".lines",
    "attention_over_text": ".options",
    "curves": ".lines",
    "head_map": ".heads",
    "reliability": ".lines",
    "score_distributions": ".scores",
    "scores_by_grade": ".scores",
    "short": ".style",
    "trajectory": ".trajectories",
}

__all__ = [
    "CYCLE", "FAMILY_COLOURS", "STYLE", "accuracy_against_n", "attention_over_text", "curves", "head_map",
    "reliability", "score_distributions", "scores_by_grade", "short", "trajectory"
]  # fmt: skip

__getattr__ = lazy_names(__name__, _HOMES)
