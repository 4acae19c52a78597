"""Penalised scikit-learn regressions, with the penalty chosen by folds that never split a question."""

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from einops import einsum, repeat
from joblib import Parallel, delayed
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from ..models.arguments import Bound, checked
from ..models.errors import InnerjudgeError
from .labels import Bools, Floats, Ints, folds, hard_rows, has_both, ratings, soft_correctness
from .scaling import NO_SPREAD, steady

Target = Literal["correct", "rating"]
_POSITIVE = Bound("positive numbers, at least one", lambda some: len(some) > 0 and all(0 < c < np.inf for c in some))
#: Penalties to choose from.
Candidates = Annotated[Sequence[float], _POSITIVE]
#: Inverse penalties tried by default.
LOGISTIC_CANDIDATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
#: Penalties tried by default.
RIDGE_CANDIDATES = (1.0, 10.0, 100.0, 1e3, 1e4)
#: Inverse penalties tried by default on rows of length 1, such as TF-IDF.
TEXT_CANDIDATES = (0.1, 1.0, 10.0, 100.0)
_FEW = 100  # unknowns up to which Newton's steps are quicker

_Few = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Regression:
    """A fitted regression: ``coef [F]`` float64, on the vectors as they are, and the chosen ``penalty``.

    ``held_out`` (``[n]``) are scores of the training items by regressions at that penalty that were fitted without
    their question; NaN where no fold gave one.
    """

    coef: Floats
    intercept: float
    penalty: float
    held_out: Floats


def fit_logistic(
    x: Floats, p: Bools | Floats, groups: tuple[str, ...], candidates: _Few, weight: Floats | None = None
) -> Regression:
    """Logistic regression (scikit-learn) on standardised ``x [n, F]``; ``C`` is chosen by held-out log-loss.

    ``p`` are booleans or numbers from 0 to 1.
    """
    sides = [(a, b) for a, b in folds(groups) if has_both(p[a], None if weight is None else weight[a])]
    return _chosen(_logistic_path, _log_losses, x, p, sides, tuple(sorted(candidates)), weight)


def fit_ridge(
    x: Floats, y: Floats, groups: tuple[str, ...], candidates: _Few, weight: Floats | None = None
) -> Regression:
    """Ridge regression (scikit-learn) on standardised ``x [n, F]``; ``alpha`` is chosen by held-out squared error."""
    if weight is not None and not weight.any():
        raise InnerjudgeError(f"given {len(y)} items to fit on that all have sample_weight 0, expected some above it")
    sides = [(a, b) for a, b in folds(groups) if weight is None or weight[a].any()]
    return _chosen(_ridge_path, _squared_errors, x, y, sides, tuple(sorted(candidates, reverse=True)), weight)


def fit_sparse(target: Target, x: Any, y: Any, groups: tuple[str, ...], candidates: tuple[float, ...]) -> Regression:
    """Regression on sparse rows ``x [n, F]``, as they are; ``candidates`` are inverse penalties, even for ridge."""
    rating = target == "rating"

    def path(some: Any, known: npt.NDArray[Any], cs: _Few, _weight: Floats | None) -> tuple[Floats, Floats]:
        models = [
            Ridge(alpha=1 / c, solver="sparse_cg", tol=1e-8) if rating else LogisticRegression(C=c, max_iter=1000)
            for c in cs
        ]
        of, y, share = (slice(None), known, None) if rating else hard_rows(known, None)
        fitted = [model.fit(some[of], y, share) for model in models]
        return np.stack([np.ravel(m.coef_) for m in fitted]), np.array([m.intercept_ for m in fitted]).reshape(-1)

    sides = [(train, test) for train, test in folds(groups) if rating or has_both(y[train])]
    return _chosen(path, _squared_errors if rating else _log_losses, x, y, sides, tuple(sorted(candidates)))


#: What is predicted -> how labels become targets, the regression, and the penalties tried by default.
REGRESSIONS: dict[Target, tuple[Callable[[npt.NDArray[Any]], Any], Callable[..., Regression], _Few]] = {
    "correct": (soft_correctness, fit_logistic, LOGISTIC_CANDIDATES),
    "rating": (ratings, fit_ridge, RIDGE_CANDIDATES),
}


