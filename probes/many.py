"""Many linear probes on the same items: one a layer and position, each with a penalty of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from einops import einsum
from joblib import Parallel, delayed

from ..models.arguments import checked
from ..models.errors import InnerjudgeError
from .labels import Floats, correctness, ratings
from .regression import LOGISTIC_CANDIDATES, RIDGE_CANDIDATES, checked_candidates, fit_logistic, fit_ridge

Kind = Literal["logistic", "ridge"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
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

    def __repr__(self) -> str:
        probes, width = self.coef.shape
        return f"ManyProbes({probes} probes of vectors of {width} numbers, fitted on {self.held_out.shape[1]} items)"

    def decision_function(self, x: npt.NDArray[np.floating]) -> Floats:
        """Scores ``[P, m]`` of vectors ``[P, m, F]``: log-odds of correct, or the predicted rating."""
        products: Floats = einsum(x.astype(np.float64), self.coef, "probe item dim, probe dim -> probe item")
        return products + self.intercept[:, None]


@checked
def fit_many(
    kind: Kind,
    x: npt.NDArray[np.floating],
    labels: npt.ArrayLike,
    groups: Sequence[str],
    *,
    candidates: Sequence[float] | None = None,
    n_jobs: int | None = None,
) -> ManyProbes:
    """Fit ``P`` probes on ``P`` views of the same ``n`` items.

    Each is what :class:`.LogisticProbe` or :class:`.RidgeProbe` learns on its view. Vectors are standardised; the
    penalty is chosen by folds that never split a question, by log-loss or squared error.

    Args:
        kind: ``"logistic"`` (labels are booleans) or ``"ridge"`` (labels are ratings).
        x: ``[P, n, F]``, such as the states of every layer at one position: ``states.swapaxes(0, 1)``.
        labels: ``[n]``.
        groups: Question of each item, length ``n``.
        candidates: Penalties; default those of the two judges.
        n_jobs: Processes, as in scikit-learn: ``None`` is one, or what ``joblib.parallel_config`` says; -1 all cores.

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
    known = np.asarray(labels)
    if len(known) != x.shape[1]:
        raise InnerjudgeError(f"given {len(known)} labels for {x.shape[1]} items, expected one an item")
    y, fit, usual = (
        (correctness(known), fit_logistic, LOGISTIC_CANDIDATES)
        if kind == "logistic"
        else (ratings(known), fit_ridge, RIDGE_CANDIDATES)
    )
    tried = checked_candidates(usual if candidates is None else candidates)
    probes = Parallel(n_jobs=n_jobs)(delayed(fit)(own.astype(np.float64), y, tuple(groups), tried) for own in x)
    return ManyProbes(
        coef=np.stack([probe.coef for probe in probes]),
        intercept=np.array([probe.intercept for probe in probes]),
        penalty=np.array([probe.penalty for probe in probes]),
        held_out=np.stack([probe.held_out for probe in probes]),
    )
