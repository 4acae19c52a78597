"""Worlds with a known truth: data are drawn, clustered by question, and a study makes a figure of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from ...stats.agreement.confusion import cohen_kappa, scott_pi
from ...stats.agreement.reliability import krippendorff_alpha
from ...stats.metrics.abstention import area_under_coverage
from ...stats.metrics.accuracy import accuracy, auprc, auroc, within_question_auroc
from ...stats.metrics.calibration import expected_calibration_error
from ...stats.metrics.correlation import kendall, pearson, spearman, system_ranking
from ...stats.statistic import Floats, Statistic, Values, ratio

Bools = npt.NDArray[np.bool_]
#: A figure that moves in steps, and the same with one question left out at a time: see :attr:`.Statistic.smooth`.
RANKING = "ranking of four systems"
FAILING = "one question at a time, ranking of four systems"


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows of one simulated study.

    Args:
        rng: Where all chance comes from.
        questions: How many questions there are.
        candidates: Rows a question.
        strength: Share of the variance that the rows of a question have in common, 0 to below 1.
    """

    rng: np.random.Generator
    questions: int
    candidates: int
    strength: float

    @property
    def groups(self) -> npt.NDArray[np.intp]:
        """Question of each row."""
        return np.repeat(np.arange(self.questions), self.candidates)

    def normal(self) -> Floats:
        """A standard normal value a row, of which ``strength`` of the variance is the question's."""
        shared, own = self.rng.normal(size=self.questions)[self.groups], self.rng.normal(size=len(self.groups))
        return np.asarray(np.sqrt(self.strength) * shared + np.sqrt(1 - self.strength) * own)

    def right(self, share: float) -> Bools:
        """Whether each row is right: a beta-distributed share of every question's, with mean ``share``."""
        if not self.strength:
            return np.asarray(self.rng.random(len(self.groups)) < share)
        size = 1 / self.strength - 1
        ease = self.rng.beta(share * size, (1 - share) * size, self.questions)
        return np.asarray(self.rng.random(len(self.groups)) < ease[self.groups])


@dataclass(frozen=True, slots=True)
class World:
    """A figure and its truth.

    Args:
        truth: Value over infinitely many questions.
        draw: One study of it: the figure, or those of two judges whose difference is asked for.
        single: Whether it can be had with one candidate a question.
    """

    truth: float
    draw: Callable[[Sample], tuple[Statistic, ...]]
    single: bool = True


def _share(p: float) -> World:
    return World(p, lambda s: (accuracy([True] * len(s.groups), s.right(p).tolist()),))


def _rates(p: float, q: float) -> World:
    def draw(s: Sample) -> tuple[Statistic, ...]:
        x = s.normal()
        y = 0.7 * x + np.sqrt(0.51) * s.normal()
        return tuple(accuracy([True] * len(x), (z < norm.ppf(rate)).tolist()) for z, rate in ((x, p), (y, q)))

    return World(p - q, draw)


def _pooled(s: Sample, right: Bools, gap: float, own: Floats) -> Statistic:
    return auroc(right, gap * right + own)


def _within(s: Sample, right: Bools, gap: float, own: Floats) -> Statistic:
    return within_question_auroc(right, gap * right + own, s.groups.tolist())


def _auroc(gap: float, *, within: bool) -> World:
    """Scores of right rows stand ``gap`` higher; their noise has variance 1, and each question adds its own."""
    make = _within if within else _pooled

    def draw(s: Sample) -> tuple[Statistic, ...]:
        shared = 0.5 * s.rng.normal(size=s.questions)[s.groups]
        return (make(s, s.right(0.5), gap, shared + s.rng.normal(size=len(s.groups))),)

    return World(_area(gap, within), draw, single=not within)


def _aurocs(first: float, second: float, *, within: bool) -> World:
    make = _within if within else _pooled

    def draw(s: Sample) -> tuple[Statistic, ...]:
        right, shared = s.right(0.5), 0.5 * s.rng.normal(size=s.questions)[s.groups]
        noise = s.rng.normal(size=len(right))
        other = 0.6 * noise + 0.8 * s.rng.normal(size=len(right))
        return make(s, right, first, shared + noise), make(s, right, second, shared + other)

    return World(_area(first, within) - _area(second, within), draw, single=not within)


def _area(gap: float, within: bool) -> float:
    return float(norm.cdf(gap / np.sqrt(2 * (1.0 if within else 1.25))))


def _agreement(make: Callable[[list[bool], list[bool]], Statistic], p: float, flip: float) -> World:
    """A second rater says the opposite of the first with a chance that is the question's, ``flip`` on average."""

    def draw(s: Sample) -> tuple[Statistic, ...]:
        first = s.right(p)
        chance = 2 * flip * s.rng.random(s.questions)[s.groups]
        return (make(first.tolist(), (first ^ (s.rng.random(len(first)) < chance)).tolist()),)

    second = p * (1 - flip) + (1 - p) * flip
    if make is cohen_kappa:
        expected = p * second + (1 - p) * (1 - second)
    else:
        middle = (p + second) / 2
        expected = middle**2 + (1 - middle) ** 2
    return World((1 - flip - expected) / (1 - expected), draw)


