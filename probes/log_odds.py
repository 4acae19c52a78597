"""Probabilities of judges whose score is the log-odds of right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit
from sklearn.utils.metaestimators import available_if

from .labels import Floats

if TYPE_CHECKING:
    from ..extraction.features import Features
    from .estimator import Estimator


class LogOdds:
    """Adds ``predict_proba``, as scikit-learn's own logistic regression has it."""

    @available_if(lambda judge: judge.estimator_type == "classifier")  # type: ignore[untyped-decorator]
    def predict_proba(self: Estimator, features: Features) -> Floats:
        """Probabilities ``[n, 2]`` of wrong and of right, in the order of ``classes_``; each row sums to 1.

        They are the model's own, from a fit with a penalty: look at their calibration before reading them as shares.

        Raises:
            InnerjudgeError: If an item cannot be scored.

        Example:
            >>> from innerjudge import Features, LogisticProbe
            >>> x = np.repeat(np.linspace(-1, 1, 8)[:, None, None], 3, axis=1)
            >>> f = Features.from_arrays({"hidden/reasoning_end": x}, provenance="m", groups=list("pqrspqrs"))
            >>> p = LogisticProbe(positions=["reasoning_end"]).fit(f, [0, 0, 0, 0, 1, 1, 1, 1]).predict_proba(f)
            >>> p.shape, bool((p.argmax(axis=1) == [0, 0, 0, 0, 1, 1, 1, 1]).all())
            ((8, 2), True)
        """
        right = expit(self.decision_function(features))
        return np.stack([1 - right, right], axis=1)
