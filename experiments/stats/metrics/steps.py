"""Probabilities that steps are right: the first error (ProcessBench, arXiv 2412.06559), and one score of a trace."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import gmean

from .. import statistic
from ..statistic import SHARE, Floats, Statistic, combine, require_same_length

#: Scores of the steps of each trace, and the index of its first wrong step, -1 for none; ``None`` where not known.
StepScores = Sequence[Sequence[float] | Floats | None]
Firsts = Sequence[int | None]

#: What makes one score of those of the steps. The product and the minimum fall with their number.
AGGREGATES: dict[str, Callable[[Floats], Any]] = {
    "min": np.min, "last": lambda p: p[-1], "product": np.prod, "mean": np.mean, "geometric mean": gmean
}  # fmt: skip


def aggregated(scores: StepScores, how: str) -> list[float | None]:
    """One score of each trace, by name of :data:`AGGREGATES`; ``None`` without steps, never an empty product.

    Example:
        >>> {how: round(aggregated([[0.9, 0.5, 0.8]], how)[0], 6) for how in ("min", "last", "product", "mean")}
        {'min': 0.5, 'last': 0.8, 'product': 0.36, 'mean': 0.733333}
    """
    return [float(AGGREGATES[how](np.asarray(one))) if one is not None and len(one) else None for one in scores]


def first_below(scores: StepScores, border: float) -> list[int | None]:
    """The first step of each trace with a score below the border, -1 if there is none; ``None`` without scores."""
    below = (None if one is None or not len(one) else np.asarray(one) < border for one in scores)
    return [None if one is None else int(one.argmax()) if one.any() else -1 for one in below]


def best_border(scores: StepScores, first: Firsts) -> float | None:
    """The border with the best F1 of the first error: choose it on other questions than those it is reported on.

    It is the lowest such midpoint between scores; ``None`` unless some traces have an error and some have none.

    Example:
        >>> best_border([[0.9, 0.8], [0.9, 0.3, 0.1], [0.2]], [-1, 1, 0])
        0.55
    """
    require_same_length(scores=scores, first=first)
    low, high, sound = list[float](), list[float](), list[float]()
    for one, known in zip(scores, first, strict=True):
        if one is None or known is None or not len(one):
            continue
        least = np.minimum.accumulate(np.asarray(one, dtype=np.float64))
        if known < 0:
            sound.append(least[-1])
        else:  # found by borders above its own score, up to the least before it
            low.append(least[known])
            high.append(least[known - 1] if known else np.inf)
    if not low or not sound:
        return None
    values = np.unique([v for v in (*low, *high, *sound) if v < np.inf])
    middle = values[:-1] + (values[1:] - values[:-1]) / 2
    borders = np.concatenate([values[:1], np.where(middle > values[:-1], middle, values[1:]), values[-1:] + 1])
    found = (np.searchsorted(np.sort(low), borders) - np.searchsorted(np.sort(high), borders)) / len(low)
    passed = 1 - np.searchsorted(np.sort(sound), borders) / len(sound)
    return float(borders[np.argmax(_harmonic(found, passed))])


def first_error_accuracy(first: Firsts, predicted: Firsts, *, wrong: bool) -> Statistic:
    """Share of the traces with an error (``wrong``), or without any, whose first error is predicted exactly.

    A trace without a prediction counts as missed, as published.
    """
    require_same_length(first=first, predicted=predicted)
    pairs = zip(first, predicted, strict=True)
    hits = [np.nan if known is None or (known >= 0) != wrong else known == said for known, said in pairs]
    reason = f"no trace is known to have {'an' if wrong else 'no'} error"
    return statistic.mean(np.array(hits, dtype=np.float64), reason=reason, limits=SHARE)


def first_error_f1(first: Firsts, predicted: Firsts) -> Statistic:
    """ProcessBench's F1: the harmonic mean of both accuracies, 0 where both are. Undefined with one kind of trace.

    Example:
        >>> round(first_error_f1([-1, 2, 0, -1, -1], [-1, 2, 1, 3, -1]).value, 6)  # of 1/2 and 2/3
        0.571429
    """
    parts = [first_error_accuracy(first, predicted, wrong=wrong) for wrong in (True, False)]
    return combine(parts, _harmonic, limits=SHARE)


def _harmonic(a: Floats, b: Floats) -> Floats:
    total = a + b
    return np.where(total > 0, 2 * a * b / np.where(total > 0, total, 1), 0 * total)
