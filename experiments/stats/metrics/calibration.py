"""Whether scores mean what they say, and maps, fitted on a split of their own, that make them do so."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from ....models.errors import InnerjudgeError
from ..statistic import (
    SHARE,
    Floats,
    Labels,
    Statistic,
    Ties,
    Values,
    divide,
    finite,
    mean,
    require_same_length,
    undefined,
)

Bins = Literal["width", "mass"]


def brier(labels: Labels, probabilities: Values) -> Statistic:
    """Mean squared distance between probability and outcome; a loss: lower is better."""
    truth, p, _ = _checked(labels, probabilities)
    return mean((p - truth) ** 2, reason="no scored row with a label", limits=SHARE)


def expected_calibration_error(
    labels: Labels, probabilities: Values, *, bins: int = 10, by: Bins = "width"
) -> Statistic:
    """Mean over rows of how far the mean probability of their bin is from its share of right rows; a loss.

    It depends on the bins and is above 0 even for a calibrated judge, by about the noise in a bin: compare judges on
    the same rows and bins only. ``bins`` are of equal ``"width"`` on [0, 1], or of about equally many rows (``"mass"``;
    ties stay together). Probabilities are from 0 to 1.

    Source:
        Naeini et al. 2015; Guo et al. 2017.

    Example:
        >>> expected_calibration_error([True, False, True, True], [0.75, 0.75, 0.75, 0.25], bins=2).value
        0.25
    """
    truth, p, known = _checked(labels, probabilities)
    if not known.any():
        return undefined("no scored row with a label", n=0, size=len(p))
    member = _members(p, known, bins, by)
    gap = np.where(known, p - truth, 0.0)

    def over(weights: Floats) -> Floats:
        return divide(np.abs((weights * gap) @ member).sum(axis=1), weights @ known.astype(np.float64))

    value = float(over(np.ones((1, len(p))))[0])
    return Statistic(value=value, n=int(known.sum()), size=len(p), limits=SHARE, over=over)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One bin of a reliability diagram: mean probability said, share that was right, and how many rows."""

    said: float
    right: float
    n: int
    rows: npt.NDArray[np.intp]


def reliability_diagram(
    labels: Labels, probabilities: Values, *, bins: int = 10, by: Bins = "width"
) -> tuple[Bin, ...]:
    """The bins behind :func:`expected_calibration_error` that hold rows, by rising probability."""
    truth, p, known = _checked(labels, probabilities)
    held = (np.flatnonzero(column) for column in _members(p, known, bins, by).T if column.any())
    return tuple(Bin(said=float(p[r].mean()), right=float(truth[r].mean()), n=len(r), rows=r) for r in held)


def kuiper(labels: Labels, probabilities: Values) -> Statistic:
    """Kuiper's statistic: the range of sums of outcome less probability, by rising probability, by rows; a loss.

    It has no bins; equal probabilities are one step. As in arXiv 2512.22245.

    Example:
        >>> kuiper([False, True, False, True], [0.2, 0.4, 0.6, 0.9]).value  # sums / 4: 0, -.05, .1, -.05, -.025
        0.15
    """
    truth, p, known = _checked(labels, probabilities)
    if not known.any():
        return undefined("no scored row with a label", n=0, size=len(p))
    ties, gap = Ties.of(np.where(known, p, 0.0)), np.where(known, truth - p, 0.0)

    def over(weights: Floats) -> Floats:
        sums = np.cumsum(np.pad(ties.sums(weights * gap), ((0, 0), (1, 0))), axis=1)
        return divide(np.ptp(sums, axis=1), weights @ known.astype(np.float64))

    value = float(over(np.ones((1, len(p))))[0])
    return Statistic(value=value, n=int(known.sum()), size=len(p), limits=SHARE, over=over)


def score_bias(human: Values, scores: Values) -> Statistic:
    """Mean of score less human score: above 0 the judge over-scores."""
    return mean(_gaps(human, scores), reason="no scored row with a human score")


def score_error(human: Values, scores: Values) -> Statistic:
    """Mean absolute distance between score and human score, on the scale of the scores; a loss."""
    return mean(np.abs(_gaps(human, scores)), reason="no scored row with a human score")


def _gaps(human: Values, scores: Values) -> Floats:
    require_same_length(human=human, scores=scores)
    return finite(scores) - finite(human)


def _checked(labels: Labels, probabilities: Values) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    require_same_length(labels=labels, probabilities=probabilities)
    truth, p = finite(labels), finite(probabilities)
    known = ~np.isnan(truth) & ~np.isnan(p)
    outside = p[known][(p[known] < 0) | (p[known] > 1)]
    if len(outside):
        raise InnerjudgeError(f"given the probability {outside[0]:g}, expected 0 to 1: calibrate the scores first")
    return truth, p, known


