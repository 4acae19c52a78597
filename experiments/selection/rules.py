"""Rules that pick a candidate, by name and with their parameters; and what one picks, and why, in words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...models.errors import InnerjudgeError, shown
from ..stats.statistic import Floats, finite
from . import votes
from .votes import REWARDS, Answers, Scores


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of :data:`RULES` by name, with its parameters.

    The ``k`` best candidates vote in ``"top-maj"``; ``temperature`` is that of the softmax in ``"weighted"``. In
    ``"best-of-majority"`` at least the share ``alpha`` and the number ``min_count`` of the candidates must give an
    answer, whose score is the ``reward`` (``"max"``, ``"mean"`` or ``"sum"``) of theirs. In ``"borda"`` candidate ``r``
    of ``N`` by score votes with the weight ``(N - r + 1) ** power`` (self-certainty, arXiv 2502.18581); in
    ``"deepconf"`` the best share ``keep`` (scores from that quantile on) with their scores (arXiv 2508.15260).

    Example:
        >>> str(Rule("top-maj", k=4)), str(Rule("best-of-majority", min_count=2))
        ('top-maj@4', 'best-of-majority (at least 2)')
    """

    name: str
    k: int = 4
    temperature: float = 1.0
    alpha: float = 0.0
    min_count: int = 1
    reward: str = "max"
    power: float = 0.5
    keep: float = 0.1

    def __post_init__(self) -> None:
        if self.name not in RULES:
            raise InnerjudgeError(f"given the rule {self.name!r}, expected one of {sorted(RULES)}")
        if self.k < 1 or not self.temperature >= 0:
            raise InnerjudgeError(f"given k={self.k} and temperature={self.temperature}, expected k >= 1 and T >= 0")
        if not 0 <= self.alpha <= 1 or self.min_count < 1 or self.reward not in REWARDS:
            raise InnerjudgeError.of("selection.rule", self.alpha, self.min_count, self.reward, ", ".join(REWARDS))
        if not 0 <= self.power < np.inf or not 0 < self.keep <= 1:
            said = f"given power={self.power} and keep={self.keep}"
            raise InnerjudgeError(f"{said}, expected a finite power of 0 or more, and a share above 0, at most 1")

    def weights(self, scores: Floats) -> Floats:
        """Weights of votes in a rule of :data:`WEIGHTED`, ``[..., N]``; 0 where a score is NaN, which does not vote."""
        voting = ~np.isnan(scores)
        if self.name == "weighted":  # the lowest score stands for the others, above no voter of the row
            found = votes.softmax_weights(np.where(voting, scores, scores[voting].min(initial=0.0)), self.temperature)
        elif self.name == "borda":  # NaN ranks last
            rank = np.argsort(np.argsort(-scores, kind="stable"), kind="stable")
            n = max(scores.shape[-1], 1)
            most = n if self.power * np.log(n) > 600 else 1  # shares are the same, and a large power does not overflow
            found = np.float_power((n - rank) / most, self.power)
        else:
            if (scores[voting] < 0).any():
                raise InnerjudgeError("given scores below 0 to vote with, expected confidences: use borda or weighted")
            bar = np.nanquantile(np.where(voting.any(-1, keepdims=True), scores, 0), 1 - self.keep, -1, keepdims=True)
            found = np.where(scores >= bar, scores, 0.0)
        return np.where(voting, found, 0.0)

    def __str__(self) -> str:
        if self.name == "best-of-majority":
            least = [f"at least {self.min_count}"] * (self.min_count > 1)
            least += [f"at least {100 * self.alpha:g} %"] * (self.alpha > 0)
            return f"{self.name} ({', '.join(least)})" if least else self.name
        return f"top-maj@{self.k}" if self.name == "top-maj" else self.name


#: Rules in which each candidate with an answer and a score votes with a weight.
WEIGHTED = ("weighted", "borda", "deepconf")
READ_SCORES = ("best-of-n", "top-maj", "best-of-majority", *WEIGHTED)
RULES = (*READ_SCORES, "majority", "oracle", "random")


