"""What is learned from labels of aspects, routes of the questions, and overall labels of few answers."""

import warnings

import numpy as np
from sklearn.base import clone

from ....models.errors import InnerjudgeError
from ....probes import AspectProbes, LogisticProbe
from ....probes.aspect_fit import Head
from .labelled import within
from .worlds import WIDTH, Answers, Floats, Ints

#: Answers with an overall label; 0 for all.
OVERALL = (60, 240, 0)
#: One penalty for all keeps the study quick: there are many fits.
PENALTY = (1e-2,)
PLAIN = LogisticProbe(positions=["state"], candidates=PENALTY)
#: Share of the aspects' labels that are wrong.
WRONG = 0.25
#: Of a drawn world: routes, aspects, answers to learn from and to test on, and the noise of what is overall right.
ROUTES, ASPECTS, LEARNED, TESTED, NOISE = 4, 5, 2400, 1200, 0.6


def routes_world(_questions: int, seed: int) -> tuple[Answers, Answers]:
    """States in which five aspects lie in other directions by route; right is what they say on the whole."""
    rng = np.random.default_rng([28, seed])
    ways = rng.normal(size=(ROUTES, WIDTH, ASPECTS)) + rng.normal(size=(WIDTH, ASPECTS))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    weights = rng.dirichlet(np.full(ASPECTS, 2.0), size=ROUTES)
    return _drawn(LEARNED, ways, weights, rng), _drawn(TESTED, ways, weights, rng)


def _drawn(n: int, ways: Floats, weights: Floats, rng: np.random.Generator) -> Answers:
    question: Ints = np.arange(n) // 4
    route = rng.integers(ROUTES, size=n // 4)[question]
    states = rng.normal(size=(n, WIDTH))
    levels = np.einsum("nd,nda->na", states, ways[route])
    right = (levels * weights[route]).sum(axis=1) + NOISE * rng.normal(size=n) > 0
    facts = {str(k): own > 0 for k, own in enumerate(levels.T)}
    asked = 3 * np.eye(ROUTES)[route] @ np.eye(ROUTES, WIDTH) + rng.normal(size=(n, WIDTH))
    return Answers(states, right, question, np.full(n, ""), asked=asked, route=route.astype(str), facts=facts)


def routed(learn: Answers, test: Answers, seed: int) -> dict[str, float]:
    """AUROC within questions of what is learned of aspects, by route or not, and of overall labels."""
    assert learn.route is not None
    assert test.route is not None
    names = tuple(learn.facts)
    y = np.stack([learn.facts[name] for name in names], axis=1)
    y = y ^ (np.random.default_rng([29, seed]).random(y.shape) < WRONG)
    order = np.random.default_rng([30, seed]).permutation(len(y))

    def area(probes: AspectProbes, known: Floats | None = None) -> float:
        routes = learn.route if probes.routed else None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that an aspect has too few of a class
                probes.fit(learn.features, y.astype(float), routes=routes, overall=known)
            return _within(probes.decision_function(test.features), test)
        except InnerjudgeError:
            return float("nan")

    def made(*, by_route: bool, head: Head) -> AspectProbes:
        return AspectProbes(aspects=names, positions=["state"], candidates=PENALTY, head=head, routed=by_route)

    found = {
        "aspects, plain mean": area(made(by_route=False, head="mean")),
        "aspects by route, plain mean": area(made(by_route=True, head="mean")),
    }
    for n in OVERALL:
        some = order[: n or len(order)]
        known = np.full(len(y), np.nan)
        known[some] = learn.right[some]
        name = f"{n or 'all'} overall"
        found |= {
            f"{name}, pooled": _overall(learn[some], test, np.zeros(len(some)), np.zeros(len(test.right))),
            f"{name}, by route": _overall(learn[some], test, learn.route[some], test.route),
            f"{name}, aspects, linear head": area(made(by_route=False, head="linear"), known),
            f"{name}, aspects by route, linear head": area(made(by_route=True, head="linear"), known),
            f"{name}, aspects by route, heads by route": area(made(by_route=True, head="linear-by-route"), known),
        }
    return found


def _overall(learn: Answers, test: Answers, route: np.ndarray, new: np.ndarray) -> float:
    """Of probes of overall labels, one a route; 0 where a route cannot be learned."""
    scores = np.zeros(len(test.right))
    for one in np.unique(new):
        try:
            probe = clone(PLAIN).fit(learn.features[route == one], learn.right[route == one])
            scores[new == one] = probe.decision_function(test.features[new == one])
        except InnerjudgeError:  # one class
            pass
    return _within(scores, test)


def _within(scores: Floats, test: Answers) -> float:
    return within(scores, test.right, tuple(map(str, test.question)))
