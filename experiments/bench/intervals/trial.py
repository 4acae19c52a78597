"""Studies drawn over and over: how often does the interval hold the truth, and how wide is it?

Each study is seen twice, with the standard error that the project uses and, unless it is left out, with the one of a
bootstrap over questions, so that what the draws of a bootstrap would add is measured on the same data.
"""

from dataclasses import dataclass

import numpy as np

from ...stats.evidence import Evidence
from ...stats.intervals import Interval, cluster_interval, paired_difference, values_under
from ...stats.statistic import Statistic
from .worlds import WORLDS, Sample

#: Draws of the bootstrap that each study is held against.
DRAWS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
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
        drawn: Share covered where the standard error is the deviation over :data:`DRAWS` draws of the questions; NaN
            where nothing was drawn.
        drawn_width: Its mean width, likewise.
    """

    figure: str
    questions: int
    candidates: int
    strength: float
    studies: int
    without: int
    covered: float
    width: float
    drawn: float
    drawn_width: float

    @property
    def error(self) -> float:
        """Standard error of ``covered`` if it were 95 %."""
        return float(np.sqrt(0.95 * 0.05 / max(self.studies, 1)))


def coverage(
    figure: str,
    *,
    questions: int,
    candidates: int = 4,
    strength: float = 0.3,
    studies: int = 1000,
    seed: int = 0,
    bootstrap: bool = True,
) -> Coverage:
    """Draw studies of one design; the same seed draws the same ones, with the bootstrap beside them or without.

    Example:
        >>> found = coverage("accuracy, 0.50", questions=8, studies=20)
        >>> found.studies, 0.5 <= found.covered <= 1, found.width < 1
        (20, True, True)
    """
    place = [seed, list(WORLDS).index(figure), questions, candidates, round(100 * strength)]
    rng, draws = np.random.default_rng(place), np.random.default_rng([*place, 1])
    counts = draws.multinomial(questions, np.full(questions, 1 / questions), size=DRAWS).astype(np.float64)
    truth, held, widths = WORLDS[figure].truth, np.zeros(2), np.zeros(2)
    without = 0
    for _ in range(studies):
        sample = Sample(rng, questions, candidates, strength)
        made = WORLDS[figure].draw(sample)
        groups = sample.groups.tolist()
        found = paired_difference(made[0], made[1], groups) if len(made) > 1 else cluster_interval(made[0], groups)
        if found.low is None or found.high is None:
            without += 1
            continue
        drawn = with_draws(found, made, sample, counts) if bootstrap else (np.nan, np.nan)
        for k, (low, high) in enumerate(((found.low, found.high), drawn)):
            held[k] += low <= truth <= high
            widths[k] += high - low
    n = studies - without
    shares, widths = held / max(n, 1), widths / max(n, 1)
    shares[1] = shares[1] if bootstrap else np.nan
    return Coverage(figure=figure, questions=questions, candidates=candidates, strength=strength, studies=n,
                    without=without, covered=float(shares[0]), width=float(widths[0]), drawn=float(shares[1]),
                    drawn_width=float(widths[1]))  # fmt: skip


def with_draws(found: Interval, made: tuple[Statistic, ...], sample: Sample, counts: np.ndarray) -> tuple[float, float]:
    """The ends of an interval whose standard error is the deviation of the figure over draws of the questions."""
    first, *others = (values_under(one, counts, sample.groups) for one in made)
    values = first - sum(others)
    error = float(np.nanstd(values, ddof=1)) if np.isfinite(values).sum() > 1 else found.error or 0.0
    evidence = Evidence(
        value=found.value or 0.0, error=error, groups=found.groups, degrees=found.degrees, limits=found.limits
    )
    return evidence.ends() or (found.low or 0.0, found.high or 0.0)
