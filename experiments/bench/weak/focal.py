"""The loss of PLT-MLC's release on rare aspects with gaps, as an opponent: nothing of it is in the package."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from .worlds import Bools, Floats

#: Exponent of negatives before the aspect's weight; what is clipped off their probability; the weight's own exponent.
GAMMA, CLIP, ROOT = 3.0, 0.05, 1 / 3
#: Penalty of the coefficients of standardised states.
PENALTY = 10.0


def weights(counts: Floats) -> Floats:
    """Weight of each aspect by its positives: 1 of the most frequent, 1.4892 at a tenth, 1.7764 at a hundredth."""
    return np.asarray((1 - np.log(counts / counts.max())) ** ROOT)


def focal_probabilities(x: Floats, y: Bools, new: Floats) -> Floats:
    """Probabilities ``[m, A]`` of new states by linear probes fitted on ``x [n, F]`` and labels ``[n, A]``."""
    middle, scale = x.mean(axis=0), x.std(axis=0)
    z, others = (np.column_stack([(one - middle) / scale, np.ones(len(one))]) for one in (x, new))
    found = [_fitted(z, own, weight) for own, weight in zip(y.T, weights(y.sum(axis=0).astype(float)), strict=True)]
    return expit(others @ np.stack(found, axis=1))


def _fitted(z: Floats, y: Bools, weight: float) -> Floats:
    start = np.zeros(z.shape[1])
    return np.asarray(minimize(focal_loss, start, args=(z, y, weight), jac=True, method="L-BFGS-B").x)


def focal_loss(w: Floats, z: Floats, y: Bools, weight: float) -> tuple[float, Floats]:
    """Loss and gradient: ``-log p`` of positives, ``-(p - clip)^power log(1 - p + clip)`` of others, and a penalty.

    The last coefficient is the intercept, which has none.
    """
    p, power = np.clip(expit(z @ w), 1e-9, 1 - 1e-9), GAMMA + weight
    low = np.maximum(p - CLIP, 0.0)
    loss = np.where(y, -np.log(p), -(low**power) * np.log1p(-low))
    slope = low**power / (1 - low) - power * low ** (power - 1) * np.log1p(-low)
    pull = np.where(y, p - 1, p * (1 - p) * slope)
    plain = np.append(w[:-1], 0.0)
    return float(weight * loss.sum() + PENALTY * (plain @ plain) / 2), weight * pull @ z + PENALTY * plain
