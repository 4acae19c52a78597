"""The candidate that a rule picks, and why, in words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...models.errors import InnerjudgeError
from .best_of_majority import best_of_majority
from .rules import Rule
from .votes import Answers, Scores, as_scores, best_of_n, majority, softmax_weights, top_maj_at_k, weighted_vote

_UNREADABLE = "no answer can be read: the first candidate was taken"
_SILENT = "no candidate with an answer is scored: plain majority"


@dataclass(frozen=True, slots=True)
class Pick:
    """What a rule took of one question.

    Args:
        index: The candidate.
        why: Why, in words.
        fallback: What was done instead where the rule as published says nothing; else ``None``.
        picks: All candidates that were picked, best first; more than one for Best-of-Majority with ``k > 1`` only.
    """

    index: int
    why: str
    fallback: str | None = None
    picks: tuple[int, ...] = ()


def pick(
    rule: Rule,
    answers: Answers,
    scores: Scores,
    *,
    correct: Sequence[bool | None] = (),
    k: int = 1,
    rng: np.random.Generator | None = None,
) -> Pick:
    """The pick of a rule.

    Args:
        rule: The rule.
        answers: Final answers, ``[n]``, ``n >= 1``.
        scores: Scores, ``[n]``.
        correct: Whether each is right, for ``"oracle"``.
        k: How many answers ``"best-of-majority"`` picks.
        rng: Draws the candidate of ``"random"``.

    Raises:
        InnerjudgeError: If there are no candidates.

    Example:
        >>> pick(Rule("majority"), ["7", "8", "8"], [None] * 3).why
        "'8' has 2 of 3 votes"
        >>> pick(Rule("weighted"), ["7", "8"], [None, None]).fallback
        'no candidate with an answer is scored: plain majority'
    """
    if not len(answers):
        raise InnerjudgeError("given a question without candidates, expected at least one: drop the question")
    read = as_scores(scores)
    match rule.name:
        case "majority":
            return _voted(majority(answers), answers, range(len(answers)), "votes")
        case "best-of-n":
            index = best_of_n(scores)
            if np.isnan(read[index]):
                return _one(index, "the first candidate", "no candidate is scored: the first one was taken")
            return _one(index, f"best score, {read[index]:.6g}, of {int(np.isfinite(read).sum())} scored")
        case "top-maj":
            index = top_maj_at_k(answers, scores, k=rule.k)
            best = np.argsort(-read, kind="stable")[: rule.k].tolist()
            found = _voted(index, answers, best, f"votes, those of the best {len(best)}")
            silent = np.isnan(read).all()
            return Pick(index, found.why, "no candidate is scored: the first ones voted" if silent else found.fallback)
        case "weighted":
            return _weighted(rule, answers, scores)
        case "best-of-majority":
            gated = best_of_majority(
                answers, scores, alpha=rule.alpha, min_count=rule.min_count, k=k, reward=rule.reward
            )
            why = f"{rule.reward} score is best among the {gated.passed} answers that passed the gate"
            return Pick(gated.picks[0], gated.fallback or why, gated.fallback, gated.picks)
        case "oracle":
            right = [place for place, one in enumerate(correct) if one]
            return (
                _one(right[0], "it is right") if right else _one(0, "the first candidate", "none is known to be right")
            )
    index = int((rng or np.random.default_rng(0)).integers(len(answers)))
    return _one(index, f"drawn at random from {len(answers)}")


def _one(index: int, why: str, fallback: str | None = None) -> Pick:
    return Pick(index, why, fallback, (index,))


def _voted(index: int, answers: Answers, voters: Sequence[int], what: str) -> Pick:
    votes = Counter(a for a in (answers[k] for k in voters) if a is not None)
    mine = answers[index]
    if mine is None:
        return _one(index, "it comes first", _UNREADABLE)
    ties = [repr(a) for a, n in votes.items() if n == votes[mine] and a != mine]
    tied = f"; so has {', '.join(ties)}, which comes later" if ties else ""
    return _one(index, f"{mine!r} has {votes[mine]} of {len(voters)} {what}{tied}")


def _weighted(rule: Rule, answers: Answers, scores: Scores) -> Pick:
    read = as_scores(scores)
    index = weighted_vote(answers, scores, temperature=rule.temperature)
    votes = [k for k, answer in enumerate(answers) if answer is not None and np.isfinite(read[k])]
    if not votes:
        found = _voted(index, answers, range(len(answers)), "votes")
        return _one(index, found.why, found.fallback or _SILENT)
    weights = softmax_weights(read[votes], rule.temperature)
    mine = float(weights[[answers[k] == answers[index] for k in votes]].sum() / weights.sum())
    return _one(index, f"{answers[index]!r} has {mine:.3g} of the weight at temperature {rule.temperature:.3g}")
