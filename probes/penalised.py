"""What the probes with a chosen penalty share."""

import numpy.typing as npt

from ..extraction.features import Features
from .labels import Floats
from .linear import Linear
from .regression import Regression


class PenalisedProbe(Linear):
    """A linear probe of :mod:`.regression`: on standardised states, with a penalty that the folds chose.

    Example:
        >>> import numpy as np
        >>> from innerjudge import Features, RidgeProbe
        >>> f = Features.from_arrays({"hidden/score": np.arange(4.0)[:, None, None]}, provenance="m")
        >>> RidgeProbe(candidates=[1e-6]).fit_held_out(f, [0, 1, 2, 3]).round(3).tolist()  # each from the others
        [0.0, 1.0, 2.0, 3.0]
    """

    _penalty: float | None = None
    _held_out: Floats

    @property
    def standardises(self) -> bool:
        """Every penalised probe does."""
        return True

    @property
    def penalty(self) -> float | None:
        """The chosen candidate; ``None`` for a probe that was loaded, whose own attribute has it."""
        return self._penalty

    def fit_held_out(self, features: Features, labels: npt.ArrayLike) -> Floats:
        """As that of every judge; the folds that chose the penalty have the scores, at the chosen one."""
        self.fit(features, labels)
        return self._held_out

    def _take(self, found: Regression) -> None:
        self.coef_, self.intercept_ = found.coef, found.intercept
        self._penalty, self._held_out = found.penalty, found.held_out
