"""Linear probes with a penalty that folds chose: the obvious opponents of CLUE and LAGER, at the same tokens."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from .description import Task
from .fitted_arrays import Form, Number
from .judge import Scores
from .labels import Floats
from .linear import Linear, LogOdds
from .regression import LOGISTIC_CANDIDATES, REGRESSIONS, RIDGE_CANDIDATES, Target, checked_candidates
from .row_judge import ChooseRow, Combine


class PenalisedProbe(LogOdds):
    """A probe of :mod:`.regression`: logistic regression of what is correct, or ridge regression of ratings."""

    target: Target
    candidates: Sequence[float] | None
    #: Attribute that holds the chosen penalty.
    _chosen: ClassVar[str]
    _held_out: Floats

    @property
    def standardises(self) -> bool:
        """Every penalised probe does."""
        return True

    @property
    def penalty(self) -> float | None:
        """The chosen candidate."""
        return self.__dict__.get(self._chosen)

    @property
    def estimator_type(self) -> Literal["classifier", "regressor"]:
        """By ``target``."""
        return "classifier" if self.target == "correct" else "regressor"

    def fit_held_out(self, features: Features, labels: npt.ArrayLike) -> Floats:
        """As that of every judge; the folds that chose the penalty have the scores, at the chosen one."""
        self.fit(features, labels)
        return self._held_out

    def _tried(self) -> tuple[float, ...]:
        usual = REGRESSIONS[self.target][2]
        return checked_candidates(usual if self.candidates is None else self.candidates)

    def _learn(self, x: Floats, labels: npt.NDArray[Any], groups: tuple[str, ...]) -> None:
        targets, fit, _ = REGRESSIONS[self.target]
        found = fit(x, targets(labels), groups, self._tried())
        self.coef_, self.intercept_, self._held_out = found.coef, found.intercept, found.held_out
        setattr(self, self._chosen, found.penalty)

    def _errors(self, scores: Scores, labels: npt.NDArray[Any]) -> Floats:
        if self.target == "correct":
            return super()._errors(scores, labels)
        return np.asarray((scores - labels.astype(np.float64)) ** 2)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [bool(s > 0) if self.target == "correct" else float(s) for s in scores]


class LogisticProbe(PenalisedProbe):
    """Logistic regression (scikit-learn) on standardised states; the score is the log-odds of correct.

    ``C`` is the candidate of the lowest cross-validated log-loss, the smallest of a tie, with folds that never split a
    question (``GroupKFold``, 5 folds or as many as there are questions). With fewer than two questions, or where no
    fold has both classes on its training side, the smallest candidate is taken.

    Args:
        positions: CLUE's two tokens by default.
        combine: ``"concat"`` of the positions, or ``"delta"``, last minus first.
        row: See :class:`DifferenceOfMeans`.
        C: Inverse strength of the penalty, as in scikit-learn; ``None`` chooses among ``candidates``.
        candidates: Values of ``C`` to choose from.

    Attributes:
        coef_: ``[F]`` float64, on the states as they are (the standardisation is folded in).
        intercept_: Log-odds at the origin.
        C_: The chosen candidate.
        n_excluded_: Training items left out because they could not be read.

    Example:
        >>> end = np.repeat(np.linspace(-1, 1, 8)[:, None, None], 3, axis=1)
        >>> f = Features.from_arrays({"hidden/reasoning_end": end}, provenance="m", groups="pqrspqrs")
        >>> probe = LogisticProbe(positions=["reasoning_end"]).fit(f, [0, 0, 0, 0, 1, 1, 1, 1])
        >>> probe.predict(f)
        array([False, False, False, False,  True,  True,  True,  True])
    """

    fitted: ClassVar[tuple[str, ...]] = (*Linear.fitted, "C_")
    forms: ClassVar[Mapping[str, Form]] = {**Linear.forms, "C_": Number(low=0)}
    target = "correct"
    _chosen = "C_"

    def __init__(
        self,
        *,
        positions: Sequence[str] = ("reasoning_start", "reasoning_end"),
        combine: Combine = "concat",
        row: int | ChooseRow = -1,
        C: float | None = None,
        candidates: Sequence[float] = LOGISTIC_CANDIDATES,
    ) -> None:
        super().__init__(positions=positions, combine=combine, row=row)
        self.C, self.candidates = C, candidates
        self._tried()

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Self]:
        """For traces, and for pairs on the state before the score of each response."""
        positions = {"trace": task.between, "pair": ("score",)}.get(task.kind)
        return {} if positions is None else {"logistic-probe": cls(positions=positions)}

    @classmethod
    def sweep_presets(cls, kind: str) -> Mapping[str, Self]:
        """For traces."""
        return {"logistic": cls(positions=("state",))} if kind == "trace" else {}

    def _tried(self) -> tuple[float, ...]:
        return super()._tried() if self.C is None else checked_candidates([self.C])


class RidgeProbe(PenalisedProbe):
    """Ridge regression (scikit-learn) of the mean human score on standardised states; the label is the score.

    The penalty is chosen like :class:`LogisticProbe`'s, by squared error; the largest of a tie or without folds.

    Args:
        positions: The token before the score by default.
        combine: See :class:`LogisticProbe`.
        row: See :class:`DifferenceOfMeans`.
        candidates: Values of the penalty ``alpha``.

    Attributes:
        coef_: ``[F]`` float64, on the states as they are.
        intercept_: Score at the origin.
        alpha_: The chosen candidate.
        n_excluded_: Training items left out because they could not be read.

    Example:
        >>> state = np.repeat(np.arange(1, 6)[:, None, None], 3, axis=1)
        >>> f = Features.from_arrays({"hidden/score": state}, provenance="m")
        >>> probe = RidgeProbe(candidates=[1e-6])
        >>> probe.fit(f, [1, 2, 3, 4, 5]).decision_function(f).round(3)
        array([1., 2., 3., 4., 5.])
        >>> probe.fit_held_out(f, [1, 2, 3, 4, 5]).round(3)  # each from the others
        array([1., 2., 3., 4., 5.])
    """

    fitted: ClassVar[tuple[str, ...]] = (*Linear.fitted, "alpha_")
    forms: ClassVar[Mapping[str, Form]] = {**Linear.forms, "alpha_": Number(low=0)}
    target = "rating"
    _chosen = "alpha_"

    def __init__(
        self,
        *,
        positions: Sequence[str] = ("score",),
        combine: Combine = "concat",
        row: int | ChooseRow = -1,
        candidates: Sequence[float] = RIDGE_CANDIDATES,
    ) -> None:
        super().__init__(positions=positions, combine=combine, row=row)
        self.candidates = candidates
        self._tried()

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Self]:
        """For ratings."""
        return {"ridge-probe": cls()} if task.kind == "rating" else {}

    @classmethod
    def sweep_presets(cls, kind: str) -> Mapping[str, Self]:
        """For ratings."""
        return {"ridge": cls(positions=("state",))} if kind == "rating" else {}
