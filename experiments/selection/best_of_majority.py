"""Best-of-Majority: answers must be frequent before their score counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from ...models.errors import InnerjudgeError
from .votes import Answers, Scores, as_scores, best_of_n

#: How the scores of the candidates with one answer become the answer's score.
REWARDS: dict[str, Callable[[Sequence[float]], float]] = {
    "max": max,
    "mean": lambda scores: sum(scores) / len(scores),
    "sum": sum,
}


@dataclass(frozen=True, slots=True)
class MajorityPick:
    """What Best-of-Majority picked.

    Args:
        picks: Candidates, best answer first, one an answer.
        passed: How many answers passed the gate.
        fallback: What was done instead where the rule as published has no answer; else ``None``.
    """

    picks: tuple[int, ...]
    passed: int
    fallback: str | None = None


def best_of_majority(
    answers: Answers, scores: Scores, *, alpha: float = 0.0, min_count: int = 1, k: int = 1, reward: str = "max"
) -> MajorityPick:
    """The ``k`` best answers among those that are frequent enough, each by its best candidate.

    An answer passes if at least ``alpha`` of all candidates (unparsable ones included) and at least ``min_count`` of
    them gave it. With the defaults every answer passes, and the pick is that of best-of-N among the parsable
    ones, up to ties.

    Args:
        answers: Final answers, ``[n]``, ``n >= 1``.
        scores: Their scores, ``[n]``.
        alpha: Least share, 0 to 1. With ``n`` candidates a share up to ``1 / n`` stops nothing.
        min_count: Least number.
        k: How many answers are picked, at most; fewer where fewer pass.
        reward: ``"max"``, ``"mean"`` or ``"sum"`` of the scored candidates of an answer (the paper leaves it open).

    Returns:
        The picks. No answer passes: all take part, and ``fallback`` says so. All are unparsable: the best candidate.
        Answers of which no candidate is scored come last, the most frequent first; ties go to the answer that comes
        first.

    Raises:
        InnerjudgeError: If there are no candidates, or a parameter is out of its range.

    Source:
        Best-of-Majority (top-k by reward of the answers with frequency at least alpha).

    Example:
        >>> best_of_majority(["7", "8", "8", "9"], [0.9, 0.2, 0.3, 0.1], min_count=2)
        MajorityPick(picks=(2,), passed=1, fallback=None)
        >>> best_of_majority(["7", "8"], [0.9, 0.2], alpha=0.6).fallback
        'no answer passed the gate: all took part'
    """
    if not 0 <= alpha <= 1 or min_count < 1 or k < 1 or reward not in REWARDS:
        raise InnerjudgeError(
            f"given alpha={alpha}, min_count={min_count}, k={k} and reward={reward!r}, expected a share from 0 to 1, "
            f"numbers of at least 1, and one of {', '.join(REWARDS)}"
        )
    if not len(answers):
        raise InnerjudgeError("given a question without candidates, expected at least one: drop the question")
    read = as_scores(scores)
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
    fallback = None if frequent else "no answer passed the gate: all took part"
    return MajorityPick(picks, len(frequent), fallback)