@dataclass(frozen=True, slots=True)
class Pick:
    """The candidate that a rule picked for one question, and why.

    ``fallback`` is what was done instead where the rule as published says nothing; ``picks`` are all candidates that
    were picked, best first: more than one for Best-of-Majority with ``k > 1`` only.
    """

    index: int
    why: str
    fallback: str | None = None
    picks: tuple[int, ...] = ()


def pick(
    rule: Rule, answers: Answers, scores: Scores, *, correct: Sequence[bool | None] = (), k: int = 1,
    rng: np.random.Generator | None = None
) -> Pick:  # fmt: skip
    """The pick of a rule; it is an error if there are no candidates.

    ``correct`` is for ``"oracle"``, ``k`` how many answers ``"best-of-majority"`` picks, ``rng`` draws for
    ``"random"``.
    """
    votes.require_candidates(answers)
    read = finite(scores)
    match rule.name:
        case "majority":
            return _voted(votes.majority(answers), answers, range(len(answers)), "votes")
        case "best-of-n":
            index = votes.best_of_n(scores)
            if np.isnan(read[index]):
                return _one(index, "the first candidate", "no candidate is scored: the first one was taken")
            return _one(index, f"best score, {read[index]:.6g}, of {int(np.isfinite(read).sum())} scored")
        case "top-maj":
            index = votes.top_maj_at_k(answers, scores, k=rule.k)
            best = np.argsort(-read, kind="stable")[: rule.k].tolist()
            found = _voted(index, answers, best, f"votes, those of the best {len(best)}")
            silent = np.isnan(read).all()
            return Pick(index, found.why, "no candidate is scored: the first ones voted" if silent else found.fallback)
        case "weighted" | "borda" | "deepconf":
            weights = rule.weights(np.where([answer is None for answer in answers], np.nan, read))
            voting = np.flatnonzero(weights > 0).tolist()
            if not voting:
                found = _voted(votes.majority(answers), answers, range(len(answers)), "votes")
                scored = any(answer is not None and not np.isnan(read[k]) for k, answer in enumerate(answers))
                none = "has a score above 0" if scored else "is scored"
                why = found.fallback or f"no candidate with an answer {none}: plain majority"
                return _one(found.index, found.why, why)
            index = voting[votes.vote([answers[k] for k in voting], weights[voting].tolist())]
            mine = float(weights[[answer == answers[index] for answer in answers]].sum() / weights.sum())
            at = f" at temperature {rule.temperature:.3g}" if rule.name == "weighted" else ""
            return _one(index, f"{shown(answers[index])!r} has {mine:.3g} of the weight{at}")
        case "best-of-majority":
            gate: Any = {"alpha": rule.alpha, "min_count": rule.min_count, "reward": rule.reward}
            gated = votes.best_of_majority(answers, scores, **gate, k=k)
            why = f"{rule.reward} score is best among the {gated.passed} answers that passed the gate"
            return Pick(gated.picks[0], gated.fallback or why, gated.fallback, gated.picks)
        case "oracle":
            right = [place for place, one in enumerate(correct) if one]
            if right:
                return _one(right[0], "it is right")
            return _one(0, "the first candidate", "none is known to be right")
    index = int((rng or np.random.default_rng(0)).integers(len(answers)))
    return _one(index, f"drawn at random from {len(answers)}")


def _one(index: int, why: str, fallback: str | None = None) -> Pick:
    return Pick(index, why, fallback, (index,))


def _voted(index: int, answers: Answers, voters: Sequence[int], what: str) -> Pick:
    counts = Counter(a for a in (answers[k] for k in voters) if a is not None)
    mine = answers[index]
    if mine is None:
        return _one(index, "it comes first", "no answer can be read: the first candidate was taken")
    ties = [repr(shown(a)) for a, n in counts.items() if n == counts[mine] and a != mine]
    tied = f"; so has {', '.join(ties)}, which comes later" if ties else ""
    return _one(index, f"{shown(mine)!r} has {counts[mine]} of {len(voters)} {what}{tied}")
