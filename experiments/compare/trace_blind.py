"""Scores of an answer that read nothing of it: the other answers to its question, their labels, another one's score."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..data.answers import normalise
from ..data.splits import rows_by_group
from ..data.verdict_table import Row
from ..stats.statistic import Values, finite

#: The opponent that takes an answer for right where many candidates agree on it.
AGREEMENT = "majority agreement"
#: What reads labels and no trace: its AUROC within questions is 0 by construction, where a question has both labels.
PASS_RATE = "pass rate of the others"


def agreement(answers: Sequence[str | None], groups: Sequence[Hashable]) -> list[float | None]:
    """Share of a question's answers that are this one, once normalised; ``None`` without an answer, or without another.

    Example:
        >>> agreement(["7", " 7", "8", None, "2"], list("ppppq"))
        [0.6666666666666666, 0.6666666666666666, 0.3333333333333333, None, None]
    """
    found: list[float | None] = [None] * len(answers)
    for rows in rows_by_group(groups):
        said = {k: one for k in rows.tolist() if (one := normalise(answers[k])) is not None}
        counts = Counter(said.values())
        for k, one in said.items() if len(said) > 1 else ():
            found[k] = counts[one] / len(said)
    return found


def agreement_rows(rows: Iterable[Row]) -> list[Row]:
    """Verdicts of :data:`AGREEMENT` on the items of these rows; none where no question has several answers."""
    items = list({row.item: row for row in rows}.values())
    scores = agreement([row.answer for row in items], [(row.data, row.question) for row in items])
    if not any(score is not None for score in scores):
        return []
    why = "no answer to compare, or no other one to its question"
    return [
        replace(row, judge=AGREEMENT, score=score, label=None, unscored=why if score is None else None)
        for row, score in zip(items, scores, strict=True)
    ]


def pass_rate(right: Values, groups: Sequence[Hashable]) -> npt.NDArray[np.float64]:
    """How many of the question's other candidates are right; the share of all that are, where there is no other.

    Source:
        arXiv 2609.03436: the leave-one-out pass rate.

    Example:
        >>> pass_rate([1, 1, 1, 0, 1], list("ppppq")).round(2)
        array([0.67, 0.67, 0.67, 1.  , 0.8 ])
    """
    y = finite(right)
    found = np.full(len(y), y.mean())
    for rows in rows_by_group(groups):
        if len(rows) > 1:
            found[rows] = (y[rows].sum() - y[rows]) / (len(rows) - 1)
    return found


def of_another(scores: Values, groups: Sequence[Hashable]) -> list[float | None]:
    """The score of the next candidate of the same question, of the last that of the first; ``None`` without another.

    A judge reads an answer by itself, so this is what it says of the states of another answer: what is left of a figure
    is not about this one.

    Example:
        >>> of_another([0.9, 0.1, None, 0.5], list("pppq"))
        [0.1, 0.9, None, None]
    """
    found: list[float | None] = [None] * len(scores)
    for rows in rows_by_group(groups):
        known = [k for k in rows.tolist() if scores[k] is not None]
        for k, other in zip(known, known[1:] + known[:1], strict=True):
            found[k] = scores[other] if other != k else None
    return found
