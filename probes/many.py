"""Many linear probes at once: one a layer and position, all on the same items, each with a penalty of its own.

The work is batched over probes: one singular value decomposition a probe and fold serves every penalty, since ridge and
logistic regression both have their solution among the rows of ``x``. A loop over scikit-learn gives the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from ..models.errors import InnerjudgeError
from .labels import Floats, correctness, ratings
from .regression import LOGISTIC_CANDIDATES, RIDGE_CANDIDATES, checked_candidates, folds

_STEPS = 60  # of Newton's method at most; about ten are needed
_CLOSE = 1e-9

Kind = Literal["logistic", "ridge"]
#: Standardised rows in coordinates of their own span ``[P, n, r]``, labels ``[n]``, a penalty -> ``[P, r]``, ``[P]``.
_Solver = Callable[[Floats, Floats, float], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyProbes:
    """``P`` fitted probes.

    Args:
        coef: ``[P, F]`` float64, on the vectors as they are (the standardisation is folded in).
        intercept: ``[P]``.
        penalty: ``[P]``, the chosen candidate: ``C`` (logistic) or ``alpha`` (ridge).
        held_out: ``[P, n]``, the score of every training item by a probe that was fitted without its question, at the
            chosen penalty; NaN where no fold gave one.
    """

    coef: Floats
    intercept: Floats
    penalty: Floats
    held_out: Floats

    def decision_function(self, x: npt.NDArray[np.floating]) -> Floats:
        """Scores ``[P, m]`` of vectors ``[P, m, F]``: log-odds of correct, or the predicted rating."""
        return np.asarray(np.einsum("pmf,pf->pm", x, self.coef, optimize=True) + self.intercept[:, None])


def fit_many(
    kind: Kind,
    x: npt.NDArray[np.floating],
    labels: npt.ArrayLike,
    groups: Sequence[str],
    *,
    candidates: Sequence[float] | None = None,
) -> ManyProbes:
    """Fit ``P`` probes on ``P`` views of the same ``n`` items.

    Each is what :class:`.LogisticProbe` or :class:`.RidgeProbe` would learn on its view. Vectors are standardised; the penalty is chosen by folds that never split a question, by log-loss or squared error.

    Args:
        kind: ``"logistic"`` (labels are booleans) or ``"ridge"`` (labels are ratings).
        x: ``[P, n, F]``, such as the states of every layer at one position: ``states.swapaxes(0, 1)``.
        labels: ``[n]``.
        groups: Question of each item, length ``n``.
        candidates: Penalties; default those of the two judges.

    Raises:
        InnerjudgeError: If the shapes do not fit, a vector is not finite, or the labels are all of one class.

    Example:
        >>> x = np.stack([[[0.0], [1.0], [2.0], [3.0]], [[1.0], [-1.0], [1.0], [-1.0]]])  # the second tells nothing
        >>> found = fit_many("ridge", x, [1.0, 2.0, 3.0, 4.0], list("abcd"), candidates=[1e-6])
        >>> found.decision_function(x).round(3)[0]
        array([1., 2., 3., 4.])
    """
    if kind not in ("logistic", "ridge"):
        raise InnerjudgeError(f"given the kind {kind!r}, expected 'logistic' or 'ridge'")
    if x.ndim != 3 or x.shape[1] != len(groups) or 0 in x.shape:
        raise InnerjudgeError(
            f"given vectors of shape {x.shape} and {len(groups)} questions, expected [probes, items, width]"
        )
    if not np.isfinite(x).all():
        raise InnerjudgeError("given vectors with infinite values or NaN, expected finite ones: leave those items out")
    logistic = kind == "logistic"
    known = np.asarray(labels)
    y = correctness(known).astype(np.float64) if logistic else ratings(known)
    if len(y) != x.shape[1]:
        raise InnerjudgeError(f"given {len(y)} labels for {x.shape[1]} items, expected one an item")
    tried = checked_candidates(candidates or (LOGISTIC_CANDIDATES if logistic else RIDGE_CANDIDATES))
    tried = tuple(sorted(tried, reverse=not logistic))  # the strongest penalty first: it wins a tie
    solve, loss = (_logistic, _log_loss) if logistic else (_ridge, _squared)
    n_probes, n = x.shape[:2]
    losses = np.zeros((n_probes, len(tried)))
    scores = np.full((len(tried), n_probes, n), np.nan)
    for train, test in folds(tuple(groups)):
        if logistic and len(np.unique(y[train])) < 2:
            continue
        span = _Span(x[:, train])
        for k, penalty in enumerate(tried):
            scores[k][:, test] = span.scores(*solve(span.rows, y[train], penalty), x[:, test])
            losses[:, k] += loss(y[test], scores[k][:, test])
    best = losses.argmin(axis=1)
    span = _Span(x)
    coef, intercept = np.empty((n_probes, x.shape[2])), np.empty(n_probes)
    for k in np.unique(best):
        here = best == k
        coef[here], intercept[here] = span.take(here).folded(*solve(span.rows[here], y, tried[k]))
    return ManyProbes(
        coef=coef,
        intercept=intercept,
        penalty=np.array(tried)[best],
        held_out=scores[best, np.arange(n_probes)],
    )


class _Span:
    """Standardised training vectors as ``rows @ basis``, rows in as few coordinates as they span."""

    def __init__(self, x: npt.NDArray[np.floating]) -> None:
        self.mean = x.mean(axis=1, dtype=np.float64)
        spread = x.std(axis=1, dtype=np.float64)
        # As scikit-learn's StandardScaler: a constant dimension, up to rounding, is not blown up.
        flat = spread <= 10 * np.finfo(np.float64).eps * np.abs(self.mean)
        self.scale = np.where(flat | (spread == 0), 1.0, spread)
        u, s, self.basis = np.linalg.svd((x - self.mean[:, None]) / self.scale[:, None], full_matrices=False)
        self.rows = u * s[:, None]

    def take(self, here: npt.NDArray[np.bool_]) -> _Span:
        part = object.__new__(_Span)
        part.mean, part.scale, part.basis, part.rows = (a[here] for a in (self.mean, self.scale, self.basis, self.rows))
        return part

    def folded(self, w: Floats, b: Floats) -> tuple[Floats, Floats]:
        """Coefficients on the vectors as they are, and intercepts."""
        coef = np.einsum("pr,prf->pf", w, self.basis, optimize=True) / self.scale
        return coef, b - (coef * self.mean).sum(axis=1)

    def scores(self, w: Floats, b: Floats, x: npt.NDArray[np.floating]) -> Floats:
        coef, intercept = self.folded(w, b)
        return np.asarray(np.einsum("pmf,pf->pm", x, coef, optimize=True) + intercept[:, None])


def _ridge(rows: Floats, y: Floats, alpha: float) -> tuple[Floats, Floats]:
    squares = (rows**2).sum(axis=1)  # the columns are orthogonal
    w = np.einsum("pnr,n->pr", rows, y - y.mean(), optimize=True) / (squares + alpha)
    return w, np.full(len(rows), y.mean())


def _logistic(rows: Floats, y: Floats, c: float) -> tuple[Floats, Floats]:
    """Newton's method on ``C * sum of log-losses + |w|^2 / 2`` with a free intercept; steps too long are halved."""
    z = np.concatenate([rows, np.ones((*rows.shape[:2], 1))], axis=2)
    ridge = np.append(np.ones(rows.shape[2]), 0.0)
    w = np.zeros((len(z), z.shape[2]))

    def value(at: Floats) -> Floats:
        return np.asarray(c * _log_loss(y, np.einsum("pnr,pr->pn", z, at, optimize=True)) + (ridge * at**2).sum(1) / 2)

    for _ in range(_STEPS):
        p = expit(np.einsum("pnr,pr->pn", z, w, optimize=True))
        slope = c * np.einsum("pnr,pn->pr", z, p - y, optimize=True) + ridge * w
        if np.abs(slope).max() <= _CLOSE * max(1.0, c * len(y)):
            break
        bend = c * np.swapaxes(z * (p * (1 - p))[..., None], 1, 2) @ z + np.diag(ridge)
        step = np.linalg.solve(bend, slope[..., None])[..., 0]
        size, before, gain = np.ones(len(z)), value(w), (slope * step).sum(axis=1)
        for _ in range(30):
            worse = value(w - size[:, None] * step) > before - 1e-4 * size * gain + 1e-12 * np.abs(before)
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        w = w - size[:, None] * step
    return w[:, :-1], w[:, -1]


def _log_loss(y: Floats, score: Floats) -> Floats:
    """Sum over items of the log-loss of log-odds, ``[P]``."""
    return np.asarray((np.logaddexp(0.0, score) - y * score).sum(axis=1))


def _squared(y: Floats, score: Floats) -> Floats:
    return np.asarray(((score - y) ** 2).sum(axis=1))
