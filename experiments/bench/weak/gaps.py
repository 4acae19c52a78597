"""What is learned of several aspects where many labels are missing, seen or unseen."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.metrics import average_precision_score, f1_score, recall_score

from ....probes import AspectProbes
from .focal import focal_probabilities
from .labelled import QUICK, Draw
from .worlds import WIDTH, Answers, Bools, Floats, Ints

#: Share of the labels that are gaps.
GAPS = 0.4
#: Of a drawn world: shares of the positives, and how far each aspect moves the states.
SHARES, MOVED = (0.5, 0.3, 0.15, 0.08, 0.05, 0.03), 2.0
#: Answers of it, to learn from and to test on.
LEARNED, TESTED = 1500, 1500
#: How they are counted.
MEASURES = ("mAP", "F1", "recall", "bias")


def aspects_world(_questions: int, seed: int) -> tuple[Answers, Answers]:
    """States with an aspect along each of six directions, some rare, and noise of standard deviation 1."""
    ways = np.linalg.qr(np.random.default_rng([25, seed]).normal(size=(WIDTH, len(SHARES))))[0]
    rng = np.random.default_rng([26, seed])
    return _drawn(LEARNED, ways, rng), _drawn(TESTED, ways, rng)


def _drawn(n: int, ways: Floats, rng: np.random.Generator) -> Answers:
    y = rng.random((n, len(SHARES))) < np.array(SHARES)
    states = MOVED * y @ ways.T + rng.normal(size=(n, WIDTH))
    facts = {f"{share:g}": own for share, own in zip(SHARES, y.T, strict=True)}
    question: Ints = np.arange(n) // 4
    return Answers(states, y[:, 0], question, np.full(n, ""), facts=facts)


def real(draw: Draw) -> Draw:
    """Whether an answer is right as a further aspect of real ones."""

    def more(questions: int, seed: int) -> tuple[Answers, Answers]:
        learn, test = (replace(one, facts={"right": one.right, **one.facts}) for one in draw(questions, seed))
        return learn, test

    return more


def gaps(learn: Answers, test: Answers, seed: int) -> dict[str, float]:
    """Of each way to fill the gaps: mAP and F1 of new answers, recall, and how far the mean probability is off."""
    names = tuple(learn.facts)
    y, new = (np.stack([one.facts[name] for name in names], axis=1) for one in (learn, test))
    gap = np.random.default_rng([27, seed]).random(y.shape) < GAPS
    hidden, absent = (y & ~gap).astype(float), np.where(gap, np.nan, y)
    ways: dict[str, tuple[Floats, dict[str, Any]]] = {
        "all labels": (y.astype(float), {}),
        "hidden": (hidden, {}),
        "hidden, corrected": (hidden, {"correct": 0.7}),
        "hidden, EM": (hidden, {"observed": 1 - GAPS}),
        "hidden, balanced": (hidden, {"balance": True}),
        "known, masked": (absent, {}),
    }
    found = dict[str, float]()
    for way, (given, how) in ways.items():
        probes = AspectProbes(aspects=names, positions=["state"], candidates=QUICK, **how)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that an aspect is too rare
            probes.fit(learn.features, given)
        p = np.zeros(new.shape)
        p[:, [names.index(name) for name in probes.aspects_]] = expit(probes.aspect_scores(test.features))
        found |= _counted(way, p, new)
    focal = focal_probabilities(learn.states, hidden > 0, test.states)
    return found | _counted("hidden, focal loss", focal, new)


def _counted(way: str, p: Floats, y: Bools) -> dict[str, float]:
    """Means over the aspects."""
    columns = list(zip(y.T, p.T, strict=True))
    each = {
        "mAP": [average_precision_score(own, its) for own, its in columns],
        "F1": [f1_score(own, its > 0.5, zero_division=0.0) for own, its in columns],
        "recall": [recall_score(own, its > 0.5, zero_division=0.0) for own, its in columns],
        "bias": [abs(its.mean() - own.mean()) for own, its in columns],
    }
    return {f"{name}: {way}": float(np.mean(each[name])) for name in MEASURES}
