"""Rules that pick a candidate, by name and with their parameters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...models.errors import InnerjudgeError
from .best_of_majority import REWARDS, best_of_majority
from .votes import (
    Answers,
    Scores,
    best_of_n,
    majority,
    oracle,
    random_expectation,
    top_maj_at_k,
    weighted_vote,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by name, with its parameters.

    Args:
        name: ``"best-of-n"``, ``"majority"``, ``"top-maj"``, ``"weighted"``, ``"best-of-majority"``,
            ``"oracle"`` or ``"random"`` (any candidate).
        k: How many of the best candidates vote in ``"top-maj"``.
        temperature: Of the softmax in ``"weighted"``.
        alpha: Least share of the candidates that gave an answer, in ``"best-of-majority"``.
        min_count: Least number of them, there.
        reward: How an answer's score is made from theirs, there: ``"max"``, ``"mean"`` or ``"sum"``.

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

    def __post_init__(self) -> None:
        if self.name not in RULES:
            raise InnerjudgeError(f"given the rule {self.name!r}, expected one of {sorted(RULES)}")
        if self.k < 1 or not self.temperature >= 0:
            raise InnerjudgeError(f"given k={self.k} and temperature={self.temperature}, expected k >= 1 and T >= 0")
        if not 0 <= self.alpha <= 1 or self.min_count < 1 or self.reward not in REWARDS:
            raise InnerjudgeError(
                f"given alpha={self.alpha}, min_count={self.min_count} and reward={self.reward!r}, expected a share "
                f"from 0 to 1, at least 1, and one of {', '.join(REWARDS)}"
            )

    def __str__(self) -> str:
        if self.name == "best-of-majority":
            least = ([f"at least {self.min_count}"] if self.min_count > 1 else []) + (
                [f"at least {100 * self.alpha:g} %"] if self.alpha else []
            )
            return f"{self.name} ({', '.join(least)})" if least else self.name
        return f"top-maj@{self.k}" if self.name == "top-maj" else self.name

    def credit(self, answers: Answers, scores: Scores, correct: Sequence[bool]) -> float:
        """Credit for one question: 1 or 0, a share for ``"random"``."""
        return float(RULES[self.name](self, answers, scores, correct))

    def gated(self, answers: Answers, scores: Scores, k: int = 1) -> tuple[int, ...]:
        """Picks of Best-of-Majority."""
        return best_of_majority(
            answers, scores, alpha=self.alpha, min_count=self.min_count, k=k, reward=self.reward
        ).picks


RULES: dict[str, Callable[[Rule, Answers, Scores, Sequence[bool]], float]] = {
    "best-of-n": lambda rule, a, s, c: c[best_of_n(s)],
    "majority": lambda rule, a, s, c: c[majority(a)],
    "top-maj": lambda rule, a, s, c: c[top_maj_at_k(a, s, k=rule.k)],
    "weighted": lambda rule, a, s, c: c[weighted_vote(a, s, temperature=rule.temperature)],
    "best-of-majority": lambda rule, a, s, c: c[rule.gated(a, s)[0]],
    "oracle": lambda rule, a, s, c: oracle(c),
    "random": lambda rule, a, s, c: random_expectation(c),
}
#: The rules that read scores.
READ_SCORES = ("best-of-n", "top-maj", "weighted", "best-of-majority")
