"""Claims of "better": a paired difference, its p-value, the correction for how many judges were tried; and chance."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import rankdata

from ..data.splits import rows_by_group
from .evidence import Evidence
from .intervals import Interval, paired_difference
from .metrics.auroc import within_question_auroc
from .statistic import Labels, Statistic, Values, finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One judge against another: ``interval`` is the paired difference (not corrected), ``p`` its two-sided p-value.

    ``p_corrected`` is that after Holm's correction over the judges compared, ``None`` before it; below ``level`` a
    difference is called one.
    """

    interval: Interval
    p: float | None
    p_corrected: float | None = None
    level: float = 0.05

    @property
    def verdict(self) -> str:
        """``"better"``, ``"worse"`` or ``"not told apart"``; never "equal"."""
        if self.p_corrected is None or self.p_corrected > self.level or self.interval.value is None:
            return "not told apart"
        return "better" if self.interval.value > 0 else "worse"


def difference(first: Statistic, second: Statistic, groups: Sequence[Hashable]) -> Difference:
    """Paired difference ``first - second`` and its p-value, from its standard error over questions.

    With six questions or more the p-value agrees with the interval: below 0.05 where 0 is outside of it.
    """
    interval = paired_difference(first, second, groups)
    return Difference(interval=interval, p=p_value(interval))


def p_value(interval: Interval, *, null: float = 0.0) -> float | None:
    """Two-sided p-value of ``value = null`` (:meth:`.evidence.Evidence.p_value`); ``None`` where there is no error."""
    if interval.value is None or interval.error is None or interval.groups < 2:
        return None
    made = Evidence(
        value=interval.value,
        error=interval.error,
        groups=interval.groups,
        degrees=interval.degrees,
        limits=interval.limits,
    )
    return made.p_value(null)


def holm(differences: Sequence[Difference]) -> list[Difference]:
    """The same differences with p-values by Holm's step-down method; those without a p-value do not count.

    The chance that any of them is called a difference where none is stays below the level, however they depend on one
    another.

    Source:
        Holm 1979. The tests hold it against statsmodels, which would be a dependency for these six lines alone.
    """
    known = sorted((d.p, k) for k, d in enumerate(differences) if d.p is not None)
    corrected: dict[int, float] = {}
    largest = 0.0
    for place, (p, k) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - place) * p))
        corrected[k] = largest
    return [replace(d, p_corrected=corrected.get(k)) for k, d in enumerate(differences)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutationTest:
    """The within-question AUROC ``value`` on ``n`` questions, and the share ``p`` of shuffles that reach it.

    The data count among the shuffles: one-sided, never 0. Where there is no test, ``reason`` says why.
    """

    value: float | None
    p: float | None
    n: int
    reason: str | None = None


def better_than_chance(
    labels: Labels, scores: Values, groups: Sequence[Hashable], *, n_permutations: int = 2000, seed: int = 0
) -> PermutationTest:
    """Permutation test of the within-question AUROC against one half.

    Shuffling inside each question keeps its difficulty and its ties: what is tested is only whether the judge tells its
    candidates apart. Exact for any number of questions.
    """
    seen = within_question_auroc(labels, scores, groups)
    if seen.value is None:
        return PermutationTest(value=None, p=None, n=seen.n, reason=seen.reason)
    truth, x = finite(labels), finite(scores)
    rng = np.random.default_rng(seed)
    total, questions = np.zeros(n_permutations), 0
    by_shape: dict[tuple[int, int], list[np.ndarray]] = {}
    for rows in rows_by_group(groups):
        known = rows[~np.isnan(x[rows]) & ~np.isnan(truth[rows])]
        right = int((truth[known] == 1).sum())
        if 0 < right < len(known):
            by_shape.setdefault((len(known), right), []).append(rankdata(x[known]))
    for (m, right), ranks in by_shape.items():  # questions of one shape are shuffled together
        held = np.stack(ranks)  # [Q, m]
        questions += len(held)
        step = max(1, 4_000_000 // held.size)
        for at in range(0, n_permutations, step):
            count = min(step, n_permutations - at)
            drawn = rng.permuted(np.broadcast_to(held, (count, *held.shape)), axis=2)[:, :, :right]
            won = drawn.sum(axis=2) - right * (right + 1) / 2
            total[at : at + count] += (won / (right * (m - right))).sum(axis=1)
    reached = int((total / questions >= seen.value - 1e-12).sum())
    return PermutationTest(value=seen.value, p=(reached + 1) / (n_permutations + 1), n=questions)
