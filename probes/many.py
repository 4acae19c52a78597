"""Many linear probes at once: one a layer and position, all on the same items, each with a penalty of its own.

A loop over scikit-learn gives the same figures, and takes longer: see :mod:`.paths` for what is batched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..models.arguments import checked
from ..models.errors import InnerjudgeError
from .labels import Floats, correctness, ratings
from .paths import Fold, log_losses, logistic_paths, ridge_paths, squared_losses
from .regression import LOGISTIC_CANDIDATES, RIDGE_CANDIDATES, checked_candidates, folds

_ENTRIES = 2**25  # of ``x`` that are worked on at once: 256 MiB in float64

Kind = Literal["logistic", "ridge"]


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


@checked
def fit_many(
    kind: Kind,
    x: npt.NDArray[np.floating],
    labels: npt.ArrayLike,
    groups: Sequence[str],
    *,
    candidates: Sequence[float] | None = None,
) -> ManyProbes:
    """Fit ``P`` probes on ``P`` views of the same ``n`` items.

    Each is what :class:`.LogisticProbe` or :class:`.RidgeProbe` would learn on its view. Vectors are standardised;
    the penalty is chosen by folds that never split a question, by log-loss or squared error.

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
    usual = LOGISTIC_CANDIDATES if logistic else RIDGE_CANDIDATES
    tried = checked_candidates(usual if candidates is None else candidates)
    tried = tuple(sorted(tried, reverse=not logistic))  # the strongest penalty first: it wins a tie
    if x.size > _ENTRIES and len(x) > 1:
        halves = [fit_many(kind, part, labels, groups, candidates=candidates) for part in np.array_split(x, 2)]
        return ManyProbes(**{f.name: np.concatenate([getattr(h, f.name) for h in halves]) for f in fields(ManyProbes)})
    sides = list(folds(tuple(groups)))
    if logistic:
        sides = [(train, test) for train, test in sides if len(np.unique(y[train])) == 2]
    everything = np.arange(x.shape[1])
    fits = [Fold(x, train) for train, _ in sides] + [Fold(x, everything)]
    solve, loss = (logistic_paths, log_losses) if logistic else (ridge_paths, squared_losses)
    paths = solve(x, y, fits, tried)  # one (coef [P, C, F], intercept [P, C]) a fold, the last of all items
    losses = np.zeros((len(x), len(tried)))
    scores = np.full((len(x), len(tried), x.shape[1]), np.nan)
    for (coef, intercept), (_, test) in zip(paths, sides, strict=False):
        scores[:, :, test] = coef @ np.swapaxes(x[:, test], 1, 2) + intercept[..., None]
        losses += loss(y[test], scores[:, :, test])
    best = losses.argmin(axis=1)
    each = np.arange(len(x))
    return ManyProbes(
        coef=paths[-1][0][each, best],
        intercept=paths[-1][1][each, best],
        penalty=np.array(tried)[best],
        held_out=scores[each, best],
    )
