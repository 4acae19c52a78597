"""Labels that an ensemble of judges contradicts: ranked for a second look, and figures with and without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...models.errors import InnerjudgeError
from ..statistic import Labels, Values, finite, require_same_length


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """An item whose label the ensemble contradicts.

    Args:
        row: Its row.
        label: The given label.
        probability: Mean probability of "right" over the judges.
        confidence: Probability of the other label.
        judges: How many judges had a score.
    """

    row: int
    label: bool
    probability: float
    confidence: float
    judges: int


def ensemble(probabilities: Sequence[Values]) -> list[float | None]:
    """Mean probability of "right" over the judges that scored an item.

    Example:
        >>> ensemble([[0.9, None], [0.7, None]])
        [0.8, None]
    """
    require_same_length(**{f"judge {k}": c for k, c in enumerate(probabilities, start=1)})
    x = np.stack([finite(column) for column in probabilities])
    if ((x < 0) | (x > 1)).any():
        raise InnerjudgeError("given scores outside 0 to 1, expected probabilities: calibrate the judges first")
    count = (~np.isnan(x)).sum(axis=0)
    return [round(float(np.nansum(x[:, k]) / n), 12) if n else None for k, n in enumerate(count)]


def suspects(labels: Labels, probabilities: Sequence[Values], *, threshold: float = 0.8) -> list[Suspect]:
    """Items whose label the ensemble contradicts with at least ``threshold``, the surest first.

    The judges should not have been fitted on these items, and should be calibrated on others. A suspect is a question
    to an expert, no proof: the ensemble is also sure where all judges share a mistake.

    Source:
        "Are LLMs Better than Reported?" (arXiv 2410.18889): mean class probability of several judges; experts found 10
        to 40 % of labels wrong, and agreed with the ensemble more often the surer it was.

    Example:
        >>> [(s.row, s.confidence) for s in suspects([True, False, True], [[0.1, 0.95, 0.9], [0.3, 0.95, 0.9]])]
        [(1, 0.95), (0, 0.8)]
    """
    if not 0.5 <= threshold <= 1:
        raise InnerjudgeError(
            f"given the threshold {threshold}, expected 0.5 to 1: the ensemble must be on the other side"
        )
    mean = ensemble(probabilities)
    truth = finite(labels)
    require_same_length(labels=labels, probabilities=mean)
    found = []
    for row, p in enumerate(mean):
        if p is None or np.isnan(truth[row]):
            continue
        confidence = round(1 - p if truth[row] == 1 else p, 12)
        if confidence >= threshold and confidence > 0.5:
            count = sum(column[row] is not None for column in probabilities)
            label = bool(truth[row] == 1)
            found.append(Suspect(row=row, label=label, probability=p, confidence=confidence, judges=count))
    return sorted(found, key=lambda s: (-s.confidence, s.row))


def repaired(labels: Labels, flagged: Sequence[Suspect], *, how: str = "flip") -> list[bool | None]:
    """Labels with the suspects flipped, or dropped (``None``). Others stay.

    Figures on repaired labels flatter the judges that did the repair: print them beside those on the given labels, and
    judge a judge by an ensemble without it.

    Example:
        >>> labels = [True, False]
        >>> flagged = suspects(labels, [[0.05, 0.1]])
        >>> repaired(labels, flagged), repaired(labels, flagged, how="drop")
        ([False, False], [None, False])
    """
    if how not in ("flip", "drop"):
        raise InnerjudgeError(f'given how={how!r}, expected "flip" or "drop"')
    found: list[bool | None] = [None if v is None else bool(v) for v in labels]
    for one in flagged:
        found[one.row] = (not one.label) if how == "flip" else None
    return found
