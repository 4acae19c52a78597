"""What is learned from the order of a question's answers, as a teacher with levels and noise gives it."""

import numpy as np

from ....probes import RankedProbe, RidgeProbe
from .labelled import PLAIN, Try
from .worlds import Answers, Floats

#: Noise of the teacher's scores, where right is 1 and wrong 0.
NOISE = 0.5
POOLED = RidgeProbe(positions=["state"])
PAIRS = RankedProbe(positions=["state"])
PLD = RankedProbe(positions=["state"], loss="plackett-luce")
LISTED = RankedProbe(positions=["state"], loss="list-mle")


def teacher(learn: Answers, seed: int) -> tuple[Floats, Floats]:
    """Scores of a teacher: on a level and a scale of each question, and with the worse half of each in random order."""
    rng = np.random.default_rng([11, seed])
    questions = int(learn.question.max()) + 1
    level, scale = rng.normal(0, 2, questions), rng.uniform(0.3, 3, questions)
    seen = learn.right + NOISE * rng.normal(size=len(learn.right))
    scores = level[learn.question] + scale[learn.question] * seen
    shuffled = scores.copy()
    for q in range(questions):
        at = np.flatnonzero(learn.question == q)
        worse = at[np.argsort(scores[at])[: len(at) // 2]]
        shuffled[worse] = rng.permutation(scores[worse])
    return scores, shuffled


def orders(learn: Answers, seed: int) -> dict[str, Try]:
    """Fits on a teacher's scores as they are, by order, and on the truth for comparison."""
    f = learn.features
    scores, shuffled = teacher(learn, seed)
    found: dict[str, Try] = {
        "the truth, plain": (PLAIN, f, [learn.right]),
        "the truth, pairs": (PAIRS, f, [learn.right]),
    }
    for name, column in (("scores", scores), ("worse half at random", shuffled)):
        found |= {
            f"{name}, ridge": (POOLED, f, [column]),
            f"{name}, pairs": (PAIRS, f, [column]),
            f"{name}, PLD": (PLD, f, [column]),
            f"{name}, ListMLE": (LISTED, f, [column]),
        }
    return found
