"""Claims of "better": a paired difference, its p-value, and the correction for how many judges were tried."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from .evidence import Evidence
from .intervals import Interval, paired_difference
from .statistic import Statistic


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
