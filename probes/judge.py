"""The face that every judge has, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..extraction.provenance import Provenance
from ..models.errors import InnerjudgeError

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says of one item: a score and a label, or the reason why it says nothing.

    Example:
        >>> Verdict("q1/0", score=0.7, label=True).unscored is None
        True
    """

    id: str
    score: float | list[float] | None = None
    label: bool | int | float | str | None = None
    unscored: str | None = None


class Judge(ABC):
    """Reads features, returns scores. **higher is better, always**.

    The constructor stores its parameters; ``fit`` (where there is something to learn) sets attributes that end in ``_``;
    :meth:`decision_function`, :meth:`predict` and :meth:`verdicts` read features of the same provenance only.
    """

    #: Names of the readouts or generations that the judge reads.
    needs: tuple[str, ...]
    #: Whether ``fit`` must be called first.
    learns: ClassVar[bool] = False
    provenance_: Provenance | None = None

    @abstractmethod
    def _scores(self, features: Features) -> Scores:
        """Scores of features that all have what the judge needs: ``[n]``, or ``[n, K]`` for choices."""

    @abstractmethod
    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        """One label an item from its scores."""

    def _unreadable(self, features: Features) -> dict[str, str]:
        """Item id -> reason, for items whose features are there but say nothing (a text without a verdict)."""
        return {}

    def _check(self, features: Features) -> None:
        if self.learns and self.provenance_ is None:
            raise InnerjudgeError(f"given a {type(self).__name__} that is not fitted, expected a fitted one: call fit first")
        if self.provenance_ is not None:
            self.provenance_.require(features.provenance, type(self).__name__)

    def unscored(self, features: Features) -> dict[str, str]:
        """Item id -> reason, for every item that this judge cannot score."""
        self._check(features)
        reasons = features.reasons(*self.needs)
        rest = features.take([k for k, i in enumerate(features.ids) if i not in reasons])
        return reasons | self._unreadable(rest)

    def decision_function(self, features: Features) -> Scores:
        """Scores, higher is better: shape ``[n]``, or ``[n, K]`` for choices.

        Raises:
            InnerjudgeError: If an item cannot be scored (an array has no place for a reason): use :meth:`verdicts`.
        """
        missing = self.unscored(features)
        if missing:
            some, reason = next(iter(missing.items()))
            raise InnerjudgeError(
                f"given {len(missing)} of {len(features)} items that cannot be scored (first: {some}: {reason}), "
                "expected scorable items: use verdicts(), which returns the reasons"
            )
        return self._scores(features)

    def predict(self, features: Features) -> list[Any]:
        """Labels, one an item; raises like :meth:`decision_function`."""
        return self._labels(self.decision_function(features), features)

    def verdicts(self, features: Features) -> list[Verdict]:
        """One verdict an item, in the order of ``features.ids``; never NaN, never a silent 0."""
        missing = self.unscored(features)
        rows = [k for k, i in enumerate(features.ids) if i not in missing]
        part = features.take(rows)
        scores = self._scores(part) if rows else np.zeros(0)
        labels = self._labels(scores, part) if rows else []
        found = {
            i: Verdict(i, _plain(s), label, None) for i, s, label in zip(part.ids, scores, labels, strict=True)
        }
        return [found.get(i) or Verdict(i, None, None, missing[i]) for i in features.ids]


def _plain(score: np.ndarray[Any, Any] | np.floating[Any]) -> float | list[float]:
    return [float(s) for s in score if np.isfinite(s)] if np.ndim(score) else float(score)