def _members(p: Floats, known: npt.NDArray[np.bool_], bins: int, by: Bins) -> Floats:
    """Which bin each known row is in, ``[n, bins]``."""
    if bins < 1 or by not in ("width", "mass"):
        raise InnerjudgeError(f'given bins={bins} and by={by!r}, expected at least 1 bin, by "width" or "mass"')
    edges = np.linspace(0, 1, bins + 1) if by == "width" else np.quantile(p[known], np.linspace(0, 1, bins + 1))
    place = np.clip(np.searchsorted(edges[1:-1], np.where(known, p, 0.0), side="left"), 0, bins - 1)
    member = np.zeros((len(p), bins))
    member[np.flatnonzero(known), place[known]] = 1.0
    return member


Method = Literal["temperature", "platt", "isotonic"]
_EDGE = 1e-6


class Calibration(ABC):
    """Fitted on scores and outcomes; then gives probabilities (or expected human scores) for other scores."""

    #: Whether outcomes of two kinds are needed to fit.
    two_classes = True

    def fit(self, scores: Values, labels: Labels | Values) -> Self:
        """Learn from scores and what was true; rows with ``None`` are left out."""
        require_same_length(scores=scores, labels=labels)
        x, y = finite(scores), finite(labels)
        known = ~np.isnan(x) & ~np.isnan(y)
        x, y = x[known], y[known]
        if len(x) < 2 or (self.two_classes and len(np.unique(y)) < 2):
            raise InnerjudgeError.of("stats.few-to-calibrate", len(x), len(np.unique(y)))
        self._learn(x, y)
        return self

    def predict(self, scores: Values) -> list[float | None]:
        """Calibrated scores; ``None`` stays ``None``."""
        x = finite(scores)
        known, found = ~np.isnan(x), np.full(len(x), np.nan)
        if known.any():
            found[known] = self._map(x[known])
        return [None if np.isnan(v) else float(v) for v in found]

    @abstractmethod
    def _learn(self, x: Floats, y: Floats) -> None: ...

    @abstractmethod
    def _map(self, x: Floats) -> Floats: ...


class Temperature(Calibration):
    """Probabilities sharpened or flattened: ``sigmoid(logit(p) / T)``, with the ``T`` of least log loss. Keeps ranks.

    For judges whose scores are probabilities already; 0 and 1 are moved in by 1e-6.

    Source:
        Guo et al. 2017, temperature scaling.
    """

    temperature_: float

    def _learn(self, x: Floats, y: Floats) -> None:
        z = _log_odds(x)

        def loss(log_t: float) -> float:
            return float(np.mean(np.logaddexp(0.0, z / np.exp(log_t)) - y * z / np.exp(log_t)))

        self.temperature_ = float(np.exp(minimize_scalar(loss, bounds=(-5.0, 7.0), method="bounded").x))

    def _map(self, x: Floats) -> Floats:
        return np.asarray(expit(_log_odds(x) / self.temperature_))


class Platt(Calibration):
    """Probabilities from any score by logistic regression on it (unpenalised but for 1e-3). Keeps ranks.

    Source:
        Platt 1999.
    """

    def _learn(self, x: Floats, y: Floats) -> None:
        self._centre, self._scale = float(x.mean()), float(x.std())
        if self._scale <= 1e-12 * np.abs(x).max():  # what rounding leaves of equal scores
            self._scale = 1.0
        self._model = LogisticRegression(C=1e3).fit(((x - self._centre) / self._scale)[:, None], y > 0.5)

    def _map(self, x: Floats) -> Floats:
        return np.asarray(self._model.predict_proba(((x - self._centre) / self._scale)[:, None])[:, 1])


class Isotonic(Calibration):
    """The rising step function of least squared error. Needs some hundred rows, and makes ties.

    Also for expected scores: with human scores as labels it maps a judge's score to the human mean seen there.

    Source:
        Zadrozny and Elkan 2002.
    """

    two_classes = False

    def _learn(self, x: Floats, y: Floats) -> None:
        self._model = IsotonicRegression(out_of_bounds="clip").fit(x, y)

    def _map(self, x: Floats) -> Floats:
        return np.asarray(self._model.predict(x))


METHODS: dict[Method, type[Calibration]] = {"temperature": Temperature, "platt": Platt, "isotonic": Isotonic}


def _log_odds(p: Floats) -> Floats:
    if p.min() < 0 or p.max() > 1:
        raise InnerjudgeError.of("stats.not-shares", p.min(), p.max())
    return np.asarray(logit(np.clip(p, _EDGE, 1 - _EDGE)))
