"""Rules that pick one candidate of a question from its answers and scores (higher is better).

Every rule returns the *index* of a candidate, so that its answer and whether it is right can be looked up. Shared
conventions:

* **Unscored** candidates (``None``, NaN or infinite scores) rank last and have no weight in a weighted vote.
* **Unparsable** answers (``None``) never win a vote unless all voters are unparsable.
* **Ties** go to the candidate that comes first, or to the answer whose first candidate does.

Answers are compared as they are: bring them to one spelling first, with ``normalise`` of :mod:`~.data.answers` or,
where they are mathematics, :func:`~.maths.equal_answers`.
"""

from collections.abc import Callable, Sequence
from math import inf, isfinite
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...models.errors import InnerjudgeError
from ..stats.statistic import finite

Answers = Sequence[str | None]
Scores = Sequence[float | None] | npt.NDArray[np.float64]


def ranking(scores: Scores) -> list[int]:
    """Candidates from best to worst; ties in order of appearance, unscored ones last."""
    found: list[int] = np.argsort(-finite(scores), kind="stable").tolist()  # NaN sorts last
    return found


def require_candidates(given: Answers | Scores) -> None:
    """Refuse a question without candidates."""
    if not len(given):
        raise InnerjudgeError("given a question without candidates, expected at least one: drop the question")


def vote(answers: Answers, weights: Sequence[float]) -> int:
    """Index of the first candidate with the answer of the greatest summed weight."""
    require_candidates(answers)
    sums: dict[str, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            sums[answer] = sums.get(answer, 0.0) + weight
    return answers.index(max(sums, key=sums.__getitem__)) if sums else 0


def majority(answers: Answers) -> int:
    """Plain majority vote (self-consistency)."""
    return vote(answers, [1.0] * len(answers))


def best_of_n(scores: Scores) -> int:
    """The candidate with the best score (its accuracy is the figure ``top@1``)."""
    require_candidates(scores)
    return ranking(scores)[0]


def top_maj_at_k(answers: Answers, scores: Scores, *, k: int) -> int:
    """Majority vote over the ``k`` best candidates (CLUE's top-maj@k).

    A tie goes to the answer whose best candidate ranks higher. ``k = 1`` is best-of-n; ``k >= n`` majority, up to ties.
    Where all ``k`` answers are unparsable, the best candidate is returned.

    Source:
        CLUE, arXiv 2510.01591, reranking procedures (k in 4, 8, 16); ties are not specified there.
    """
    if k < 1:
        raise InnerjudgeError(f"given k={k} for top-maj@k, expected at least 1")
    best = ranking(scores)[:k]
    return best[majority([answers[i] for i in best])]


def softmax_weights(scores: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """Softmax over the last axis without its normaliser (which no vote depends on); both limits are exact."""
    gap = np.asarray(scores - scores.max(axis=-1, keepdims=True), dtype=np.float64)
    if temperature == 0:
        return np.asarray(gap == 0, dtype=np.float64)
    return np.asarray(np.exp(gap / temperature), dtype=np.float64)


#: How the scores of the candidates with one answer become the answer's score.
REWARDS: dict[str, Callable[[Sequence[float]], float]] = {"max": max, "mean": lambda s: sum(s) / len(s), "sum": sum}


class MajorityPick(NamedTuple):
    """What Best-of-Majority picked: candidates, best answer first, one each of the answers that ``passed`` the gate.

    ``fallback`` is what was done instead where the rule as published has no answer; else ``None``.
    """

    picks: tuple[int, ...]
    passed: int
    fallback: str | None = None


def best_of_majority(
    answers: Answers, scores: Scores, *, alpha: float = 0.0, min_count: int = 1, k: int = 1, reward: str = "max"
) -> MajorityPick:
    """The ``k`` best answers among those that are frequent enough, each by its best candidate.

    An answer passes if at least ``alpha`` of all candidates (unparsable ones included) and at least ``min_count`` of
    them gave it. With the defaults every answer passes, and the pick is that of best-of-N among the parsable ones, up
    to ties. ``reward`` is ``"max"``, ``"mean"`` or ``"sum"`` of the scored candidates of an answer (the paper leaves it
    open).

    If no answer passes, all take part, and ``fallback`` says so; if all are unparsable, it is the best candidate.
    Answers of which no candidate is scored come last, the most frequent first; ties go to the answer that comes first.

    Source:
        Best-of-Majority (top-k by reward of the answers with frequency at least alpha).
    """
    if not 0 <= alpha <= 1 or min_count < 1 or k < 1 or reward not in REWARDS:
        raise InnerjudgeError.of("selection.majority", alpha, min_count, k, reward, ", ".join(REWARDS))
    require_candidates(answers)
    read = finite(scores)
    members: dict[str, list[int]] = {}
    for place, answer in enumerate(answers):
        if answer is not None:
            members.setdefault(answer, []).append(place)
    if not members:
        return MajorityPick((best_of_n(scores),), 0, "no answer can be read: the best candidate was taken")
    frequent = [m for m in members.values() if len(m) / len(answers) >= alpha and len(m) >= min_count]

    def worth(rows: Sequence[int]) -> tuple[float, int]:
        known = [float(read[row]) for row in rows if isfinite(read[row])]
        return (-REWARDS[reward](known), 0) if known else (inf, -len(rows))

    ordered = sorted(frequent or members.values(), key=worth)
    picks = tuple(min(rows, key=lambda row: (-read[row] if isfinite(read[row]) else inf, row)) for rows in ordered[:k])
    return MajorityPick(picks, len(frequent), None if frequent else "no answer passed the gate: all took part")
