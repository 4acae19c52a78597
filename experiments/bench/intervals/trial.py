"""Studies drawn over and over: how often does the interval hold the truth, and how wide is it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...stats.bootstrap import Interval, cluster_bootstrap, paired_difference
from .worlds import WORLDS, Sample

#: Resamples of a study; its standard error needs no more.
RESAMPLES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What came out of the studies of one design.

    Args:
        figure: Name of a world.
        questions: Of a study.
        candidates: Of a question.
        strength: Share of the variance that the candidates of a question have in common.
        studies: Studies that have an interval.
        without: Studies that have none.
        covered: Share of those with one whose interval holds the truth.
        width: Mean width.
    """

    figure: str
    questions: int
    candidates: int
    strength: float
    studies: int
    without: int
    covered: float
    width: float

    @property
    def error(self) -> float:
        """Standard error of ``covered`` if it were 95 %."""
        return float(np.sqrt(0.95 * 0.05 / max(self.studies, 1)))


def covered(
    figure: str, *, questions: int, candidates: int = 4, strength: float = 0.3, studies: int = 1000, seed: int = 0
) -> Covered:
    """Draw studies of one design; the same seed draws the same ones.

    Example:
        >>> found = covered("accuracy, 0.50", questions=8, studies=20)
        >>> found.studies, 0.5 <= found.covered <= 1, found.width < 1
        (20, True, True)
    """
    rng = np.random.default_rng([seed, list(WORLDS).index(figure), questions, candidates, round(100 * strength)])
    truth, held, widths, without = WORLDS[figure].truth, 0, 0.0, 0
    for study in range(studies):
        found = _interval(figure, Sample(rng, questions, candidates, strength), study)
        if found.low is None or found.high is None:
            without += 1
            continue
        held += found.low <= truth <= found.high
        widths += found.high - found.low
    n = studies - without
    return Covered(figure=figure, questions=questions, candidates=candidates, strength=strength, studies=n,
                   without=without, covered=held / max(n, 1), width=widths / max(n, 1))  # fmt: skip


def _interval(figure: str, sample: Sample, seed: int) -> Interval:
    world, groups = WORLDS[figure], sample.groups.tolist()
    first, *second = world.draw(sample)
    if second:
        return paired_difference(first, second[0], groups, n_resamples=RESAMPLES, seed=seed)
    return cluster_bootstrap(first, groups, n_resamples=RESAMPLES, seed=seed)