def _chosen(
    path: Callable[[Floats, npt.NDArray[Any], _Few, Floats | None], tuple[Floats, Floats]],
    losses_of: Callable[[npt.NDArray[Any], Floats], Floats],
    x: Floats,
    y: npt.NDArray[Any],
    sides: Sequence[tuple[Ints, Ints]],
    penalties: _Few,
    weight: Floats | None = None,
) -> Regression:
    """The regression of the lowest held-out loss; ``penalties`` begin with the strongest, which wins a tie."""
    losses, held_out = np.zeros(len(penalties)), np.full((len(penalties), len(y)), np.nan)
    for train, test in sides:
        coef, intercept = path(x[train], y[train], penalties, None if weight is None else weight[train])
        held_out[:, test] = coef @ x[test].T + intercept[:, None]
        losses_here = losses_of(y[test], held_out[:, test])
        losses += losses_here.sum(axis=1) if weight is None else losses_here @ weight[test]
    best = int(losses.argmin())
    coef, intercept = path(x, y, penalties[best : best + 1], weight)
    return Regression(coef[0], float(intercept[0]), penalties[best], held_out[best])


def _logistic_path(x: Floats, p: npt.NDArray[Any], cs: _Few, weight: Floats | None = None) -> tuple[Floats, Floats]:
    """Coefficients ``[C, F]`` on ``x`` as it is, and intercepts ``[C]``, of each ``C``.

    A penalised solution lies in the span of the rows. With more dimensions than items, as hidden states have, the rows
    are turned into that span first: the same problem in ``n`` unknowns, at 4,096 dimensions in half the time. Steps end
    at 1e-8: at scikit-learn's 1e-4 log-odds were off by up to 0.4.
    """
    with np.errstate(invalid="ignore"):  # a weighted variance of 0 may come out as -1e-47, and is taken as 0
        scaler = steady(StandardScaler().fit(x, sample_weight=weight))
    z, turn = scaler.transform(x), None
    if z.shape[1] > z.shape[0] and z.any():
        squares, axes = np.linalg.eigh(z @ z.T)
        kept = squares > NO_SPREAD * squares[-1]
        turn = axes[:, kept] / np.sqrt(squares[kept])  # z.T @ turn is an orthonormal basis of the span
        rows = axes[:, kept] * np.sqrt(squares[kept])
    else:
        rows = z
    of, right, share = hard_rows(p, weight)
    w = _newton(rows[of], right, share, cs) if rows.shape[1] <= _FEW else None
    if w is None:
        with warnings.catch_warnings():
            # Said where no step lowers the loss any more, before 1e-8 is reached: the end of float64, and the solution.
            warnings.filterwarnings("ignore", message=r"(?s).*ABNORMAL", category=ConvergenceWarning)
            fitted = [LogisticRegression(C=c, max_iter=10_000, tol=1e-8).fit(rows[of], right, share) for c in cs]
        w = np.stack([np.append(model.coef_, model.intercept_) for model in fitted])
    coef, intercept = w[:, :-1], w[:, -1]
    return unscaled(coef if turn is None else coef @ turn.T @ z, intercept, scaler)


def _newton(x: Floats, right: Bools, share: Floats | None, cs: _Few) -> Floats | None:
    """Coefficients and intercept ``[C, F + 1]`` of each ``C``, all at once, in a tenth of scikit-learn's time.

    ``None`` where the steps do not end, as without much of a penalty.
    """
    x, s = np.column_stack([x, np.ones(len(x))]), np.ones(len(x)) if share is None else share
    pull = np.append(np.ones(x.shape[1] - 1), 0.0) / np.array(cs)[:, None]
    w: Floats = np.zeros_like(pull)
    with suppress(np.linalg.LinAlgError):
        for _ in range(30):
            p = expit(w @ x.T)
            slope = s * (p - right) @ x + pull * w
            if np.abs(slope).max() <= 1e-9 * s.sum():
                return w
            curve = (s * p * (1 - p))[:, None] * x.T @ x + pull[:, None] * np.eye(x.shape[1])
            w = w - np.linalg.solve(curve, slope[..., None])[..., 0]
    return None


def _ridge_path(x: Floats, y: Floats, alphas: _Few, weight: Floats | None = None) -> tuple[Floats, Floats]:
    """As :func:`_logistic_path`; scikit-learn takes the products of ``x`` once, with one target a penalty."""
    scaler = steady(StandardScaler().fit(x, sample_weight=weight))
    targets = repeat(y, "n -> n alphas", alphas=len(alphas))
    fitted = Ridge(alpha=np.array(alphas)).fit(scaler.transform(x), targets, sample_weight=weight)
    return unscaled(np.atleast_2d(fitted.coef_), np.atleast_1d(fitted.intercept_), scaler)


