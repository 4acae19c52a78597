"""Selection rules: which of the candidates of a question is taken, by their answers and by any scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...models.lazy import lazy_names

if TYPE_CHECKING:
    from ..data.answers import normalise
    from .columns import Columns
    from .curves import curve_rows, discrimination
    from .rules import Rule
    from .states import vectors_of
    from .temperature import choose_temperature

_HOMES = {
    "Columns": ".columns",
    "Rule": ".rules",
    "choose_temperature": ".temperature",
    "curve_rows": ".curves",
    "discrimination": ".curves",
    "normalise": "..data.answers",
    "vectors_of": ".states",
}

__all__ = [
    "Columns",
    "Rule",
    "choose_temperature",
    "curve_rows",
    "discrimination",
    "normalise",
    "vectors_of",
]

__getattr__ = lazy_names(__name__, _HOMES)
