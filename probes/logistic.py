"""Logistic regression on hidden states: the obvious opponent of CLUE, at the same tokens."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy.typing as npt

from .description import Task
from .fitted_arrays import Form, Number
from .labels import Floats, correctness
from .log_odds import LogOdds
from .penalised import PenalisedProbe
from .regression import LOGISTIC_CANDIDATES, checked_candidates, fit_logistic
from .row_judge import Combine
from .row_selection import ChooseRow


class LogisticProbe(LogOdds, PenalisedProbe):
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
        >>> import numpy as np
        >>> from innerjudge.extraction import Features, Provenance
        >>> end = np.repeat(np.linspace(-1, 1, 8, dtype=np.float32)[:, None, None], 3, axis=1)
        >>> f = Features(ids=tuple("abcdefgh"), groups=tuple("pqrspqrs"),
        ...              provenance=Provenance("m", None, "f", "", "", ""),
        ...              arrays={"hidden/reasoning_end": end})
        >>> probe = LogisticProbe(positions=["reasoning_end"]).fit(f, [0, 0, 0, 0, 1, 1, 1, 1])
        >>> probe.predict(f)
        array([False, False, False, False,  True,  True,  True,  True])
    """

    fitted: ClassVar[tuple[str, ...]] = (*PenalisedProbe.fitted, "C_")
    forms: ClassVar[Mapping[str, Form]] = {**PenalisedProbe.forms, "C_": Number(low=0)}

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
        return checked_candidates(self.candidates if self.C is None else [self.C])

    def _learn(self, x: Floats, labels: npt.NDArray[Any], groups: tuple[str, ...]) -> None:
        found = fit_logistic(x, correctness(labels), groups, self._tried())
        self._take(found)
        self.C_ = found.penalty
