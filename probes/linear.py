"""Linear judges of hidden states, and the plainest of them: the difference of the class means."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from .judge import LearningJudge, Scores
from .labels import Bools, Floats, correctness

Combine = Literal["delta", "concat"]


class Linear(LearningJudge):
    """``score = x @ coef_ + intercept_`` on the states of one row at one or more positions."""

    fitted: ClassVar[tuple[str, ...]] = ("coef_", "intercept_", "n_excluded_")
    coef_: Floats
    intercept_: float

    def __init__(self, *, positions: Sequence[str], combine: Combine, row: int) -> None:
        self.positions, self.combine, self.row = positions, combine, row
        if combine not in ("delta", "concat") or not len(positions) or (combine == "delta" and len(positions) > 2):
            raise InnerjudgeError(
                f"given positions={tuple(positions)}, combine={combine!r}, expected 'delta' of one or two positions or "
                "'concat' of any number"
            )
        self.needs = tuple(f"hidden/{p}" for p in positions)

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Learn the coefficients from labelled items.

        Args:
            features: ``n`` training items.
            labels: ``[n]`` booleans for traces, mean human scores for ratings.

        Raises:
            InnerjudgeError: If no item can be read or the labels are all of one class.
        """
        part, values, excluded = self._training(features, labels)
        self._learn(self._vectors(part), values, part.groups)
        self.n_excluded_, self.provenance_ = excluded, features.provenance
        return self

    @abstractmethod
    def _learn(self, x: Floats, labels: npt.NDArray[Any], groups: tuple[str, ...]) -> None:
        """Set the coefficients from vectors ``[n, F]``."""

    def _vectors(self, features: Features) -> Floats:
        """``[n, D]`` (delta: last position minus first) or ``[n, positions * D]``, float64."""
        rows = features[self.needs[0]].shape[1]
        if not -rows <= self.row < rows:
            raise InnerjudgeError(
                f"given row={self.row} of {rows} rows h[0..{rows - 2}] and normed, expected {-rows} to {rows - 1}"
            )
        states = [features[name][:, self.row].astype(np.float64) for name in self.needs]
        if self.combine == "concat" or len(states) == 1:
            return np.concatenate(states, axis=-1)
        return states[-1] - states[0]

    def rows_read(self, total: int) -> frozenset[int]:
        """The one row."""
        return frozenset({self.row % total})

    def _scores(self, features: Features) -> Scores:
        return np.asarray(self._vectors(features) @ self.coef_ + self.intercept_)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [bool(s > 0) for s in scores]


class DifferenceOfMeans(Linear):
    """Projection on the difference of the class means; zero half-way between them.

    With one layer this is nearest centroid, whose two squared distances differ by exactly this projection.

    Args:
        positions: CLUE's two tokens by default.
        combine: ``"delta"``, last position minus first, or ``"concat"``.
        row: Row of the states: ``0..L`` raw ``h[l]``, ``L + 1`` or -1 final-normed, -2 the raw last block.

    Attributes:
        coef_: ``[F]`` float64, mean of correct minus mean of incorrect.
        intercept_: Puts zero half-way; items that equal each other all score 0 and are called incorrect.
        n_excluded_: Training items left out because they could not be read.

    Example:
        >>> from innerjudge.extraction import Features, Provenance
        >>> start = np.zeros((4, 3, 1), np.float32)
        >>> end = start + np.array([3, 1, -1, -3], np.float32)[:, None, None]
        >>> f = Features(ids=tuple("abcd"), groups=tuple("pqpq"), provenance=Provenance("m", None, "f", "", "", ""),
        ...              arrays={"hidden/reasoning_start": start, "hidden/reasoning_end": end})
        >>> probe = DifferenceOfMeans().fit(f, [True, True, False, False])
        >>> probe.decision_function(f), probe.predict(f)
        (array([ 12.,   4.,  -4., -12.]), array([ True,  True, False, False]))
    """

    def __init__(
        self,
        *,
        positions: Sequence[str] = ("reasoning_start", "reasoning_end"),
        combine: Combine = "delta",
        row: int = -1,
    ) -> None:
        super().__init__(positions=positions, combine=combine, row=row)

    def _learn(self, x: Floats, labels: npt.NDArray[Any], groups: tuple[str, ...]) -> None:
        right: Bools = correctness(labels)
        success, fail = x[right].mean(axis=0), x[~right].mean(axis=0)
        self.coef_ = success - fail
        self.intercept_ = float(-self.coef_ @ (success + fail) / 2)
