"""What is learned from a text judge whose errors are random, or follow the length of the answer."""

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.base import clone

from ....probes import LogisticProbe
from .labelled import QUICK, QUICK_PLAIN
from .worlds import WIDTH, Answers, Bools, Floats

#: Answers that people label, how often they are right, and how often a fit on both counts theirs.
CHECKED, PEOPLE, TIMES = 100, 0.95, 5
#: How much more likely the judge calls an answer right that is longer by one standard deviation, in log-odds.
LIKES = 2.5
#: In a drawn world: mean and standard deviation of the lengths, and how far the states move by one of these.
LENGTHS, WRITTEN = (150.0, 40.0), 2.0
WITHOUT = LogisticProbe(positions=["state"], candidates=QUICK, nuisance="length")


def with_lengths(answers: Answers, seed: int) -> Answers:
    """Those of a drawn world with lengths that tell nothing, written in their states in the direction of ``seed``."""
    if answers.length is not None:
        return answers
    way = np.random.default_rng([16, seed]).normal(size=WIDTH)
    z = np.random.default_rng([17, seed, len(answers.right)]).normal(size=len(answers.right))
    states = answers.states + WRITTEN * z[:, None] * way / np.linalg.norm(way)
    return replace(answers, states=states, length=np.maximum(1.0, np.rint(LENGTHS[0] + LENGTHS[1] * z)))


def verdicts(answers: Answers, rng: np.random.Generator, right: float, likes: float = 0.0) -> Bools:
    """What a judge says who is right on that share of the answers, and ``likes`` long ones."""
    length = answers.length if answers.length is not None else np.zeros(len(answers.right))
    pull = likes * np.where(answers.right, -1.0, 1.0) * (length - length.mean()) / (length.std() or 1.0)
    start = float(brentq(lambda b: expit(b + pull).mean() - (1 - right), -20, 20))
    return np.where(rng.random(len(pull)) < expit(start + pull), ~answers.right, answers.right)


JUDGES = {"judge of .80": (0.8, 0.0), "judge of .65": (0.65, 0.0), "judge that likes length": (0.78, LIKES)}


def judged(learn: Answers, test: Answers, seed: int) -> dict[str, float]:
    """Share of new answers about which the judge, and probes on what it and people say of others, are right."""
    learn, test = with_lengths(learn, seed), with_lengths(test, seed)
    some = np.random.default_rng([18, seed]).permutation(len(learn.right))[:CHECKED]
    wrong = np.random.default_rng([19, seed]).random(CHECKED) >= PEOPLE
    people = learn.right[some] ^ wrong
    more = np.ones(len(learn.right) + CHECKED)
    more[len(learn.right) :] = TIMES
    found = {
        "the larger class": max(test.right.mean(), 1 - test.right.mean()),
        "probe, the truth": _right(QUICK_PLAIN, learn, test, learn.right),
        f"probe, {CHECKED} labels of people": _right(QUICK_PLAIN, learn[some], test, people),
    }
    for name, (share, likes) in JUDGES.items():
        said = verdicts(learn, np.random.default_rng([20, seed]), share, likes)
        new = verdicts(test, np.random.default_rng([21, seed]), share, likes)
        both = learn[np.append(np.arange(len(said)), some)]
        found |= {
            name: float((new == test.right).mean()),
            f"probe, {name}": _right(QUICK_PLAIN, learn, test, said),
            f"probe, {name} and people": _right(QUICK_PLAIN, both, test, np.append(said, people), more),
            f"probe without length, {name}": _right(WITHOUT, learn, test, said),
        }
    return found


def _right(judge: LogisticProbe, learn: Answers, test: Answers, said: Bools, weight: Floats | None = None) -> float:
    if said.all() or not said.any():
        return float("nan")
    fitted = clone(judge).fit(learn.features, said, *([] if weight is None else [weight]))
    return float((np.array(fitted.predict(test.features), dtype=bool) == test.right).mean())
