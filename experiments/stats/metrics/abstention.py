"""Accuracy against coverage: what a judge is worth if it may abstain where it is not sure."""

from typing import NamedTuple

import numpy as np

from ....models.errors import InnerjudgeError
from ..statistic import SHARE, Floats, Rights, Statistic, Values, divide, finite, mean, require_same_length, undefined


class Coverage(NamedTuple):
    """Share of rows kept at each falling threshold (rows at it are in), and how many of them are right; all ``[T]``."""

    threshold: Floats
    coverage: Floats
    accuracy: Floats


def accuracy_coverage(right: Rights, certainty: Values) -> Coverage:
    """The curve; rows with ``None`` are left out, rows of equal certainty come together.

    Source:
        The general form of the certainty bands of "Can LLM be a Personalized Judge?" (arXiv 2406.11657).
    """
    hit, sure, _ = _known(right, certainty)
    order = np.argsort(-sure, kind="stable")
    last = np.flatnonzero(np.append(np.diff(sure[order]) != 0, True)) if len(order) else np.zeros(0, dtype=np.intp)
    seen = np.arange(1, len(order) + 1)[last]
    return Coverage(sure[order][last], seen / max(len(order), 1), np.cumsum(hit[order])[last] / seen)


def area_under_coverage(right: Rights, certainty: Values) -> Statistic:
    """Mean accuracy over all numbers of kept rows, the surest first (ties in their mean order).

    A judge whose certainty says nothing gets its plain accuracy.
    """
    require_same_length(right=right, certainty=certainty)
    hit, sure, rows = _known(right, certainty)
    if not len(rows):
        return undefined("no scored row with a label", n=0, size=len(right))
    order = np.argsort(-sure, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(sure[order]) != 0))

    def over(weights: Floats) -> Floats:
        w = weights[:, rows][:, order]
        n, won = np.add.reduceat(w, starts, axis=1), np.add.reduceat(w * hit[order], starts, axis=1)
        before, seen = np.cumsum(won, axis=1) - won, np.cumsum(n, axis=1) - n
        # Inside a run of ties the j-th row has the accuracy (before + j * won / n) / (seen + j): its sum over j by
        # sums of 1 / (seen + j), that is by harmonic numbers.
        share = np.divide(won, n, out=np.zeros_like(won), where=n > 0)
        area = share * n + (before - share * seen) * (_harmonic(seen + n) - _harmonic(seen))
        return divide(area.sum(axis=1), w.sum(axis=1))

    value = float(over(np.ones((1, len(right))))[0])
    return Statistic(value=value, n=len(rows), size=len(right), limits=SHARE, over=over)


def threshold_for(right: Rights, certainty: Values, *, accuracy: float) -> float | None:
    """Lowest certainty at and above which the rows reach ``accuracy``; ``None`` where no threshold does.

    Choose it on one split and report :func:`kept_accuracy` and :func:`kept_share` on another.
    """
    if not 0 < accuracy <= 1:
        raise InnerjudgeError(f"given the target accuracy {accuracy}, expected above 0 and at most 1: pass 0.9")
    curve = accuracy_coverage(right, certainty)
    reached = np.flatnonzero(curve.accuracy >= accuracy)
    return float(curve.threshold[reached[-1]]) if len(reached) else None


def kept_accuracy(right: Rights, certainty: Values, *, threshold: float) -> Statistic:
    """Accuracy of the rows at or above a threshold."""
    hit, kept = _split(right, certainty, threshold)
    return mean(np.where(kept == 1, hit, np.nan), reason="no row is certain enough", limits=SHARE)


def kept_share(right: Rights, certainty: Values, *, threshold: float) -> Statistic:
    """Coverage: share of the scored rows that are at or above a threshold."""
    return mean(_split(right, certainty, threshold)[1], reason="no scored row with a label", limits=SHARE)


def _split(right: Rights, certainty: Values, threshold: float) -> tuple[Floats, Floats]:
    """Whether each row is right, and whether it is kept: NaN where it is unscored or has no label."""
    require_same_length(right=right, certainty=certainty)
    hit, sure = finite(right), finite(certainty)
    return hit, np.where(np.isnan(hit) | np.isnan(sure), np.nan, sure >= threshold)


def _known(right: Rights, certainty: Values) -> tuple[Floats, Floats, np.ndarray]:
    hit, sure = finite(right), finite(certainty)
    rows = np.flatnonzero(~np.isnan(hit) & ~np.isnan(sure))
    return hit[rows], sure[rows], rows


def _harmonic(n: Floats) -> Floats:
    """Harmonic numbers of whole numbers, 0 at 0."""
    table = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, int(n.max(initial=0)) + 1))])
    return np.asarray(table[n.astype(np.intp)])
