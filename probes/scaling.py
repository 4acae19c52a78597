"""What vectors are divided by, so that what rounding leaves of a constant is not blown up into a number that tells."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
#: Share of the size of numbers, squared, up to which their squared spread is rounding error: states are float32.
NO_SPREAD = 1e-12


def told_apart(spread: npt.ArrayLike, size: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether numbers of this ``size`` (absolute) have more ``spread`` than rounding leaves, elementwise."""
    return np.asarray(np.greater(spread, np.sqrt(NO_SPREAD) * np.asarray(size)))


def divisors(spread: npt.ArrayLike, size: npt.ArrayLike) -> Floats:
    """The ``spread`` of numbers of this ``size`` (absolute), elementwise; 1 where it is rounding error.

    Example:
        >>> divisors([2.0, 1e-4, 0.0], [5.0, 1000.0, 0.0])
        array([2., 1., 1.])
    """
    return np.where(told_apart(spread, size), spread, 1.0)


def steady(scaler: Any) -> Any:
    """A fitted ``StandardScaler``, with such divisors: its own takes for constant what float64 cannot tell apart."""
    scaler.scale_ = divisors(scaler.scale_, np.abs(scaler.mean_))
    return scaler
