"""Linear probes with a penalty: the obvious opponents of CLUE and LAGER, on the same tokens.

With all states in memory, folds choose the penalty; mini-batches can come from a store, or while the model runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler

from ..extraction.features import Features
from ..models.arguments import Count, NotNegative, Positive
from ..models.errors import InnerjudgeError
from .description import derived
from .estimator import parameters
from .judge import Scores, StreamingJudge
from .labels import Bools, Floats, Known, Weights, best_threshold, centred, hard_rows, mixed_questions, soft_correctness
from .linear import LogOdds
from .regression import LOGISTIC_CANDIDATES, REGRESSIONS, RIDGE_CANDIDATES, Candidates, Regression, Target
from .row_judge import Centre
from .scaling import NO_SPREAD, steady

#: What is regressed out of the states before a fit: nothing, or the number of the response's tokens.
Nuisance = Literal["none", "length"]


class PenalisedProbe(LogOdds):
    """A probe fitted by :mod:`.regression`: logistic regression of correctness, or ridge regression of ratings."""

    # Centred in the question it is a variant of another judge, and takes the means of all.
    on_request = derived(lambda self: self.centre == "question" or self.nuisance != "none")
    reads_unlabelled = derived(lambda self: self.centre == "question")
    standardises = True
    estimator_type = derived(lambda self: "classifier" if self.target == "correct" else "regressor")
    target: Target
    centre: Centre = "none"
    nuisance: Nuisance = "none"
    candidates: Candidates | None
    _held_out: Floats

    def fit_held_out(self, features: Features, labels: npt.ArrayLike, sample_weight: Weights = None) -> Floats:
        """As for every judge; the scores come from the folds that chose the penalty, at the chosen one."""
        if self.centre == "question":  # the folds have scores within the question only
            return super().fit_held_out(features, labels, sample_weight)
        self.fit(features, labels, sample_weight)
        return self._held_out

    def _can_learn(self, labels: Known, weight: Floats | None = None, *, groups: tuple[str, ...]) -> bool:
        if self.centre == "question":
            return bool(self._telling(labels, groups, weight).any())
        return super()._can_learn(labels, weight, groups=groups)

    def _telling(self, y: Known, groups: tuple[str, ...], weight: Floats | None) -> Bools:
        """Which items tell something once they are centred: none where all of these have one label."""
        kept = mixed_questions(y, groups, weight, partly=self.target == "correct")
        return kept & super()._can_learn(y[kept], None if weight is None else weight[kept], groups=groups)

    def _tried(self) -> tuple[float, ...]:
        return tuple(map(float, REGRESSIONS[self.target][2] if self.candidates is None else self.candidates))

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """Adds the length of the vectors that are read, of which the nuisance is the last number."""
        found = super().sizes(known)
        return found | ({"features": found["features"] + 1} if "features" in found and self.nuisance != "none" else {})

    def _vectors(self, features: Features, row: int) -> Floats:
        x = super()._vectors(features, row)
        return x if self.nuisance == "none" else np.column_stack([x, features["logprob"][:, 1]])

    def _regression(self, x: Floats, *rest: Any) -> Regression:
        """The regression on vectors, or on what their last number does not tell of the others."""
        fit = REGRESSIONS[self.target][1]
        if self.nuisance == "none":
            return fit(x, *rest)
        w = np.ones(len(x)) if rest[-1] is None else rest[-1]
        middle = float(np.average(x[:, -1], weights=w))
        n = x[:, -1] - middle
        square = w @ n**2
        told = (w * n) @ (x[:, :-1] - np.average(x[:, :-1], axis=0, weights=w))
        told = told / (square if square > NO_SPREAD * (w @ x[:, -1] ** 2) else np.inf)  # lengths that do not differ
        found = fit(x[:, :-1] - n[:, None] * told, *rest)
        by_length = float(told @ found.coef)
        return replace(found, coef=np.append(found.coef, -by_length), intercept=found.intercept + middle * by_length)

    def _learn(self, x: Floats, labels: Known, groups: tuple[str, ...], weight: Floats | None = None) -> None:
        targets, correct = REGRESSIONS[self.target][0], self.target == "correct"
        if not correct and weight is not None and weight.any():
            targets(labels[weight > 0])  # refuses grades that are all the same
        y = soft_correctness(labels, weight) if correct else targets(labels)
        if self.centre == "question":
            kept = self._telling(y, groups, weight)
            if not kept.any():
                raise InnerjudgeError.of("probes.one-label-each", len(set(groups)))
            own = y if correct else centred(y[:, None].astype(np.float64), groups, weight)[:, 0]
            some, share = tuple(np.array(groups)[kept]), None if weight is None else weight[kept]
            found = self._regression(self._to_learn(x, groups)[kept], own[kept], some, self._tried(), share)
            self.coef_, raw = found.coef, x @ found.coef
            self.intercept_ = -float(best_threshold(raw, y, weight) if correct else np.average(raw - y, weights=weight))
        else:
            found = self._regression(x, y, groups, self._tried(), weight)
            self.coef_, self.intercept_, self._held_out = found.coef, found.intercept, found.held_out
        setattr(self, self._chosen, found.penalty)

    def _to_learn(self, x: npt.NDArray[Any], groups: tuple[str, ...]) -> npt.NDArray[Any]:
        return centred(x, groups) if self.centre == "question" else x

    def _errors(self, scores: Scores, labels: npt.NDArray[Any]) -> Floats:
        if self.target == "correct":
            return super()._errors(scores, labels)
        return np.asarray((scores - labels.astype(np.float64)) ** 2)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [bool(s > 0) if self.target == "correct" else float(s) for s in scores]


@parameters
class LogisticProbe(PenalisedProbe):
    """Logistic regression (scikit-learn) on standardised states; the score is the log-odds of correct.

    ``C`` is the candidate with the lowest cross-validated log-loss, the smallest in a tie, with folds that never split
    a question (``GroupKFold``, 5 folds or as many as there are questions). With fewer than two questions, or if no fold
    has both classes on its training side, the smallest candidate is taken. ``positions``, ``combine`` and ``row`` are
    as in :class:`DifferenceOfMeans`, with the positions side by side by default.

    Args:
        C: Inverse strength of the penalty, as in scikit-learn; ``None`` chooses among ``candidates``.
        candidates: Values of ``C`` to choose from.
        centre: ``"question"`` subtracts from the states the mean of all items of their question, unlabelled ones
            (``sample_weight`` 0) too, and leaves out questions that are all right or all wrong: it cannot learn which
            are easy. It judges raw states and ranks the answers of a question: a score of zero means the best balanced
            accuracy in training, not even odds. No paper.
        nuisance: ``"length"`` regresses the states on the number of the response's tokens and fits what is left. For
            labels of a judge that likes long answers: a probe copies its errors that follow length, and averages those
            away that do not. TnT-LLM (arXiv 2403.12173) trains on a model's labels as they are.

    Attributes:
        coef_: ``[F]`` float64, on the states as they are (the standardisation is folded in).
        intercept_: Log-odds at the origin.
        C_: The chosen candidate.

    Example:
        >>> end = np.repeat(np.linspace(-1, 1, 8)[:, None, None], 3, axis=1)
        >>> f = Features.from_arrays({"hidden/reasoning_end": end}, provenance="m", groups="pqrspqrs")
        >>> probe = LogisticProbe(positions=["reasoning_end"]).fit(f, [0, 0, 0, 0, 1, 1, 1, 1])
        >>> probe.predict(f)
        array([False, False, False, False,  True,  True,  True,  True])
    """

    C: Positive | None = None
    candidates: Candidates = LOGISTIC_CANDIDATES
    centre: Centre = "none"
    nuisance: Nuisance = "none"

    target = "correct"
    _chosen = "C_"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.needs += ("logprob",) * (self.nuisance == "length")

    def _tried(self) -> tuple[float, ...]:
        return super()._tried() if self.C is None else (float(self.C),)


@parameters
class RidgeProbe(PenalisedProbe):
    """Ridge regression (scikit-learn) of the mean human score on standardised states; the label is the score.

    The penalty is chosen as in :class:`LogisticProbe`, by squared error; the largest in a tie or without folds. So are
    ``combine`` and ``row``; the position is the token before the score by default.

    Args:
        candidates: Values of the penalty ``alpha``.
        centre: See :class:`LogisticProbe`; the scores of a question are taken less their mean as well.

    Attributes:
        coef_: ``[F]`` float64, on the states as they are.
        intercept_: Score at the origin.
        alpha_: The chosen candidate.

    Example:
        >>> state = np.repeat(np.arange(1, 6)[:, None, None], 3, axis=1)
        >>> f = Features.from_arrays({"hidden/score": state}, provenance="m")
        >>> probe = RidgeProbe(candidates=[1e-6])
        >>> probe.fit(f, [1, 2, 3, 4, 5]).decision_function(f).round(3)
        array([1., 2., 3., 4., 5.])
        >>> probe.fit_held_out(f, [1, 2, 3, 4, 5]).round(3)  # each from the others
        array([1., 2., 3., 4., 5.])
    """

    positions: Sequence[str] = ("score",)
    candidates: Candidates = RIDGE_CANDIDATES
    centre: Centre = "none"

    target = "rating"
    _chosen = "alpha_"


@parameters
class MiniBatchLogistic(StreamingJudge, LogOdds):
    """Logistic regression by stochastic gradient descent (scikit-learn) on standardised states.

    Means and deviations are those of all items seen so far, so the first batches are standardised by few; a second
    round over the items mends that. A loaded judge has only its coefficients, and learns nothing more. With all states
    in memory use :class:`LogisticProbe`, which chooses its penalty; the other parameters, ``coef_`` and ``intercept_``
    are as there.

    Args:
        alpha: Strength of the penalty.
        rounds: How often :meth:`fit` goes over its items.
        batch: Items per step of :meth:`fit`.
        seed: Seed for the order of items, in :meth:`fit` and within a batch.

    Example:
        >>> end = np.repeat(np.linspace(-1, 1, 8)[:, None, None], 3, axis=1)
        >>> f = Features.from_arrays({"hidden/reasoning_end": end}, provenance="m", groups="pqrspqrs")
        >>> probe = MiniBatchLogistic(positions=["reasoning_end"]).fit(f, [0, 0, 0, 0, 1, 1, 1, 1])
        >>> probe.predict(f)
        array([False, False, False, False,  True,  True,  True,  True])
    """

    row: int = -1
    alpha: NotNegative = 1e-4
    rounds: Count = 5
    batch: Count = 256
    seed: int = 0

    def _add(self, part: Features, right: Bools | Floats, weight: Floats | None) -> None:
        if self.provenance_ is not None and not hasattr(self, "_descent"):
            raise InnerjudgeError.of("probes.loaded-descent")
        self._begin()
        self.row_ = self._told(part)
        if len(part):
            self._step(self._vectors(part, self.row_), right, weight)

    def _learn(self, x: Floats, labels: Known, groups: tuple[str, ...], weight: Floats | None = None) -> None:
        right = soft_correctness(labels, weight)
        for name in ("_scaler", "_descent"):
            self.__dict__.pop(name, None)
        self._begin()
        order = np.random.default_rng(self.seed)
        for _ in range(self.rounds):
            rows = order.permutation(len(x))
            for at in range(0, len(x), self.batch):
                chosen = rows[at : at + self.batch]
                self._step(x[chosen], right[chosen], None if weight is None else weight[chosen])

    def _begin(self) -> None:
        if not hasattr(self, "_descent"):
            self._scaler = StandardScaler()
            self._descent = SGDClassifier(loss="log_loss", alpha=self.alpha, random_state=self.seed, average=True)
            self.coef_, self.intercept_ = np.zeros(0), 0.0

    def _step(self, x: Floats, p: Bools | Floats, weight: Floats | None) -> None:
        of, right, share = hard_rows(p, weight)
        if not len(right):
            return  # no item has weight
        steady(self._scaler.partial_fit(x, sample_weight=weight))
        self._descent.partial_fit(self._scaler.transform(x)[of], right, classes=[False, True], sample_weight=share)
        self.coef_ = self._descent.coef_[0] / self._scaler.scale_
        self.intercept_ = float(self._descent.intercept_[0] - self.coef_ @ self._scaler.mean_)
