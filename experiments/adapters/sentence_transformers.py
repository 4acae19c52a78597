"""What sentence-transformers' evaluators ask of a model beside its scores (nothing here needs the library)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CardData:
    """Stands where a CrossEncoder keeps figures for its model card.

    Evaluators write there and return the same figures; a judge's card is written from the judge alone, so they are not
    kept.
    """

    def set_evaluation_metrics(
        self, evaluator: Any, metrics: Mapping[str, float], epoch: int = 0, step: int = 0
    ) -> None:
        """Take note of nothing."""
