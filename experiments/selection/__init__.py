"""One answer out of several candidates: rules, their accuracy against the number of candidates, and what they cost.

``columns.py`` reads candidates and scores from files, ``maths.py`` says which answers are the same. ``votes.py`` and
``representatives.py`` (VecCISC) are the rules of the literature; ``rules.py`` names them and applies one to a question.
``reranking.py`` is how often a rule is right, over random subsets too. ``select_job.py`` is the command ``select``, and
chooses the temperature of a weighted vote on questions set aside for it; ``curve_job.py``, ``curves.py`` and
``curve_plot.py`` are ``curves``. ``cascade.py`` asks a dear judge only where a cheap one is not sure.

Imports of the other rooms ``data``, ``drawing``, ``judges`` and ``stats``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...models.extra import lazy_names

if TYPE_CHECKING:
    from ..data.answers import normalise
    from .cascade import cost_curve, draw_cost
    from .columns import Columns
    from .curves import curve_rows, discrimination
    from .representatives import vectors_of
    from .rules import Rule
    from .select_job import choose_temperature

_HOMES = {
    "Columns": ".columns",
    "Rule": ".rules",
    "choose_temperature": ".select_job",
    "cost_curve": ".cascade",
    "curve_rows": ".curves",
    "discrimination": ".curves",
    "draw_cost": ".cascade",
    "normalise": "..data.answers",
    "vectors_of": ".representatives",
}

__all__ = [
    "Columns", "Rule", "choose_temperature", "cost_curve", "curve_rows", "discrimination", "draw_cost", "normalise",
    "vectors_of"
]  # fmt: skip

__getattr__ = lazy_names(__name__, _HOMES)
