"""Figures, colours, and how numbers are spelled: what notebooks and reports share.

Each function draws onto axes that it is given or returns HTML: ``lines.py`` curves and reliability, ``scores.py``
distributions, ``inside.py`` maps of heads and paths of states, ``options.py`` attention and scores over
text; ``style.py`` holds colours and dashes. Lines and classes differ by dash, mark or filling as well as
by colour, so that a print in grey says the same. ``style.py`` spells numbers and needs no plots: matplotlib
is imported only when a drawing function is first used. Imports nothing of the other rooms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...models.extra import lazy_names

if TYPE_CHECKING:
    from .inside import head_map as head_map, trajectory as trajectory
    from .lines import accuracy_against_n as accuracy_against_n, curves as curves, reliability as reliability
    from .options import attention_over_text as attention_over_text, scores_over_text as scores_over_text
    from .scores import score_distributions as score_distributions, scores_by_grade as scores_by_grade
    from .style import CYCLE as CYCLE, FAMILY_COLOURS as FAMILY_COLOURS, STYLE as STYLE, short as short

__all__, __getattr__ = lazy_names(__name__)
