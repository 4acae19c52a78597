"""The temperature of a weighted vote, chosen on questions that are set aside for it."""

from collections.abc import Hashable, Sequence

import numpy as np

from ...models.errors import InnerjudgeError
from ..data.splits import rows_by_group
from ..stats.statistic import Floats, Labels, require_same_length
from .reranking import selection_accuracy
from .rules import Rule
from .votes import Answers, Scores, as_scores

#: How many temperatures are tried, as in the paper.
TRIED = 80


def choose_temperature(
    answers: Answers,
    scores: Scores,
    correct: Labels,
    groups: Sequence[Hashable],
    *,
    candidates: Sequence[float] | None = None,
) -> float:
    """The temperature at which the weighted vote is right most often.

    Args:
        answers: Final answer of each candidate of the questions that are set aside.
        scores: Its score.
        correct: Whether it is right.
        groups: Its question.
        candidates: Temperatures to try; ``None`` for :data:`TRIED` of them, evenly on a log scale from 1/100 to 100
            times the standard deviation of the scores within questions, so that the unit of the score does not matter.

    Returns:
        Of equally good ones the middle one (of two, the lower); 1 where no question tells (nothing known or nothing
        scored).

    Source:
        CISC: grid search on a hold-out of 10 %.

    Example:
        >>> answers, scores = ["7", "8", "8"], [2.0, 0.0, 0.0]
        >>> choose_temperature(answers, scores, [True, False, False], ["q"] * 3, candidates=[0.5, 1.0, 2.0, 9.0])
        1.0
    """
    require_same_length(answers=answers, scores=scores, correct=correct, groups=groups)
    tried = default_temperatures(scores, groups) if candidates is None else np.array(candidates, dtype=np.float64)
    if not len(tried) or not (tried >= 0).all():
        raise InnerjudgeError(f"given the temperatures {tried.tolist()}, expected at least one, all 0 or more")
    ordered = np.sort(tried).tolist()
    rules = [Rule("weighted", temperature=temperature) for temperature in ordered]
    found = [selection_accuracy(answers, scores, correct, groups, rule=rule).value for rule in rules]
    if found[0] is None:
        return 1.0
    best = [t for t, value in zip(ordered, found, strict=True) if value == max(v for v in found if v is not None)]
    return float(best[(len(best) - 1) // 2])


def default_temperatures(scores: Scores, groups: Sequence[Hashable]) -> Floats:
    """The temperatures that are tried, ``[80]``, in the unit of the scores.

    Example:
        >>> default_temperatures([1.0, 3.0, None], ["p", "p", "q"])[[0, -1]].round(6).tolist()
        [0.01, 100.0]
    """
    read = as_scores(scores)
    gaps = [read[rows] - np.nanmean(read[rows]) for rows in rows_by_group(groups) if np.isfinite(read[rows]).any()]
    spread = float(np.sqrt(np.nanmean(np.concatenate(gaps) ** 2))) if gaps else 1.0
    return np.geomspace(1e-2, 1e2, TRIED) * (spread or 1.0)