def _raters(noise: float) -> World:
    """Three raters of one quality: alpha of intervals is the share of its variance."""

    def draw(s: Sample) -> tuple[Statistic, ...]:
        quality = s.normal()
        return (krippendorff_alpha([quality + noise * s.rng.normal(size=len(quality)) for _ in range(3)]),)

    return World(1 / (1 + noise**2), draw)


def _correlation(make: Callable[[Values, Values], Statistic], r: float) -> World:
    def draw(s: Sample) -> tuple[Statistic, ...]:
        x = s.normal()
        return (make(x, r * x + np.sqrt(1 - r * r) * s.normal()),)

    known: dict[object, float] = {pearson: r, spearman: 6 / np.pi * np.arcsin(r / 2), kendall: 2 / np.pi * np.arcsin(r)}
    return World(float(known[make]), draw)


def _average_precision(gap: float) -> World:
    """Half of the rows are right, and score ``gap`` higher: precision integrated over the scores of right rows."""

    def draw(s: Sample) -> tuple[Statistic, ...]:
        right, shared = s.right(0.5), 0.5 * s.rng.normal(size=s.questions)[s.groups]
        return (auprc(right, gap * right + shared + s.rng.normal(size=len(right))),)

    x = np.linspace(-9, 9 + gap, 20_001)
    spread = np.sqrt(1.25)
    hits, misses = norm.sf(x, gap, spread), norm.sf(x, 0, spread)
    return World(float(np.trapezoid(norm.pdf(x, gap, spread) * hits / (hits + misses), x)), draw)


def _under_coverage() -> World:
    """A row of certainty ``c``, even from 0 to 1, is right with chance ``c``: above ``t`` are ``(1 + t) / 2``."""

    def draw(s: Sample) -> tuple[Statistic, ...]:
        sure = norm.cdf(s.normal())
        return (area_under_coverage((s.rng.random(len(sure)) < sure).tolist(), sure),)

    return World(0.75, draw)


def _calibration_error(gap: float) -> World:
    """A row that is said to be right with probability ``p`` is so with chance ``p - gap``."""

    def draw(s: Sample) -> tuple[Statistic, ...]:
        said = gap + (1 - gap) * norm.cdf(s.normal())
        return (expected_calibration_error((s.rng.random(len(said)) < said - gap).tolist(), said, bins=4),)

    return World(gap, draw)


def _systems(*, one_at_a_time: bool = False) -> World:
    """Four systems answer every question; the judge takes the middle two for each other: tau (5 - 1) / 6."""

    def draw(s: Sample) -> tuple[Statistic, ...]:
        systems = np.tile(np.arange(4), s.questions)
        hard = np.sqrt(s.strength) * np.repeat(s.rng.normal(size=s.questions), 4)
        own = np.sqrt(1 - s.strength) * s.rng.normal(size=(2, len(systems)))
        means = np.array([[0, 0.2, 0.4, 0.6], [0, 0.4, 0.2, 0.6]])
        labels, scores = means[:, systems] + hard + own
        made = system_ranking(labels, scores, systems.tolist())
        return (replace(made, smooth=True) if one_at_a_time else made,)

    return World(2 / 3, draw, single=False)


def _mean() -> World:
    """Something without bounds, such as an error in grades."""

    def draw(s: Sample) -> tuple[Statistic, ...]:
        x = s.normal()
        return (ratio(x, np.ones(len(x))),)

    return World(0.0, draw)


_ALL: tuple[tuple[str, World], ...] = (
    ("accuracy", _share(0.5)),
    ("accuracy", _share(0.8)),
    ("accuracy", _share(0.95)),
    ("AUROC, pooled", _auroc(1.0, within=False)),
    ("AUROC, pooled", _auroc(2.5, within=False)),
    ("AUROC within questions", _auroc(1.0, within=True)),
    ("AUROC within questions", _auroc(2.5, within=True)),
    ("difference of accuracies", _rates(0.8, 0.7)),
    ("difference of accuracies", _rates(0.8, 0.8)),
    ("difference of AUROCs, pooled", _aurocs(1.5, 1.0, within=False)),
    ("difference of AUROCs within questions", _aurocs(1.5, 1.0, within=True)),
    ("Cohen's kappa", _agreement(cohen_kappa, 0.5, 0.15)),
    ("Cohen's kappa, uneven classes", _agreement(cohen_kappa, 0.8, 0.1)),
    ("Scott's pi", _agreement(scott_pi, 0.5, 0.15)),
    ("Krippendorff's alpha", _raters(0.8)),
    ("Pearson", _correlation(pearson, 0.0)),
    ("Pearson", _correlation(pearson, 0.8)),
    ("Spearman", _correlation(spearman, 0.5)),
    ("Kendall", _correlation(kendall, 0.5)),
    ("mean without bounds", _mean()),
    ("average precision", _average_precision(1.0)),
    ("area under coverage", _under_coverage()),
    ("calibration error", _calibration_error(0.2)),
    (RANKING, _systems()),
    (FAILING, _systems(one_at_a_time=True)),
)
#: Name of the figure and its truth -> the world.
WORLDS: dict[str, World] = {f"{name}, {world.truth:.2f}": world for name, world in _ALL}
