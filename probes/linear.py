"""Linear judges of hidden states, and the simplest of them: the difference of the class means."""

import copy
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.utils.metaestimators import available_if

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from .description import derived
from .estimator import parameters
from .judge import Part, Scores, StreamingJudge
from .labels import Bools, Floats, Known, Weights, all_weights, folds, hard_rows, soft_correctness
from .row_judge import Combine, RowJudge, choose_row


class Linear(RowJudge):
    """``score = x @ coef_ + intercept_`` on the states of one row at one or more positions."""

    coef_: Floats
    intercept_: float
    penalty = derived(lambda self: self.__dict__.get(self._chosen))
    _chosen: ClassVar[str] = "penalty_"  # name of the attribute that holds the chosen penalty, if there is one

    def fit(self, features: Features, labels: npt.ArrayLike, sample_weight: Weights = None) -> Self:
        """Learn the coefficients from labels ``[n]``: of traces booleans, of ratings mean human scores.

        A trace may have a number ``p`` from 0 to 1 instead, how surely it is right: it counts as a right item of weight
        ``p`` and a wrong one of weight ``1 - p``. ``sample_weight`` ``[n]`` are weights of items, named as in
        scikit-learn, whose ``cross_val_score`` and ``GridSearchCV`` pass them on by that name.

        ``InnerjudgeError`` if no item can be read or the labels are all of one class.
        """
        part, values, excluded, weight = self._weighted(features, labels, sample_weight)
        if isinstance(self.row, str):
            self.row_ = self._named(features, choose_row(*self._held_out_errors(part, values, weight), self.row))
        else:
            self.row_ = self._told(features)
        self._learn(self._vectors(part, self.row_), values, part.groups, weight)
        return self._fitted_on(features, excluded)

    def fit_parts(self, parts: Iterable[Part]) -> Self:
        """Learn what :meth:`fit` on all items at once would, but keep only the vectors of one row in memory.

        ``InnerjudgeError`` as in :meth:`fit`, and if ``row`` must be chosen, which takes all rows.
        """
        kept: list[tuple[Floats, npt.NDArray[Any], Floats | None]] = []
        groups: list[str] = []
        excluded, row, known = 0, 0, None
        for features, *given in parts:
            if known is not None:
                known.require(features.provenance, type(self).__name__)
            known, row = features.provenance, self._told(features)
            part, values, left_out, weight = self._weighted(features, *given, some=False)
            excluded += left_out
            if len(part):
                kept.append((self._vectors(part, row), values, weight))
                groups += part.groups
        if not kept:
            raise InnerjudgeError.of("probes.none-readable", type(self).__name__, excluded, "")
        x, known_labels, weights = zip(*kept, strict=True)
        share = all_weights(weights, [len(values) for values in known_labels])
        self._learn(np.concatenate(x), np.concatenate(known_labels), tuple(groups), share)
        self.row_, self.n_excluded_, self.provenance_ = row, excluded, known
        return self

    @abstractmethod
    def _learn(self, x: Floats, labels: Known, groups: tuple[str, ...], weight: Floats | None = None) -> None:
        """Set the coefficients from vectors ``[n, F]``."""

    def _errors(self, scores: Scores, labels: npt.NDArray[Any]) -> Floats:
        """Loss of each item, by which a row is chosen: 1 where the label would be wrong."""
        return np.asarray(np.abs((scores > 0) - labels.astype(np.float64)))

    def _held_out_errors(self, part: Features, labels: Known, weight: Floats | None) -> tuple[Floats, tuple[str, ...]]:
        """Loss ``[m, rows]`` of items whose question the probe was not fitted on, and their questions ``[m]``."""
        trial, sides = copy.copy(self), []
        for train, test in folds(part.groups):
            groups, share = tuple(part.groups[k] for k in train), None if weight is None else weight[train]
            if self._can_learn(labels[train], share, groups=groups):
                sides.append((train, test, groups, share))
        losses = np.zeros((sum(len(test) for _, test, *_ in sides), part[self.needs[0]].shape[1]))
        w = np.ones(len(labels)) if weight is None else weight / weight.mean()
        for row in range(losses.shape[1]):
            x = self._to_learn(self._vectors(part, row), part.groups)
            found = []
            for train, test, groups, share in sides:
                trial._learn(x[train], labels[train], groups, share)
                found.append(w[test] * self._errors(x[test] @ trial.coef_ + trial.intercept_, labels[test]))
            losses[:, row] = np.concatenate(found) if found else 0.0
        return losses, tuple(part.groups[k] for _, test, *_ in sides for k in test)

    def _to_learn(self, x: npt.NDArray[Any], groups: tuple[str, ...]) -> npt.NDArray[Any]:
        """Vectors ``[n, F]`` as the fit sees them."""
        return x

    def _scores(self, features: Features) -> Scores:
        return np.asarray(self._vectors(features, self.row_) @ self.coef_ + self.intercept_)


