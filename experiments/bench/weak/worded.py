"""What is learned from one judge in several wordings of its question, each on a level of its own."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple, get_args

import numpy as np

from ...stats.agreement.aggregate import WordingHow, wording_labels
from .labelled import QUICK_CENTRED, area_of
from .raters import weighted
from .worlds import Answers, Bools, Floats

#: Variances of a judge's log-odds, where right answers have one more than the middle: of the item, and of the wording.
SHARED, OWN = 0.22, 1.3
#: In the order of the rows.
WAYS: tuple[WordingHow, ...] = ("majority", "share", "mean", "centred", "dawid-skene")
assert {*WAYS} == {*get_args(WordingHow)}


class Wordings(NamedTuple):
    """How many, how far their levels spread, and how many of them the judge misunderstands."""

    n: int
    levels: float = 1.0
    misread: int = 0

    def scores(self, right: Bools, rng: np.random.Generator) -> Floats:
        """Log-odds ``[n, wordings]``, those that it misunderstands first."""
        slope = np.where(np.arange(self.n) < self.misread, -0.5, 1.0)
        level = self.levels * rng.normal(size=self.n)
        shared = np.sqrt(SHARED) * rng.normal(size=(len(right), 1))
        own = np.sqrt(OWN) * rng.normal(size=(len(right), self.n))
        return np.asarray(slope * (2.0 * right[:, None] - 1) + level + shared + own)


CASES = {
    "seven": Wordings(7),
    "seven, levels equal": Wordings(7, levels=0.0),
    "three": Wordings(3),
    "two of seven misread": Wordings(7, misread=2),
}


def wordings(learn: Answers, test: Answers, seed: int) -> dict[str, float]:
    """Share of the labels that are right, and AUROC within questions of a centred probe on them."""
    found = {"AUROC: the truth": area_of((QUICK_CENTRED, learn.features, [learn.right]), test)}
    for case, its in CASES.items():
        scores = its.scores(learn.right, np.random.default_rng([15, seed]))
        one = [_both((column > 0).astype(float), None, learn, test) for column in scores[:, ::2].T]
        found |= _named(f"{case}, one wording", np.mean(one, axis=0).tolist())
        for how in WAYS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that wordings copy each other: errors of an item are in all
                labels = wording_labels(scores, how=how)
            found |= _named(f"{case}, {how}", _both(*labels, learn, test))
    return found


def _named(name: str, both: Sequence[float]) -> dict[str, float]:
    return {f"labels right: {name}": both[0], f"AUROC: {name}": both[1]}


def _both(p: Floats, weight: Floats | None, learn: Answers, test: Answers) -> tuple[float, float]:
    known = np.ones(len(p), bool) if weight is None else weight > 0
    sure = np.where(~known | (p == 0.5), 0.5, (p > 0.5) == learn.right)
    return float(sure.mean()), area_of(weighted(QUICK_CENTRED, learn, p, weight), test)
