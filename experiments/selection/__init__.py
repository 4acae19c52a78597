"""One answer out of several candidates: rules, their accuracy against the number of candidates, and what they cost.

``columns.py`` reads candidates and scores from files, ``maths.py`` says which answers are the same. ``votes.py`` and
``representatives.py`` (VecCISC) are the rules of the literature; ``rules.py`` names them and applies one to a question.
``reranking.py`` is how often a rule is right, over random subsets too. ``select_job.py`` is the command ``select``, and
chooses the temperature of a weighted vote on questions set aside for it; ``curve_job.py``, ``curves.py`` and
``curve_plot.py`` are ``curves``. ``cascade.py`` asks a second judge only where a cheap one is not sure;
``gates.py`` is what candidates must pass first; ``labelling.py`` spreads labels by answer, and says what to label next.

Imports of the other rooms ``data``, ``drawing``, ``judges`` and ``stats``.
"""

from typing import TYPE_CHECKING

from ...models.extra import lazy_names

if TYPE_CHECKING:
    from ..data.answers import normalise as normalise
    from .cascade import cost_curve as cost_curve, draw_cost as draw_cost
    from .columns import Columns as Columns
    from .curves import curve_rows as curve_rows, discrimination as discrimination
    from .gates import gated as gated
    from .labelling import next_to_label as next_to_label, spread_answers as spread_answers
    from .representatives import vectors_of as vectors_of
    from .rules import Rule as Rule
    from .select_job import choose_temperature as choose_temperature

__all__, __getattr__ = lazy_names(__name__)