class LogOdds(Linear):
    """Adds ``predict_proba``, as in scikit-learn's own logistic regression."""

    @available_if(lambda judge: judge.estimator_type == "classifier")  # type: ignore[untyped-decorator]
    def predict_proba(self, features: Features) -> Floats:
        """Probabilities ``[n, 2]`` of wrong and of right, in the order of ``classes_``; each row sums to 1.

        They come from a fit with a penalty: check their calibration before you use them as frequencies.
        ``InnerjudgeError`` if an item cannot be scored.
        """
        right = expit(self.decision_function(features))
        return np.stack([1 - right, right], axis=1)


@parameters
class DifferenceOfMeans(StreamingJudge, Linear):
    """Projection onto the difference of the class means; zero half-way between them.

    With one layer this is nearest centroid, whose two squared distances differ by exactly this projection.

    Args:
        positions: CLUE's two tokens by default.
        combine: ``"delta"``, last position minus first, or ``"concat"``.
        row: Row of the states: ``0..L`` raw ``h[l]``, ``L + 1`` or -1 final-normed, -2 the raw last block. Or chosen by
            the fit: ``"best"``, the row with the fewest errors on questions that it was not fitted on (five folds that
            never split a question), or ``"earliest"``, the first row within one standard error of it: a judge of an
            early block needs no pass beyond it. Both fit one probe per row and fold.

    Attributes:
        row_: The row that is read; -1 for the final-normed state.
        coef_: ``[F]`` float64, mean of correct minus mean of incorrect.
        intercept_: Puts zero half-way; if all items are equal they score 0 and are called incorrect.
        n_seen_: ``[2]``, total weight of the incorrect and of the correct items (without weights: their number).

    Example:
        >>> end = np.array([3, 1, -1, -3.0])[:, None, None].repeat(3, axis=1)
        >>> states = {"hidden/reasoning_start": 0 * end, "hidden/reasoning_end": end}
        >>> f = Features.from_arrays(states, provenance="m", groups="pqpq")
        >>> probe = DifferenceOfMeans().fit(f, [True, True, False, False])
        >>> probe.decision_function(f), probe.predict(f)
        (array([ 12.,   4.,  -4., -12.]), array([ True,  True, False, False]))
    """

    combine: Combine = "delta"

    def _add(self, part: Features, right: Bools | Floats, weight: Floats | None) -> None:
        self.row_ = self._told(part)
        if len(part):
            self._sum(self._vectors(part, self.row_), right, weight)

    def _learn(self, x: Floats, labels: Known, groups: tuple[str, ...], weight: Floats | None = None) -> None:
        right = soft_correctness(labels, weight)
        for name in ("n_seen_", "sum_"):
            self.__dict__.pop(name, None)
        self._sum(x, right, weight)

    def _sum(self, x: Floats, p: Bools | Floats, weight: Floats | None) -> None:
        of, right, share = hard_rows(p, weight)
        x = x[of] if share is None else x[of] * share[:, None]
        sums = np.stack([x[~right].sum(axis=0), x[right].sum(axis=0)])
        self.n_seen_ = self.__dict__.get("n_seen_", 0) + np.bincount(right, share, minlength=2).astype(np.float64)
        self.sum_ = self.__dict__.get("sum_", 0.0) + sums
        if self.n_seen_.all():
            fail, success = self.sum_ / self.n_seen_[:, None]
            self.coef_ = success - fail
            self.intercept_ = float(-self.coef_ @ (success + fail) / 2)

    def _check(self, features: Features) -> None:
        super()._check(features)
        if not hasattr(self, "coef_"):
            seen = " and ".join(f"{n:g}" for n in self.__dict__.get("n_seen_", (0, 0)))
            raise InnerjudgeError.of("probes.no-means", seen)
