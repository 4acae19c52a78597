"""What is picked of eight answers where rules must hold and a judge of usefulness likes what breaks them."""

from dataclasses import dataclass

import numpy as np

from ...selection.gates import GateRule, gated
from .worlds import Answers, Bools, Floats

#: Noise of a judge of a rule, which says 1 where it holds and 0 where not, and of the judge of usefulness.
NOISES, OF_USE = (0.15, 0.35), 0.05
#: Share of a drawn world's answers that break a rule, and what breaking it adds to usefulness.
BREAKS, PAYS = 0.3, 0.25
#: How much a judge of real answers, whose noise is larger, likes each broken rule.
LIKES, OF_REAL_USE = 0.3, 0.35
RULES: tuple[GateRule, ...] = ("threshold", "geometric", "min", "product")


@dataclass(frozen=True, slots=True)
class Candidates:
    """Of ``[questions, candidates]``: how useful each is, what a judge says of that, and whether each rule holds."""

    use: Floats
    said: Floats
    holds: tuple[Bools, Bools]


def drawn_candidates(questions: int, seed: int) -> Candidates:
    """Eight a question, some of which break one of two rules and are the more useful for it."""
    rng = np.random.default_rng([31, seed])
    shape = (questions, 8)
    broken, which = rng.random(shape) < BREAKS, rng.random(shape) < 0.5
    use = np.clip(rng.beta(1.2, 2, size=shape) + PAYS * broken, 0, 1)
    said = np.clip(use + OF_USE * rng.normal(size=shape), 0, 1)
    return Candidates(use, said, (~(broken & which), ~(broken & ~which)))


def real_candidates(answers: Answers, rules: tuple[str, str], seed: int) -> Candidates:
    """Real answers: right ones are useful, and two of their facts are the rules, which the judge likes to be broken."""
    rng = np.random.default_rng([32, seed])
    sizes = np.bincount(answers.question)
    whole = np.flatnonzero(sizes == sizes.max())
    at = np.stack([rng.permutation(np.flatnonzero(answers.question == q)) for q in whole])
    first, second = (answers.facts[name][at] for name in rules)
    use = answers.right[at].astype(float)
    pull = LIKES * (~first + 1.0 * ~second)
    said = np.clip(use + pull + OF_REAL_USE * rng.normal(size=use.shape), 0, 1)
    return Candidates(use, said, (first, second))


def picks(its: Candidates, seed: int) -> dict[str, float]:
    """Share of the picks that break a rule, and their mean usefulness, 0 where they do."""
    kept = its.holds[0] & its.holds[1]
    found = _picked("oracle of the rules", its.said + 2.0 * kept, its)
    found |= _picked("usefulness alone", its.said, its)
    for noise in NOISES:
        rng = np.random.default_rng([33, seed])
        gates = [np.clip(one + noise * rng.normal(size=one.shape), 0, 1) for one in its.holds]
        mean = (its.said + gates[0] + gates[1]) / 3
        found |= _picked(f"mean of all three, noise {noise:g}", mean, its)
        columns = {"first": gates[0].ravel(), "second": gates[1].ravel()}
        for rule in RULES:
            ranked = gated(columns, {"use": its.said.ravel()}, rule=rule).scores
            scores = np.array([-np.inf if one is None else one for one in ranked])
            found |= _picked(f"gated, {rule}, noise {noise:g}", scores.reshape(its.use.shape), its)
    return found


def _picked(name: str, scores: Floats, its: Candidates) -> dict[str, float]:
    best = scores.argmax(axis=1)[:, None]
    broken = ~np.take_along_axis(its.holds[0] & its.holds[1], best, axis=1)
    use = np.where(broken, 0.0, np.take_along_axis(its.use, best, axis=1))
    return {f"broken: {name}": float(broken.mean()), f"usefulness: {name}": float(use.mean())}
