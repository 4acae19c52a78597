"""Solutions of many penalised regressions at once: every probe, fold and penalty in one batch.

The vectors are copied once, standardised over all items. The standardisation of a fold is a shift and a scaling of the
coefficients on top of that, so that all folds and penalties of a probe share each product with its vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from .labels import Floats, Ints

_MOST_STEPS = 1000  # of L-BFGS; some tens are needed
_KEPT = 6  # of its latest steps that stand for the curvature
_CLOSE = 1e-6  # largest slope at the end, as a share of what all items could pull; scikit-learn stops at 1e-4
Paths = list[tuple[Floats, Floats]]


class Fold:
    """Training rows, and the mean and deviation ``[P, F]`` of their vectors; a constant dimension is divided by 1.

    Example:
        >>> fold = Fold(np.array([[[1.0, 5.0], [3.0, 5.0], [9.0, 9.0]]]), np.array([0, 1]))  # [P, n, F]
        >>> fold.mean.tolist(), fold.scale.tolist()
        ([[2.0, 5.0]], [[1.0, 1.0]])
    """

    def __init__(self, x: npt.NDArray[np.floating], train: Ints) -> None:
        self.train = train
        self.mean = x[:, train].mean(axis=1, dtype=np.float64)
        spread = x[:, train].std(axis=1, dtype=np.float64)
        # As scikit-learn's StandardScaler: what rounding leaves of a constant is not blown up.
        flat = spread <= 10 * np.finfo(np.float64).eps * np.abs(self.mean)
        self.scale = np.where(flat, 1.0, spread)

    def folded(self, w: Floats, b: Floats) -> tuple[Floats, Floats]:
        """Coefficients ``[P, C, F]`` and intercepts ``[P, C]`` on the vectors as they are."""
        coef = w / self.scale[:, None]
        return coef, b - (coef * self.mean[:, None]).sum(axis=-1)


def ridge_paths(x: npt.NDArray[np.floating], y: Floats, fits: Sequence[Fold], alphas: Sequence[float]) -> Paths:
    """Ridge regressions in closed form, in the smaller of the two spaces: of dimensions or of items."""
    paths = []
    for fold in fits:
        rows = (x[:, fold.train] - fold.mean[:, None]) / fold.scale[:, None]
        middle = y[fold.train].mean()
        target = (y[fold.train] - middle)[:, None]
        turned = np.swapaxes(rows, 1, 2)
        wide = rows.shape[2] > rows.shape[1]
        gram = rows @ turned if wide else turned @ rows
        found = []
        for alpha in alphas:
            penalised = gram + alpha * np.eye(gram.shape[1])
            found.append(
                turned @ np.linalg.solve(penalised, target) if wide else np.linalg.solve(penalised, turned @ target)
            )
        w = np.concatenate(found, axis=2).swapaxes(1, 2)
        paths.append(fold.folded(w, np.full(w.shape[:2], middle)))
    return paths


def logistic_paths(x: npt.NDArray[np.floating], y: Floats, fits: Sequence[Fold], cs: Sequence[float]) -> Paths:
    """Logistic regressions, ``C * sum of log-losses + |w|^2 / 2`` with a free intercept, all by one run of L-BFGS."""
    whole = Fold(x, np.arange(x.shape[1]))
    rows = (x - whole.mean[:, None]) / whole.scale[:, None]
    # Columns: the penalties of the first fold, of the second, ...
    weight = np.zeros((x.shape[1], len(fits) * len(cs)))
    for k, fold in enumerate(fits):
        weight[fold.train, k * len(cs) : (k + 1) * len(cs)] = cs
    problem = _Logistic(
        rows=rows,
        turned=np.ascontiguousarray(np.swapaxes(rows, 1, 2)),
        y=y[:, None],
        weight=weight,
        shift=np.repeat(np.stack([(f.mean - whole.mean) / whole.scale for f in fits], axis=2), len(cs), axis=2),
        scale=np.repeat(np.stack([f.scale / whole.scale for f in fits], axis=2), len(cs), axis=2),
    )
    v = _minimise(problem, np.zeros((len(x), x.shape[2] + 1, weight.shape[1])))
    paths = []
    for k, fold in enumerate(fits):
        part = v[:, :, k * len(cs) : (k + 1) * len(cs)].swapaxes(1, 2)
        paths.append(fold.folded(part[..., :-1], part[..., -1]))
    return paths


@dataclass(frozen=True, slots=True)
class _Logistic:
    """``K`` problems a probe, in ``[P, F + 1, K]``: coefficients of standardised vectors, and the intercept."""

    rows: Floats
    turned: Floats
    y: Floats
    weight: Floats
    shift: Floats
    scale: Floats

    def take(self, columns: npt.NDArray[np.bool_]) -> _Logistic:
        narrow = {
            "weight": self.weight[:, columns],
            "shift": self.shift[..., columns],
            "scale": self.scale[..., columns],
        }
        return replace(self, **narrow)

    def margins(self, v: Floats) -> Floats:
        w = v[:, :-1] / self.scale
        return np.asarray(self.rows @ w + (v[:, -1:] - (self.shift * w).sum(axis=1, keepdims=True)))

    def slope(self, v: Floats, z: Floats) -> Floats:
        pull = self.weight * (expit(z) - self.y)
        total = pull.sum(axis=1, keepdims=True)
        return np.concatenate([(self.turned @ pull - self.shift * total) / self.scale + v[:, :-1], total], axis=1)

    def value(self, v: Floats, z: Floats) -> Floats:
        loss = self.weight * (np.logaddexp(0.0, z) - self.y * z)
        return np.asarray(loss.sum(axis=1) + (v[:, :-1] ** 2).sum(axis=1) / 2)

    @property
    def enough(self) -> Floats:
        return np.asarray(_CLOSE * np.maximum(1.0, self.weight.sum(axis=0)))


def _minimise(problem: _Logistic, start: Floats) -> Floats:
    found, left = start.copy(), np.arange(start.shape[2])
    v, z = start, problem.margins(start)
    here, g = problem.value(v, z), problem.slope(v, z)
    history: list[tuple[Floats, Floats, Floats]] = []
    for turn in range(_MOST_STEPS):
        going = np.abs(g).max(axis=1) > problem.enough  # [P, K]
        if not going.any():
            break
        if turn % 5 == 4 and not (busy := going.any(axis=0)).all():  # strong penalties are done soon
            found[:, :, left[~busy]], left = v[..., ~busy], left[busy]
            problem = problem.take(busy)
            v, z, g, here, going = v[..., busy], z[..., busy], g[..., busy], here[:, busy], going[:, busy]
            history = [(s[..., busy], t[..., busy], rho[:, busy]) for s, t, rho in history]
        step = -_two_loops(g, history) * going[:, None]
        fall = (step * g).sum(axis=1)
        along = problem.margins(step)
        size = np.ones(fall.shape) if history else np.minimum(1.0, 1.0 / np.abs(g).sum(axis=1))
        for _ in range(40):  # the products are linear in the step: trying a shorter one costs no pass
            moved = size[:, None] * step
            then = problem.value(v + moved, z + size[:, None] * along)
            short = (then <= here + 1e-4 * size * fall + 1e-13 * np.abs(here)) | ~going
            if short.all():
                break
            size = np.where(short, size, size / 2)
        v, z, here = v + moved, z + size[:, None] * along, then
        new = problem.slope(v, z)
        bend = (moved * (new - g)).sum(axis=1)
        rho = np.divide(1.0, bend, out=np.zeros_like(bend), where=bend > 0)
        history = [*history[1 - _KEPT :], (moved, new - g, rho)]
        g = new
    found[:, :, left] = v
    return found


def _two_loops(g: Floats, history: list[tuple[Floats, Floats, Floats]]) -> Floats:
    """The slope ``[P, F + 1, K]`` times what the latest steps tell of the inverse curvature (Nocedal's two loops)."""
    q, shares = g.copy(), []
    for s, y, rho in reversed(history):
        share = rho * (s * q).sum(axis=1)
        shares.append(share)
        q -= share[:, None] * y
    if history:
        _, y, rho = history[-1]
        scale = rho * (y**2).sum(axis=1)
        q *= np.divide(1.0, scale, out=np.ones_like(scale), where=scale > 0)[:, None]
    for (s, y, rho), share in zip(history, reversed(shares), strict=True):
        q += (share - rho * (y * q).sum(axis=1))[:, None] * s
    return q


def log_losses(y: Floats, score: Floats) -> Floats:
    """Sum over items of the log-loss of log-odds ``[..., n]``."""
    return np.asarray((np.logaddexp(0.0, score) - y * score).sum(axis=-1))


def squared_losses(y: Floats, score: Floats) -> Floats:
    """Sum over items of the squared error of scores ``[..., n]``."""
    return np.asarray(((score - y) ** 2).sum(axis=-1))
