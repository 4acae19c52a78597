"""Judges whose score lies between the values of their verdict labels: their kinds of item, labels and threshold."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..models.arguments import require_type
from ..models.errors import InnerjudgeError
from .judge import BaseJudge, Scores, ThresholdJudge

Answer = bool | int | float | str


class ScaleJudge(BaseJudge):
    """A judge with ``values``, one for each verdict label, and ``answers``, the labels that its verdicts get."""

    values: Sequence[float] | None
    answers: Sequence[Answer] | None

    @property
    def kinds(self) -> tuple[str, ...]:  # type: ignore[override]
        """No and yes are for traces, grades for ratings, A and B for pairs; option letters have no values."""
        return ("choice",) if self.values is None else kinds_of_values(self.values, self.answers)

    @property
    def pointwise(self) -> bool:  # type: ignore[override]
        """Whether the verdict that it reads is on one response alone."""
        return self.kinds not in (("choice",), ("pair",))

    @property
    def value_range(self) -> tuple[int, int] | None:  # type: ignore[override]
        """Lowest and highest of ``values``; ``None`` if there are none."""
        return None if self.values is None else (int(min(self.values)), int(max(self.values)))

    @property
    def n_values(self) -> int | None:  # type: ignore[override]
        """The number of ``values``, for a judge that reads logits."""
        return len(self.values) if self.values is not None and "logits/score" in self.needs else None


class ValueJudge(ScaleJudge, ThresholdJudge):
    """A judge whose score lies between its values; without a ``threshold_`` the label is that of the nearest value."""

    values: Sequence[float]

    @property
    def estimator_type(self) -> Literal["classifier", "regressor"]:
        """A classifier with two values, a regressor with more."""
        return "classifier" if len(self.values) == 2 else "regressor"

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """The answers of the lower and of the higher value."""
        if self.estimator_type == "regressor":
            return super().classes_
        values, answers = self._scale
        return np.array([answers[k] for k in np.argsort(values)])

    def fit_note(self, n: int) -> str | None:
        """Says the threshold, if there is one."""
        if self.threshold_ is None:
            return None
        return f"right is what scores above {self.threshold_:.3g} (best balanced accuracy on {n} traces)"

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Set the threshold between the labels, from labelled traces; scores do not change.

        ``InnerjudgeError`` if there are more than two values, no trace can be read, or all are of one class.
        """
        require_type(features, Features, f"{type(self).__name__}.fit")
        if len(self.values) != 2:
            raise InnerjudgeError(
                f"given values={tuple(self.values)}, expected two, as (0, 1), to set a threshold between: grades need "
                "none"
            )
        return super().fit(features, labels)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        """The answer on the score's side of the threshold; without one that of the nearest value, first of a tie."""
        values, answers = self._scale
        if self.threshold_ is not None:
            low, high = (answers[k] for k in np.argsort(values))
            return [high if s > self.threshold_ else low for s in scores]
        return [answers[k] for k in np.abs(scores[:, None] - np.array(values)).argmin(axis=-1)]

    @property
    def _scale(self) -> tuple[tuple[float, ...], tuple[Answer, ...]]:
        """Values and the answers that they stand for."""
        values, answers = checked_values(self.values, self.answers)
        return values, answers or default_answers(values)


def checked_values(
    values: Sequence[float], answers: Sequence[Answer] | None
) -> tuple[tuple[float, ...], tuple[Answer, ...] | None]:
    """Check values and answers (at least two distinct values, as many answers) and return them as tuples."""
    plain = tuple(v.item() if isinstance(v, np.generic) else v for v in values)
    names = None if answers is None else tuple(answers)
    if len(set(plain)) < 2 or not np.isfinite(plain).all() or (names is not None and len(names) != len(plain)):
        raise InnerjudgeError(
            f"given values={plain} and answers={names}, expected at least two different numbers and one answer each"
        )
    return plain, names


def default_answers(values: tuple[float, ...]) -> tuple[Answer, ...]:
    """The labels of verdicts if none were given: the values, or booleans for ``(0, 1)``."""
    return (False, True) if values == (0, 1) else values


def kinds_of_values(values: Sequence[float], answers: Sequence[Answer] | None) -> tuple[str, ...]:
    """Kinds of item that a judge on these values reads, the one that it is made for first.

    Answers "a" and "b" compare the two responses of a pair; 0 and 1 say no and yes; other values are grades.
    """
    if "a" in (() if answers is None else tuple(answers)):
        return ("pair",)
    return ("trace", "rating", "pair") if set(values) == {0, 1} else ("rating", "pair", "trace")
