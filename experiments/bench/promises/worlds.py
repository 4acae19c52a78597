"""Worlds of questions with several answers each, in which the true risk of a threshold can be counted."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
#: Questions on which the true risk is counted.
_POPULATION = 100_000


@dataclass(frozen=True, slots=True)
class World:
    """How answers are scored.

    Args:
        name: Name in the table.
        answers: Answers to a question.
        cluster: Share of a score's variance that all answers to a question have in common.
    """

    name: str
    answers: int
    cluster: float


WORLDS = (
    World("one answer per question", 1, 0.0),
    World("five independent answers", 5, 0.0),
    World("five answers, half of the variance of their question", 5, 0.5),
    World("twenty answers, nearly alike within their question", 20, 0.95),
)


def draw(world: World, questions: int, seed: int) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Scores, labels and the number of the question of each answer.

    The log-odds of being good are twice the score, so that good answers score higher; what is common to a question
    makes all of its answers good or bad.

    Example:
        >>> scores, good, question = draw(WORLDS[1], 3, seed=0)
        >>> len(scores), sorted(set(question.tolist()))
        (15, [0, 1, 2])
    """
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(questions, 1)) * np.sqrt(world.cluster)
    scores = common + rng.normal(size=(questions, world.answers)) * np.sqrt(1 - world.cluster)
    good = rng.random(scores.shape) < 1 / (1 + np.exp(-2 * scores))
    question = np.repeat(np.arange(questions), world.answers)
    return scores.ravel(), good.ravel(), question


#: Looks at an answer while it is written, the last one at its end.
LOOKS = 8
#: What may be calibrated of them, of which only the first counts an answer as it is treated.
COUNTED = ("the path", "each look", "the last look")


def draw_looks(questions: int, seed: int) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Scores ``[n, LOOKS]`` of three answers to a question at every look, labels, and the number of the question.

    What an answer is worth shows at each look with noise of its own; half of its variance is the question's.

    Example:
        >>> draw_looks(5, seed=0)[0].shape
        (15, 8)
    """
    noise = np.random.default_rng([seed, 1])  # other numbers than those that draw the worth
    worth, good, question = draw(World("", 3, 0.5), questions, seed)
    return worth[:, None] + noise.normal(size=(len(worth), LOOKS)), good, question


def counted(looks: Floats, what: str, risk: str) -> Floats:
    """The scores that a way of calibrating counts: ``[n]``, or ``[n, LOOKS]`` where each look is an item."""
    if what == "the path":
        return np.asarray(looks.min(axis=1) if risk == "lost good answers" else looks.max(axis=1))
    return looks if what == "each look" else looks[:, -1]


@cache
def true_risk_of_looks(risk: str, threshold: float) -> float:
    """The mean loss on very many other questions, whose answers are acted on at the first look past the threshold.

    Example:
        >>> true_risk_of_looks("lost good answers", -1e9), true_risk_of_looks("passed bad answers", 1e9)
        (0.0, 0.0)
    """
    looks, good, _ = _many_looks()
    lost = risk == "lost good answers"
    mine = good if lost else ~good
    acted = ((looks < threshold) if lost else (looks >= threshold)).any(axis=1) & mine
    each, bad = mine.reshape(-1, 3).sum(1), acted.reshape(-1, 3).sum(1)
    return float((bad[each > 0] / each[each > 0]).mean())


@cache
def _many_looks() -> tuple[Any, ...]:
    return draw_looks(_POPULATION // 4, seed=10**6)


@cache
def _population(world: World) -> tuple[Any, ...]:
    size = _POPULATION // (1 if world.answers < 10 else 4)
    scores, good, question = draw(world, size, seed=10**6)
    return tuple(column.reshape(size, -1) for column in (scores, good, question))


def true_risk(world: World, risk: str, threshold: float) -> float:
    """The mean loss on a very large number of other questions, by its definition.

    Example:
        >>> true_risk(WORLDS[0], "lost good answers", -1e9)
        0.0
    """
    scores, good, _ = _population(world)
    kept = scores >= threshold
    counted, bad = {
        "lost good answers": (good, good & ~kept),
        "passed bad answers": (~good, ~good & kept),
        "kept and wrong": (np.ones_like(good), ~good & kept),
        "wrong among kept": (kept, ~good & kept),
    }[risk]
    each = counted.sum(1)
    return float((bad.sum(1)[each > 0] / each[each > 0]).mean()) if each.any() else 0.0
