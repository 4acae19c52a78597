"""Penalised regressions whose penalty is chosen by folds that never split a question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..models.errors import InnerjudgeError
from .labels import Bools, Floats, Ints

#: Inverse penalties tried by default.
LOGISTIC_CANDIDATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
#: Penalties tried by default.
RIDGE_CANDIDATES = (1.0, 10.0, 100.0, 1e3, 1e4)
_FOLDS = 5


def fit_logistic(
    x: Floats, right: Bools, groups: tuple[str, ...], candidates: tuple[float, ...]
) -> tuple[Floats, float, float]:
    """Coefficients ``[F]``, intercept and the chosen ``C`` of a logistic regression on standardised ``x [n, F]``.

    Example:
        >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> coef, intercept, c = fit_logistic(x, x[:, 0] > 1, tuple("aabb"), (1.0,))
        >>> bool(coef[0] > 0), c
        (True, 1.0)
    """
    losses = np.zeros(len(candidates))
    for train, test in folds(groups):
        if right[train].all() or not right[train].any():
            continue
        for k, c in enumerate(candidates):
            p = _logistic(c).fit(x[train], right[train]).predict_proba(x[test])[:, 1]
            losses[k] += log_loss(right[test], p, labels=[False, True]) * len(test)
    best = min(c for c, loss in zip(candidates, losses, strict=True) if loss == losses.min())
    return *_unscaled(_logistic(best).fit(x, right)), best


def fit_ridge(
    x: Floats, y: Floats, groups: tuple[str, ...], candidates: tuple[float, ...]
) -> tuple[Floats, float, float]:
    """Coefficients ``[F]``, intercept and the chosen ``alpha`` of a ridge regression on standardised ``x [n, F]``.

    Example:
        >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> coef, intercept, alpha = fit_ridge(x, 2 * x[:, 0] + 1, tuple("aabb"), (1e-9,))
        >>> round(float(coef[0]), 6), round(intercept, 6)
        (2.0, 1.0)
    """
    losses = np.zeros(len(candidates))
    for train, test in folds(groups):
        for k, alpha in enumerate(candidates):
            losses[k] += ((_ridge(alpha).fit(x[train], y[train]).predict(x[test]) - y[test]) ** 2).sum()
    best = max(a for a, loss in zip(candidates, losses, strict=True) if loss == losses.min())
    return *_unscaled(_ridge(best).fit(x, y)), best


def checked_candidates(candidates: Sequence[float]) -> tuple[float, ...]:
    """Penalties as floats; at least one, all positive.

    Example:
        >>> checked_candidates([1, 10])
        (1.0, 10.0)
    """
    plain = tuple(float(c) for c in candidates)
    if not plain or not all(0 < c < float("inf") for c in plain):
        raise InnerjudgeError(f"given candidates={plain}, expected at least one positive number")
    return plain


def folds(groups: tuple[str, ...]) -> Iterator[tuple[Ints, Ints]]:
    """Items to fit on and items to test on, five times or once a question; none with fewer than two questions.

    Example:
        >>> [test.tolist() for _, test in folds(("a", "a", "b"))]
        [[0, 1], [2]]
    """
    _, code = np.unique(np.array(groups), return_inverse=True)
    n = min(_FOLDS, int(code.max()) + 1)
    if n >= 2:
        yield from GroupKFold(n_splits=n).split(code[:, None], groups=code)


def _logistic(c: float) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))


def _ridge(alpha: float) -> Any:
    return make_pipeline(StandardScaler(), Ridge(alpha=alpha))


def _unscaled(pipeline: Any) -> tuple[npt.NDArray[np.float64], float]:
    """Coefficients on ``x`` as it is: the scaling folded into them."""
    scaler, model = pipeline[0], pipeline[1]
    coef = np.ravel(model.coef_) / scaler.scale_
    return coef, float(np.ravel(model.intercept_)[0] - coef @ scaler.mean_)
