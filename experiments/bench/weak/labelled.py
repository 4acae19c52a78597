"""What is learned from labels, few or many, hard or soft, of answers or of candidates: AUROC within questions."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.base import clone

from ....extraction.features import Features
from ....models.errors import InnerjudgeError
from ....probes import BaseJudge, CountedProbe, DifferenceOfMeans, LogisticProbe
from ...selection.labelling import NextRule, next_to_label, spread_answers
from .worlds import Answers, Bools, Floats

#: Draws answers to learn from, and others to test on: at most so many questions, and a seed.
Draw = Callable[[int, int], tuple[Answers, Answers]]
#: Of answers to learn from, others, and a seed: what is measured, by the name of each way.
Measure = Callable[[Answers, Answers, int], dict[str, float]]
#: Labels of the small case, in how many whole questions, questions of the large case.
LABELS, FEW, MANY = 40, 5, 200
#: A judge, what it learns from, and the columns of its fit.
Try = tuple[BaseJudge, Features, Sequence[npt.ArrayLike]]

PLAIN = LogisticProbe(positions=["state"])
CENTRED = LogisticProbe(positions=["state"], centre="question")
#: As few penalties as keep the studies of judges and aspects quick.
QUICK = (1e-3, 1e-2, 1e-1)
QUICK_PLAIN = LogisticProbe(positions=["state"], candidates=QUICK)
QUICK_CENTRED = LogisticProbe(positions=["state"], candidates=QUICK, centre="question")
COUNTED = CountedProbe(positions=["state"])


def within(scores: Floats, right: Bools, groups: tuple[str, ...]) -> float:
    """Mean AUROC within the questions that have right and wrong answers."""
    found = []
    question = np.unique(np.array(groups), return_inverse=True)[1]
    for q in range(question.max() + 1):
        s, y = scores[question == q], right[question == q]
        if 0 < y.sum() < len(y):
            ranks = rankdata(s)
            found.append((ranks[y].sum() - y.sum() * (y.sum() + 1) / 2) / (y.sum() * (~y).sum()))
    return float(np.mean(found))


def all_labels(learn: Answers, _seed: int) -> dict[str, Try]:
    """Fits on the labels of all answers, hard or as shares, and on counts."""
    f, y, question = learn.features, learn.right, learn.question
    sizes, counts = np.bincount(question)[question], np.bincount(question, y)[question].astype(int)
    return {
        "all labels, plain": (PLAIN, f, [y]),
        "all labels, centred": (CENTRED, f, [y]),
        "all labels, difference of means": (DifferenceOfMeans(positions=["state"]), f, [y]),
        "counts as soft labels": (PLAIN, f, [counts / sizes]),
        "counts, CountedProbe": (COUNTED, f, [counts]),
    }


def of_raters(learn: Answers, seed: int) -> dict[str, Try]:
    """Fits on all answers as three raters see them, who are right on 0.8, 0.7 and 0.6 of them: vote or share."""
    rng = np.random.default_rng([10, seed])
    said = np.stack([np.where(rng.random(len(learn.right)) < p, learn.right, ~learn.right) for p in (0.8, 0.7, 0.6)])
    share = said.mean(axis=0)
    return {
        "three raters, vote, centred": (CENTRED, learn.features, [share > 0.5]),
        "three raters, share as soft label, centred": (CENTRED, learn.features, [share]),
    }


def few_labels(learn: Answers, seed: int) -> dict[str, Try]:
    """Fits on :data:`LABELS` labels, asked for by the rules, of candidates or for all of the same answer."""
    f = learn.features
    whole = np.flatnonzero(learn.question < -(-LABELS * FEW // (FEW * int(np.bincount(learn.question).max()))))
    random = _asked(learn, [None] * len(learn.right), "random", LABELS, seed)
    spread: dict[str, Labels] = {
        rule: _spread(learn, _asked(learn, [None] * len(learn.right), rule, LABELS, seed)) for rule in RULES
    }
    begun = _spread(learn, _asked(learn, [None] * len(learn.right), "answers", LABELS // 2, seed))
    spread["entropy"] = _spread(learn, _by_entropy(learn, begun, seed))
    found: dict[str, Try] = {}
    named = {
        f"{LABELS} labels, whole questions": [y if k in set(whole) else None for k, y in enumerate(learn.right)],
        f"{LABELS} labels, random": random,
        **{f"{LABELS} labels, {rule}, spread": its for rule, its in spread.items()},
    }
    for name, labels in named.items():
        known = np.array([label is not None for label in labels])
        y = np.array([bool(label) for label in labels])
        found[f"{name}, plain"] = (PLAIN, f[np.flatnonzero(known)], [y[known]])
        found[f"{name}, centred"] = (CENTRED, f, [y, known.astype(float)])
    return found


#: Rules that need no fitted judge.
RULES: tuple[Literal["random", "largest", "answers"], ...] = ("random", "largest", "answers")
Labels = list[bool | None]


def _asked(learn: Answers, labels: Labels, rule: NextRule, n: int, seed: int, p: Floats | None = None) -> Labels:
    """Labels with the truth of the ``n`` candidates that a rule asks about next."""
    traces = learn.traces
    chance = None if p is None else p.tolist()
    ids = set(next_to_label(traces, labels, chance, n=n, rule=rule, seed=seed))
    return [bool(y) if trace.id in ids else label for trace, y, label in zip(traces, learn.right, labels, strict=True)]


def _spread(learn: Answers, labels: Labels) -> Labels:
    return [None if label is None else bool(label) for label in spread_answers(learn.traces, labels, how="vote")]


def _by_entropy(learn: Answers, begun: Labels, seed: int) -> Labels:
    """The other half of the labels, where a centred probe on the first half is least sure; by answers if none is."""
    known, y = np.array([label is not None for label in begun]), np.array([bool(label) for label in begun])
    rest = LABELS - LABELS // 2
    try:
        judge = clone(CENTRED).fit(learn.features, y, known.astype(float))
    except InnerjudgeError:  # no question with both among the first labels
        return _asked(learn, begun, "answers", rest, seed)
    return _asked(learn, begun, "entropy", rest, seed, judge.predict_proba(learn.features)[:, 1])


def area_of(tried: Try, test: Answers) -> float:
    """AUROC within the questions of ``test`` of a way to learn; NaN where it cannot learn."""
    judge, given, columns = tried
    new = test.features
    try:
        return within(clone(judge).fit(given, *columns).decision_function(new), test.right, new.groups)
    except InnerjudgeError:  # the labels drawn are of one class, or no question has both
        return float("nan")


def by_area(study: Callable[[Answers, int], dict[str, Try]]) -> Measure:
    """What a study measures that only says what is learned from what."""

    def measure(learn: Answers, test: Answers, seed: int) -> dict[str, float]:
        return {name: area_of(tried, test) for name, tried in study(learn, seed).items()}

    return measure


def measured(draw: Draw, measure: Measure, draws: int) -> dict[str, Floats]:
    """What is measured of each way, in each draw."""
    found: dict[str, list[float]] = {}
    for seed in range(draws):
        for name, value in measure(*draw(MANY, seed), seed).items():
            found.setdefault(name, []).append(value)
    return {name: np.array(its) for name, its in found.items()}


def areas(draw: Draw, study: Callable[[Answers, int], dict[str, Try]], draws: int) -> dict[str, Floats]:
    """AUROC within questions of each way of a study, in each draw; NaN where it cannot learn."""
    return measured(draw, by_area(study), draws)