def unscaled(w: Floats, b: Floats, scaler: Any) -> tuple[Floats, Floats]:
    """Coefficients and intercepts on vectors as they are: the scaling folded into them."""
    coef = w / scaler.scale_
    return coef, b - coef @ scaler.mean_


def _log_losses(right: npt.NDArray[Any], scores: Floats) -> Floats:
    """Log-losses of log-odds ``[C, n]``."""
    return np.asarray(np.logaddexp(0.0, scores) - right * scores)


def _squared_errors(y: npt.NDArray[Any], scores: Floats) -> Floats:
    return np.asarray((scores - y) ** 2)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ManyProbes:
    """``P`` fitted probes, with the fields of :class:`Regression`: ``coef [P, F]``, ``held_out [P, n]``."""

    coef: Floats
    intercept: Floats
    penalty: Floats
    held_out: Floats

    def __repr__(self) -> str:
        probes, width = self.coef.shape
        return f"ManyProbes({probes} probes of vectors of {width} numbers, fitted on {self.held_out.shape[1]} items)"

    def decision_function(self, x: npt.NDArray[np.floating]) -> Floats:
        """Scores ``[P, m]`` of vectors ``[P, m, F]``: log-odds of correct, or the predicted rating."""
        products: Floats = einsum(x.astype(np.float64), self.coef, "probe item dim, probe dim -> probe item")
        return products + self.intercept[:, None]


@checked
def fit_many(
    kind: Literal["logistic", "ridge"],
    x: npt.NDArray[np.floating],
    labels: npt.ArrayLike,
    groups: Sequence[str],
    *,
    candidates: Candidates | None = None,
    n_jobs: int | None = None,
) -> ManyProbes:
    """Fit ``P`` probes on ``P`` views of the same ``n`` items.

    Each is what :class:`.LogisticProbe` or :class:`.RidgeProbe` learns on its view. Vectors are standardised; the
    penalty is chosen by folds that never split a question, by log-loss or squared error. ``InnerjudgeError`` if the
    shapes do not fit, a vector is not finite, or the labels are all of one class.

    Args:
        kind: ``"logistic"`` (boolean labels) or ``"ridge"`` (ratings).
        x: ``[P, n, F]``, such as the states of every layer at one position: ``states.swapaxes(0, 1)``.
        labels: ``[n]``.
        groups: Question of each item, ``[n]``.
        candidates: Penalties; by default those of the two judges.
        n_jobs: Processes, as in scikit-learn: ``None`` is one, or what ``joblib.parallel_config`` says; -1 all cores.

    Example:
        >>> x = np.stack([[[0.0], [1.0], [2.0], [3.0]], [[1.0], [-1.0], [1.0], [-1.0]]])  # the second tells nothing
        >>> found = fit_many("ridge", x, [1.0, 2.0, 3.0, 4.0], list("abcd"), candidates=[1e-6])
        >>> found.decision_function(x).round(3)[0]
        array([1., 2., 3., 4.])
    """
    if kind not in ("logistic", "ridge"):
        raise InnerjudgeError(f"given the kind {kind!r}, expected 'logistic' or 'ridge'")
    if x.ndim != 3 or x.shape[1] != len(groups) or 0 in x.shape:
        raise InnerjudgeError.of("probes.vectors", x.shape, len(groups))
    if not np.isfinite(x).all():
        raise InnerjudgeError("given vectors with infinite values or NaN, expected finite ones: leave those items out")
    known = np.asarray(labels)
    if len(known) != x.shape[1]:
        raise InnerjudgeError(f"given {len(known)} labels for {x.shape[1]} items, expected one an item")
    target, fit, usual = REGRESSIONS["correct" if kind == "logistic" else "rating"]
    y = target(known)
    tried = tuple(map(float, usual if candidates is None else candidates))
    probes = Parallel(n_jobs=n_jobs)(delayed(fit)(own.astype(np.float64), y, tuple(groups), tried) for own in x)
    found = {one.name: np.array([getattr(probe, one.name) for probe in probes]) for one in fields(ManyProbes)}
    return ManyProbes(**found)
