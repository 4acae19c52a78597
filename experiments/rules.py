"""Rules that pick a candidate, by name and with their parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..models.errors import InnerjudgeError
from .selection import (
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
    """A rule by name, with its parameter.

    Args:
        name: ``"top@1"``, ``"majority"``, ``"top-maj"``, ``"weighted"``, ``"oracle"`` or ``"mean"`` (a random
            candidate).
        k: How many of the best candidates vote in ``"top-maj"``.
        temperature: Of the softmax in ``"weighted"``.

    Example:
        >>> str(Rule("top-maj", k=4))
        'top-maj@4'
    """

    name: str
    k: int = 4
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in RULES:
            raise InnerjudgeError(f"given the rule {self.name!r}, expected one of {sorted(RULES)}")
        if self.k < 1 or not self.temperature >= 0:
            raise InnerjudgeError(f"given k={self.k} and temperature={self.temperature}, expected k >= 1 and T >= 0")

    def __str__(self) -> str:
        return f"top-maj@{self.k}" if self.name == "top-maj" else self.name

    def credit(self, answers: Answers, scores: Scores, correct: Sequence[bool]) -> float:
        """Credit for one question: 1 or 0, a share for ``"mean"``."""
        return float(RULES[self.name](self, answers, scores, correct))


RULES: dict[str, Callable[[Rule, Answers, Scores, Sequence[bool]], float]] = {
    "top@1": lambda rule, a, s, c: c[best_of_n(s)],
    "majority": lambda rule, a, s, c: c[majority(a)],
    "top-maj": lambda rule, a, s, c: c[top_maj_at_k(a, s, k=rule.k)],
    "weighted": lambda rule, a, s, c: c[weighted_vote(a, s, temperature=rule.temperature)],
    "oracle": lambda rule, a, s, c: oracle(c),
    "mean": lambda rule, a, s, c: random_expectation(c),
}
