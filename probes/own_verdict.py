"""A probe of the judge's own written verdict: how surely it is right."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from ..extraction.features import Features
from ..extraction.readouts import States
from ..models.errors import InnerjudgeError
from .description import derived
from .estimator import parameters
from .judge import Scores
from .labels import Floats, Weights, soft_correctness
from .pooled import PooledProbe
from .pooled_fit import Loss
from .verdict_text import find_verdict


@parameters
class VerdictProbe(PooledProbe):
    """How surely the verdict is right that the model wrote after reasoning (arXiv 2512.22245): linear, Brier loss.

    It reads the state at the end of the model's own text, in the middle of the model. The score is the log-odds that
    the item is correct: those that the verdict is right, turned round where it says no. A text without a verdict is
    unscored. No code is public, and which blocks it reads is known from summaries only. Other parameters and attributes
    are those of :class:`PooledProbe`.

    Args:
        labels: What the model is asked for, no and yes.
        cue: The text before it.

    Example:
        >>> from dataclasses import replace
        >>> from innerjudge import Ragged
        >>> states = Ragged.of(np.repeat([1.0, -1.0] * 10, 3).reshape(20, 1, 3, 1))  # 1: the verdict is right
        >>> f = Features.from_arrays({"hidden/own_text(response_end).none": states}, provenance="m", groups=range(20))
        >>> f = replace(f, texts={"own_text": ("Verdict: yes", "Verdict: yes", "Verdict: no", "Verdict: no") * 5})
        >>> probe = VerdictProbe(learning_rate=0.1).fit(f, [True, False, False, True] * 5)
        >>> probe.predict(f[:4]), probe.trust(f[:4]).round()
        (array([ True, False, False,  True]), array([1., 0., 1., 0.]))
    """

    role: str = "own_text(response_end)"
    rows: Sequence[int | float] | None = (0.5,)
    loss: Loss = "brier"
    epochs: int = 100
    labels: Sequence[str] = ("no", "yes")
    cue: str = "Verdict:"

    needs = derived(lambda s: (States(s.role, s.reduce, s._kept).name, "own_text"))
    verdict_labels = derived(lambda s: tuple(s.labels))

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.labels) != 2 or len({label.strip().casefold() for label in self.labels} - {""}) != 2:
            raise InnerjudgeError(f"given labels={tuple(self.labels)}, expected two that differ: no, and then yes")

    def fit(self, features: Features, labels: npt.ArrayLike, sample_weight: Weights = None) -> Self:
        """Learn from labels ``[n]`` of the items, booleans or numbers: a verdict is right if it says the same.

        ``InnerjudgeError`` if no item can be read, or all verdicts are right, or all wrong.
        """
        part, values, excluded, weight = self._weighted(features, labels, sample_weight)
        p = soft_correctness(values, both=False)
        super().fit(part, np.where(self._said(part), p, 1.0 - p), weight)
        self.n_excluded_ = excluded
        return self

    def trust(self, features: Features) -> Floats:
        """Probability that each verdict is right, ``[n]``; ``InnerjudgeError`` as :meth:`decision_function`."""
        return np.asarray(expit(np.where(self._said(features), 1, -1) * self.decision_function(features)))

    def _said(self, features: Features) -> npt.NDArray[np.bool_]:
        return np.array([one == 1 for one in self._read(features)], dtype=bool)

    def _read(self, features: Features) -> list[int | str]:
        return [find_verdict(text, self.labels, cue=self.cue) for text in features.texts["own_text"]]

    def _scores(self, features: Features) -> Scores:
        return np.where(self._said(features), 1, -1) * super()._scores(features)

    def _unreadable(self, features: Features) -> dict[str, str]:
        none = {i: one for i, one in zip(features.ids, self._read(features), strict=True) if isinstance(one, str)}
        return super()._unreadable(features) | none
