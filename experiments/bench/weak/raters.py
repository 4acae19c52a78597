"""What is learned from several raters who err in their own ways, by what is made of their labels."""

import warnings
from typing import NamedTuple, get_args

import numpy as np

from ....probes import LogisticProbe
from ...stats.agreement.aggregate import How, aggregate
from .labelled import QUICK_CENTRED, Try, area_of
from .worlds import Answers, Bools, Floats

#: Items whose true label is known, of the last case.
GOLD = 100


class Raters(NamedTuple):
    """How often each says right of right answers, and wrong of wrong ones; what share they leave out; who copies."""

    right: tuple[float, ...]
    wrong: tuple[float, ...]
    left_out: float = 0.0
    copies: int = 0

    def say(self, right: Bools, rng: np.random.Generator) -> dict[str, list[bool | None]]:
        """Labels by rater; the last ``copies`` say what the rater before them says, but for one label in twenty."""
        said: list[Bools] = []
        for k, (tp, tn) in enumerate(zip(self.right, self.wrong, strict=True)):
            own = np.where(rng.random(len(right)) < np.where(right, tp, tn), right, ~right)
            copied = k >= len(self.right) - self.copies
            said.append(np.where(rng.random(len(right)) < 0.95, said[-1], own) if copied else own)
        gone = rng.random((len(said), len(right))) < self.left_out
        columns = zip(said, gone, strict=True)
        return {
            f"rater {k}": [None if g else bool(v) for v, g in zip(own, its, strict=True)]
            for k, (own, its) in enumerate(columns)
        }


FIVE = (0.9, 0.75, 0.7, 0.65, 0.55)
CASES = {
    "five": Raters(FIVE, FIVE),
    "three": Raters((0.8, 0.7, 0.6), (0.8, 0.7, 0.6)),
    "five, 60 % missing": Raters(FIVE, FIVE, left_out=0.6),
    "five, lenient": Raters((0.97, 0.93, 0.92, 0.9, 0.85), (0.8, 0.6, 0.5, 0.45, 0.3)),
    "clique": Raters((0.85, 0.8, 0.65, 0.65, 0.65, 0.65), (0.85, 0.8, 0.65, 0.65, 0.65, 0.65), copies=3),
}
#: In the order of the rows.
WAYS: tuple[How, ...] = ("vote", "mean", "one-coin", "dawid-skene")
assert {*WAYS} == {*get_args(How)}


def raters(learn: Answers, test: Answers, seed: int) -> dict[str, float]:
    """Share of the labels that are right, and AUROC within questions of a centred probe on them."""
    found = {"AUROC: the truth": area_of((QUICK_CENTRED, learn.features, [learn.right]), test)}
    for case, its in CASES.items():
        said = its.say(learn.right, np.random.default_rng([12, seed]))
        for how in WAYS:
            found |= _both(f"{case}, {how}", _labels(said, how), learn, test)
    said = Raters((0.85, 0.6), (0.85, 0.6)).say(learn.right, np.random.default_rng([13, seed]))
    drawn = set(np.random.default_rng([14, seed]).permutation(len(learn.right))[:GOLD].tolist())
    gold = [bool(y) if k in drawn else None for k, y in enumerate(learn.right)]
    for name, p in (
        ("two, mean", _labels(said, "mean")),
        (f"two and {GOLD} true labels, dawid-skene", _labels(said, "dawid-skene", gold)),
    ):
        found |= _both(name, p, learn, test)
    return found


def _labels(said: dict[str, list[bool | None]], how: How, gold: list[bool | None] | None = None) -> Floats:
    """How likely each answer is right, ``[n]``; NaN where nobody says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some raters copy each other
        soft = aggregate(said, how, gold=gold).labels
    return np.array([np.nan if one is None else one.get(True, 0.0) for one in soft])


def _both(name: str, p: Floats, learn: Answers, test: Answers) -> dict[str, float]:
    """Of soft labels ``p [n]``; half of those without one count as right."""
    sure = np.where(np.isnan(p) | (np.abs(p - 0.5) < 1e-9), 0.5, (p > 0.5) == learn.right)
    return {
        f"labels right: {name}": float(sure.mean()),
        f"AUROC: {name}": area_of(weighted(QUICK_CENTRED, learn, p), test),
    }


def weighted(judge: LogisticProbe, learn: Answers, p: Floats, weight: Floats | None = None) -> Try:
    """A fit on soft labels ``p [n]`` with weights, NaN for none; a plain probe does not see those without."""
    w = np.where(np.isnan(p), 0.0, 1.0 if weight is None else weight)
    some = np.arange(len(p)) if judge.centre == "question" else np.flatnonzero(w)
    return judge, learn.features[some], [np.nan_to_num(p)[some], w[some]]
