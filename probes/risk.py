"""The risk of a threshold, per question, and the tests that bound it: Hoeffding-Bentkus, binomial, conformal.

The unit is the question: one loss in [0, 1], however many answers it has, since its answers depend on each other.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from .labels import Bools, Floats, Ints

#: What may be promised; the first two are about answers, the others about verdicts.
RiskName = Literal["lost good answers", "passed bad answers", "kept and wrong", "wrong among kept"]
#: Sums of shares are exact up to this.
_ROUNDING = 1e-9
#: Thresholds that are tried where the risk is not monotone.
_TRIED = 50


@dataclass(frozen=True, slots=True)
class Scored:
    """``n`` items with finite scores, whether they are ``good``, and the numbers of their questions, without gaps."""

    scores: Floats
    good: Bools
    question: Ints

    @property
    def questions(self) -> int:
        """Number of questions that the items belong to."""
        return int(self.question.max()) + 1 if len(self.question) else 0

    def take(self, keep: Bools) -> "Scored":
        """Some of the items, with their questions numbered anew."""
        _, question = np.unique(self.question[keep], return_inverse=True)
        return Scored(self.scores[keep], self.good[keep], question.astype(np.intp))


@dataclass(frozen=True, slots=True)
class Bound:
    """The bound on a risk: at most ``level``, with ``confidence``, or on average if that is ``None``.

    ``single`` says that questions have one item each, so that a loss is 0 or 1 and the binomial test is exact.
    """

    level: float
    confidence: float | None
    single: bool = False

    @property
    def needed(self) -> int:
        """The least number of questions with which the bound can hold, if none of them has a loss.

        Example:
            >>> Bound(0.05, 0.95).needed, Bound(0.05, None).needed
            (59, 19)
        """
        if self.confidence is None:
            return math.ceil(1 / self.level - 1 - _ROUNDING)
        return math.ceil(math.log(1 - self.confidence) / math.log(1 - self.level) - _ROUNDING)

    def holds(self, means: Floats, n: int) -> Bools:
        """Whether mean losses of ``n`` questions show that the risk is low enough.

        With a confidence: the p-value of a higher risk is at most ``1 - confidence`` (Learn-then-Test). On average:
        ``(n mean + 1) / (n + 1) <= level`` (conformal risk control; with one item per question, split conformal).
        """
        if self.confidence is None:
            return (n * means + 1) / (n + 1) <= self.level + _ROUNDING
        return p_values(means, n, self.level, single=self.single) <= 1 - self.confidence + 1e-12


def p_values(means: npt.ArrayLike, n: int, level: float, *, single: bool = False) -> Floats:
    """P-values of "the risk is above ``level``" for mean losses of ``n`` questions.

    Hoeffding and Bentkus (Angelopoulos et al. 2021, arXiv 2110.01052), ``min(e P(Bin(n, level) <= ceil(n mean)),
    exp(-n h(min(mean, level), level)))``; the exact binomial one where every loss is 0 or 1 (``single``).
    """
    mean = np.asarray(means, dtype=np.float64)
    if n == 0:
        return np.ones_like(mean)
    tail = binom.cdf(np.ceil(n * mean - _ROUNDING), n, level)
    if single:
        return np.asarray(tail, dtype=np.float64)
    x = np.minimum(mean, level)
    part = np.where(x > 0, x * np.log(np.maximum(x, 1e-300) / level), 0.0)  # 0 ln 0 = 0
    hoeffding = np.exp(-n * (part + (1 - x) * np.log((1 - x) / (1 - level))))
    return np.asarray(np.minimum(1.0, np.minimum(math.e * tail, hoeffding)), dtype=np.float64)


def highest_below(items: Scored, bound: Bound) -> tuple[float, float] | None:
    """The highest threshold below which few enough of a question's items lie, and its mean loss; ``None`` without one.

    The loss grows with the threshold, so that every threshold may be tried, and no grid is needed.
    """
    if not items.questions:
        return None
    shares = 1 / np.bincount(items.question)[items.question] / items.questions
    at, place = np.unique(items.scores, return_inverse=True)
    below = np.concatenate([[0.0], np.cumsum(np.bincount(place, weights=shares))[:-1]])
    holds = bound.holds(below, items.questions)
    last = int(np.argmin(holds)) if not holds.all() else len(at)
    return None if last == 0 else (float(at[last - 1]), float(below[last - 1]))


def lowest_above(items: Scored, bound: Bound) -> tuple[float, float] | None:
    """The lowest threshold that few enough of a question's items reach while bad; the rest as :func:`highest_below`."""
    n, bad = items.questions, ~items.good
    if not n or not bad.any():
        return (float(items.scores.min()), 0.0) if bound.holds(np.zeros(1), n)[0] else None
    shares = 1 / np.bincount(items.question)[items.question] / n
    at, place = np.unique(items.scores[bad], return_inverse=True)
    # reach[k]: the loss where all but the k lowest bad scores are reached.
    reach = np.append(np.cumsum(np.bincount(place, weights=shares[bad])[::-1])[::-1], 0.0)
    holds = bound.holds(reach, n)
    if not holds[-1]:
        return None
    first = int(np.argmax(holds))
    return float(np.nextafter(at[first - 1], np.inf) if first else items.scores.min()), float(reach[first])


def few_wrong_kept(pilot: Scored, rest: Scored, bound: Bound) -> tuple[float, float] | None:
    """The lowest threshold at which few enough of the kept items are wrong, and the mean loss of ``rest``.

    Questions without a kept item do not count. The loss is not monotone, so thresholds are tested in a fixed order
    (Learn-then-Test): ``pilot`` gives the thresholds and the first to test, ``rest`` tests them downwards from there.
    """
    if not pilot.questions or not rest.questions:
        return None
    tried = np.unique(np.quantile(pilot.scores, np.linspace(0, 1, _TRIED), method="lower"))[::-1]
    of_pilot, of_rest = [_among_kept(pilot, t) for t in tried], [_among_kept(rest, t) for t in tried]
    more = rest.questions / pilot.questions
    hoped = [p_values(mean, int(n * more), bound.level, single=bound.single)[()] for mean, n in of_pilot]
    found = None
    for k in range(int(np.argmin(hoped)), len(tried)):
        mean, n = of_rest[k]
        if not bound.holds(np.array(mean), n):
            break
        found = float(tried[k]), mean
    return found


def _among_kept(items: Scored, threshold: float) -> tuple[float, int]:
    """The mean over questions of the share of wrong ones among the kept items, and how many questions have one."""
    kept = items.scores >= threshold
    each = np.bincount(items.question[kept], minlength=1)
    wrong = np.bincount(items.question[kept], weights=~items.good[kept], minlength=1)
    n = int((each > 0).sum())
    return (float((wrong[each > 0] / each[each > 0]).mean()) if n else 1.0), n
