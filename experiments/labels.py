"""What is known of items, as judges and metrics read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..models.items import Choice, Item, Pair, Rating, Trace


def label_of(item: Item) -> Any:
    """Correctness of a trace, mean score of a rating, answer of a choice, preference of a pair; ``None`` if unknown.

    Example:
        >>> label_of(Rating(item_id="r", prompt="?", response="!", scores=(2, 3)))
        2.5
    """
    match item:
        case Trace():
            return item.correct
        case Rating():
            return item.mean_score
        case Choice():
            return item.answer
        case Pair():
            return item.preference


def labelled(items: Sequence[Item], rows: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[Any]]:
    """Those of ``rows`` whose item has a label, and the labels."""
    known = np.array([k for k in rows if label_of(items[k]) is not None], dtype=np.intp)
    return known, np.array([label_of(items[k]) for k in known])
