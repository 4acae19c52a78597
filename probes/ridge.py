"""Ridge regression of human scores on hidden states."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from .description import Task
from .fitted_arrays import Form, Number
from .judge import Scores
from .labels import Floats, ratings
from .penalised import PenalisedProbe
from .regression import RIDGE_CANDIDATES, checked_candidates, fit_ridge
from .row_judge import Combine
from .row_selection import ChooseRow


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
        >>> import numpy as np
        >>> from innerjudge.extraction import Features, Provenance
        >>> state = np.repeat(np.arange(1, 6, dtype=np.float32)[:, None, None], 3, axis=1)
        >>> f = Features(ids=tuple("abcde"), groups=tuple("abcde"), provenance=Provenance("m", None, "f", "", "", ""),
        ...              arrays={"hidden/score": state})
        >>> RidgeProbe(candidates=[1e-6]).fit(f, [1, 2, 3, 4, 5]).decision_function(f).round(3)
        array([1., 2., 3., 4., 5.])
    """

    fitted: ClassVar[tuple[str, ...]] = (*PenalisedProbe.fitted, "alpha_")
    forms: ClassVar[Mapping[str, Form]] = {**PenalisedProbe.forms, "alpha_": Number(low=0)}

    def __init__(
        self,
        *,
        positions: Sequence[str] = ("score",),
        combine: Combine = "concat",
        row: int | ChooseRow = -1,
        candidates: Sequence[float] = RIDGE_CANDIDATES,
    ) -> None:
        super().__init__(positions=positions, combine=combine, row=row)
        checked_candidates(candidates)
        self.candidates = candidates

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Self]:
        """For ratings."""
        return {"ridge-probe": cls()} if task.kind == "rating" else {}

    @classmethod
    def sweep_presets(cls, kind: str) -> Mapping[str, Self]:
        """For ratings."""
        return {"ridge": cls(positions=("state",))} if kind == "rating" else {}

    @property
    def estimator_type(self) -> Literal["classifier", "regressor"]:
        """Predicts numbers."""
        return "regressor"

    def _learn(self, x: Floats, labels: npt.NDArray[Any], groups: tuple[str, ...]) -> None:
        found = fit_ridge(x, ratings(labels), groups, checked_candidates(self.candidates))
        self._take(found)
        self.alpha_ = found.penalty

    def _errors(self, scores: Scores, labels: npt.NDArray[Any]) -> Floats:
        return np.asarray((scores - labels.astype(np.float64)) ** 2)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [float(s) for s in scores]
