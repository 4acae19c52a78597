"""Scores put on the scale of outcomes, fitted on a split of its own and used on another."""

from typing import Literal, Protocol, Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from ....models.errors import InnerjudgeError
from ..statistic import Floats, Labels, Values, finite, require_same_length

Method = Literal["temperature", "platt", "isotonic"]
_EDGE = 1e-6


class Calibration(Protocol):
    """Fitted on scores and outcomes; then gives probabilities (or expected human scores) for other scores."""

    def fit(self, scores: Values, labels: Labels | Values) -> Self:
        """Learn from scores and what was true; rows with ``None`` are left out."""
        ...

    def predict(self, scores: Values) -> list[float | None]:
        """Calibrated scores; ``None`` stays ``None``."""
        ...


class Temperature:
    """Probabilities sharpened or flattened: ``sigmoid(logit(p) / T)``, with the ``T`` of least log loss. Keeps ranks.

    For judges whose scores are probabilities already; 0 and 1 are moved in by 1e-6.

    Source:
        Guo et al. 2017, temperature scaling.

    Example:
        >>> t = Temperature().fit([0.99, 0.99, 0.01, 0.01], [True, False, False, True])
        >>> round(t.predict([0.99])[0], 2)  # half of its sure verdicts were wrong
        0.5
    """

    temperature_: float

    def fit(self, scores: Values, labels: Labels | Values) -> Self:
        """Find the temperature; see :class:`Calibration`."""
        p, y = _training(scores, labels)
        _require_unit(p)
        z = logit(np.clip(p, _EDGE, 1 - _EDGE))

        def loss(log_t: float) -> float:
            return float(np.mean(np.logaddexp(0.0, z / np.exp(log_t)) - y * z / np.exp(log_t)))

        self.temperature_ = float(np.exp(minimize_scalar(loss, bounds=(-5.0, 7.0), method="bounded").x))
        return self

    def predict(self, scores: Values) -> list[float | None]:
        """Probabilities; see :class:`Calibration`."""
        p = finite(scores)
        _require_unit(p[~np.isnan(p)])
        return _listed(expit(logit(np.clip(p, _EDGE, 1 - _EDGE)) / self.temperature_))


class Platt:
    """Probabilities from any score by logistic regression on it (unpenalised but for 1e-3). Keeps ranks.

    Source:
        Platt 1999.

    Example:
        >>> p = Platt().fit([-2.0, -1.0, 1.0, 2.0], [False, True, False, True]).predict([-2.0, 2.0])
        >>> p[0] < 0.5 < p[1]
        True
    """

    def fit(self, scores: Values, labels: Labels | Values) -> Self:
        """Fit slope and intercept; see :class:`Calibration`."""
        x, y = _training(scores, labels)
        self._centre, self._scale = float(x.mean()), float(x.std()) or 1.0
        self._model = LogisticRegression(C=1e3).fit(((x - self._centre) / self._scale)[:, None], y > 0.5)
        return self

    def predict(self, scores: Values) -> list[float | None]:
        """Probabilities; see :class:`Calibration`."""
        x = (finite(scores) - self._centre) / self._scale
        p = self._model.predict_proba(np.where(np.isnan(x), 0.0, x)[:, None])[:, 1]
        return _listed(np.where(np.isnan(x), np.nan, p))


class Isotonic:
    """The rising step function of least squared error. Needs some hundred rows, and makes ties.

    Also for expected scores: with human scores as labels it maps a judge's score to the human mean seen there.

    Source:
        Zadrozny and Elkan 2002.

    Example:
        >>> Isotonic().fit([1.0, 2.0, 3.0], [2.0, 4.0, 3.0]).predict([0.0, 2.0, None])
        [2.0, 3.5, None]
    """

    def fit(self, scores: Values, labels: Labels | Values) -> Self:
        """Fit the steps; see :class:`Calibration`."""
        x, y = _training(scores, labels, two_classes=False)
        self._model = IsotonicRegression(out_of_bounds="clip").fit(x, y)
        return self

    def predict(self, scores: Values) -> list[float | None]:
        """Values of the steps; see :class:`Calibration`."""
        x = finite(scores)
        y = self._model.predict(np.where(np.isnan(x), 0.0, x))
        return _listed(np.where(np.isnan(x), np.nan, y))


METHODS: dict[Method, type[Temperature] | type[Platt] | type[Isotonic]] = {
    "temperature": Temperature,
    "platt": Platt,
    "isotonic": Isotonic,
}


def _training(scores: Values, labels: Labels | Values, *, two_classes: bool = True) -> tuple[Floats, Floats]:
    require_same_length(scores=scores, labels=labels)
    x, y = finite(scores), finite(labels)
    known = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[known], y[known]
    if len(x) < 2 or (two_classes and len(np.unique(y)) < 2):
        raise InnerjudgeError(
            f"given {len(x)} scored rows with {len(np.unique(y))} different labels to calibrate on, expected two of "
            "each: give a larger calibration split"
        )
    return x, y


def _require_unit(p: Floats) -> None:
    if len(p) and (p.min() < 0 or p.max() > 1):
        raise InnerjudgeError(
            f"given scores from {p.min():g} to {p.max():g}, expected probabilities for temperature scaling: "
            'use "platt" or "isotonic"'
        )


def _listed(values: Floats) -> list[float | None]:
    return [None if np.isnan(v) else float(v) for v in values]
