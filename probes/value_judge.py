"""Judges whose score lies between the values of their verdict labels: their kinds of item, labels and threshold."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..models.arguments import require_type
from ..models.errors import InnerjudgeError
from .description import derived
from .judge import BaseJudge, Scores, ThresholdJudge

Answer = bool | int | float | str


class ScaleJudge(BaseJudge):
    """A judge with ``values``, one for each verdict label, and ``answers``, the labels that its verdicts get."""

    values: Sequence[float] | None
    answers: Sequence[Answer] | None

    @property
    def _scale(self) -> tuple[tuple[float, ...], tuple[Answer, ...]]:
        """Values and the answers that they stand for: by default the values, or booleans for ``(0, 1)``."""
        values, answers = checked_values(() if self.values is None else self.values, self.answers)
        return values, answers or ((False, True) if values == (0, 1) else values)

    # Option letters have no values.
    kinds = derived(lambda self: ("choice",) if self.values is None else kinds_of_values(self.values, self.answers))
    pointwise = derived(lambda self: self.kinds not in (("choice",), ("pair",)))
    value_range = derived(lambda s: None if s.values is None else (int(min(s.values)), int(max(s.values))))
    n_values = derived(lambda s: len(s.values) if s.values is not None and "logits/score" in s.needs else None)


class ValueJudge(ScaleJudge, ThresholdJudge):
    """A judge whose score lies between its values; without a ``threshold_`` the label is that of the nearest value."""

    values: Sequence[float]
    estimator_type = derived(lambda self: "classifier" if len(self.values) == 2 else "regressor")

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
        return f"a score above {self.threshold_:.3g} counts as right (best balanced accuracy on {n} traces)"

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Set the threshold between the labels, from labelled traces; scores do not change.

        ``InnerjudgeError`` if there are more than two values, no trace can be read, or all are of one class.
        """
        require_type(features, Features, f"{type(self).__name__}.fit")
        if len(self.values) != 2:
            raise InnerjudgeError.of("probes.two-values", tuple(self.values))
        return super().fit(features, labels)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        """The answer on the score's side of the threshold; without one that of the nearest value, first of a tie."""
        values, answers = self._scale
        if self.threshold_ is not None:
            low, high = (answers[k] for k in np.argsort(values))
            return [high if s > self.threshold_ else low for s in scores]
        return [answers[k] for k in np.abs(scores[:, None] - np.array(values)).argmin(axis=-1)]


def checked_values(
    values: Sequence[float], answers: Sequence[Answer] | None
) -> tuple[tuple[float, ...], tuple[Answer, ...] | None]:
    """Check values and answers (at least two distinct values, as many answers) and return them as tuples."""
    plain = tuple(v.item() if isinstance(v, np.generic) else v for v in values)
    names = None if answers is None else tuple(answers)
    if len(set(plain)) < 2 or not np.isfinite(plain).all() or (names is not None and len(names) != len(plain)):
        raise InnerjudgeError.of("probes.values", plain, names)
    return plain, names


def kinds_of_values(values: Sequence[float], answers: Sequence[Answer] | None) -> tuple[str, ...]:
    """Kinds of item that a judge on these values reads, the one that it is made for first.

    Answers "a" and "b" compare the two responses of a pair; 0 and 1 say no and yes; other values are grades.
    """
    if "a" in (() if answers is None else tuple(answers)):
        return ("pair",)
    return ("trace", "rating", "pair") if set(values) == {0, 1} else ("rating", "pair", "trace")
