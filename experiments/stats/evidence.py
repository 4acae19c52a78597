"""From a figure, its standard error and its bounds to an interval and a p-value.

The two agree where there are six questions or more; fewer can never make a p-value below 0.05.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from .statistic import Floats, Limits

#: Spread, as a share of the range, below which all questions say the same but for rounding.
_NONE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a figure rests on: its standard error over ``groups`` (at least 2) questions, with the divisor ``groups``.

    ``degrees`` of freedom are those of :func:`degrees_of_freedom`, by default ``groups - 1``; infinite where the error
    follows from the figure itself. ``limits``: lowest and highest value that the figure can have, if any.
    """

    value: float
    error: float
    groups: int
    degrees: float | None = None
    limits: Limits | None = None

    def ends(self, confidence: float = 0.95) -> tuple[float, float] | None:
        r"""Lower and upper end of the interval; ``None`` where all questions say the same of a figure without bounds.

        A figure with bounds is scaled to a share :math:`p` of its range, and has Wilson's interval with the effective
        number of questions :math:`p(1-p)/s^2` and Student's t in the place of the normal quantile: it ends inside the
        bounds, and is as skewed as a share near its bound is. Others have the usual :math:`\pm t s`.

        Where all :math:`G` questions say the same there is no spread to measure, yet other questions may differ: with
        the confidence asked for, no more than the share :math:`u = 1 - (\alpha/2)^{1/G}` of them (Clopper and Pearson's
        bound for 0 of :math:`G`), so the figure moves at most that far towards its bounds.

        Source:
            Wilson 1927; the effective sample size as in Korn and Graubard 1998.
        """
        tail = (1 - confidence) / 2
        t, spread = float(stats.t.isf(tail, self._degrees)), self._spread
        if self.limits is None or not self._inside:
            return None if spread <= _NONE * max(1.0, abs(self.value)) else self._symmetric(t)
        low, high = self.limits
        if spread <= _NONE * (high - low):
            other = 1 - tail ** (1 / self.groups)
            return self.value - other * (self.value - low), self.value + other * (high - self.value)
        p, s = (self.value - low) / (high - low), spread / (high - low)
        if p * (1 - p) <= _NONE:  # questions differ and the figure is at its bound all the same
            ends = self._symmetric(t)
            return max(low, ends[0]), min(high, ends[1])
        turn = t * t * s * s / (p * (1 - p))  # t squared over the effective number of questions
        middle, half = (p + turn / 2) / (1 + turn), t * s * np.sqrt(1 + turn / (4 * p * (1 - p))) / (1 + turn)
        return low + (high - low) * max(0.0, float(middle - half)), low + (high - low) * min(1.0, float(middle + half))

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of ``value = null``: below 0.05 where ``null`` is outside of the 95 % interval.

        Never below ``2 ** (1 - groups)``, the least that a sign test of so many questions can give: of 5 or fewer it is
        never below 0.05, whatever the interval says.
        """
        least, distance, spread = 2.0 ** (1 - self.groups), abs(self.value - null), self._spread
        if distance <= _NONE:
            return 1.0
        if self.limits is None or not self._inside:
            found = 2 * stats.t.sf(distance / spread, self._degrees) if spread > _NONE else 0.0
            return max(float(found), least)
        low, high = self.limits
        if not low < null < high:
            return least
        if spread <= _NONE * (high - low):
            room = high - self.value if null > self.value else self.value - low
            return min(1.0, max(2 * (1 - min(1.0, distance / room)) ** self.groups, least))
        p, p0 = ((v - low) / (high - low) for v in (self.value, null))
        if p * (1 - p) > _NONE:  # the spread as it would be under the null, which Wilson's interval turns around
            spread *= float(np.sqrt(p0 * (1 - p0) / (p * (1 - p))))
        return max(float(2 * stats.t.sf(distance / max(spread, 1e-300), self._degrees)), least)

    @property
    def _degrees(self) -> float:
        return self.groups - 1 if self.degrees is None else self.degrees

    @property
    def _spread(self) -> float:
        """The error as ``G - 1`` has it; as it is where it follows from the figure and is not estimated."""
        known = self.degrees is not None and np.isinf(self.degrees)
        return self.error if known else self.error * float(np.sqrt(self.groups / (self.groups - 1)))

    @property
    def _inside(self) -> bool:
        return self.limits is not None and self.limits[0] <= self.value <= self.limits[1]

    def _symmetric(self, t: float) -> tuple[float, float]:
        return self.value - t * self._spread, self.value + t * self._spread


def degrees_of_freedom(pulls: Floats, value: float, limits: Limits | None, groups: int) -> float:
    """Degrees of freedom of the standard error, by Satterthwaite's rule; at most ``groups - 1``, at least 1.

    The error is itself an estimate, and a poor one where few questions make all of the spread: two judges that differ
    on one of 200 questions differ on one question. With :math:`d_q` the pull of each question (for a mean: its value
    less the mean) and :math:`s^2` their mean square, it is as uncertain as the mean of :math:`d_q^2/s^2 - 1`; a figure
    with bounds, whose interval goes by :math:`p(1-p)/s^2`, is as uncertain as that where that is worse
    (``experiments/bench/intervals`` shows the need). Infinity where every question is at one of the bounds: the error
    then follows from the figure, as that of a share of single right or wrong items does.
    """
    most, square = float(groups - 1), float((pulls**2).mean())
    if square <= _NONE**2:
        return most
    off = pulls**2 / square - 1
    unsure = float((off**2).mean()) / len(pulls)
    width = 1.0 if limits is None else limits[1] - limits[0]
    p = 0.0 if limits is None else (value - limits[0]) / width
    if p * (1 - p) > _NONE:
        if abs(square / width**2 - p * (1 - p)) < _NONE and len(pulls) == groups:
            return float("inf")
        off = off - (1 - 2 * p) * pulls / width / (p * (1 - p))
        unsure = max(unsure, float((off**2).mean()) / len(pulls))
    return max(1.0, min(most, 2 / unsure if unsure > 0 else most))
