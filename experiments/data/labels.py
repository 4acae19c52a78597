"""What is known of items, as judges and metrics read it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...models.errors import InnerjudgeError
from ...models.items import Choice, Item, Pair, Rating, Trace


def label_of(item: Item) -> Any:
    """Correctness of a trace, mean score of a rating, answer of a choice, preference of a pair; ``None`` if unknown."""
    match item:
        case Trace():
            return item.correct
        case Rating():
            return item.mean_score
        case Choice():
            return item.answer
        case Pair():
            return item.preference


def label_to_fit(item: Item, scale: tuple[int, int]) -> Any:
    """The label as judges learn it: a rating on another scale, ``extra["scale"]``, is put on the one asked for."""
    label, used = label_of(item), item.extra.get("scale")
    if not isinstance(item, Rating) or label is None or not isinstance(used, list) or len(used) != 2:
        return label
    low, high = scale
    return low + (label - used[0]) / (used[1] - used[0]) * (high - low)


def require_classes(items: Sequence[Item], rows: npt.NDArray[np.intp]) -> None:
    """Refuse items to fit on whose labels are all the same; no labels at all, and pairs (two sides each), pass."""
    found = {label_of(items[k]) for k in rows if not isinstance(items[k], Pair)} - {None}
    if len(found) == 1:
        (only,) = found
        what = {True: "correct", False: "incorrect"}[only] if isinstance(only, bool) else f"labelled {only:g}"
        raise InnerjudgeError(
            f"given items to fit on that are all {what}, expected at least two different labels: "
            "add items, or raise --limit"
        )
