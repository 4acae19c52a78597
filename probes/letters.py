"""The option letter that the model itself finds likeliest."""

from collections.abc import Mapping
from typing import Self

import numpy as np

from ..extraction.features import Features
from .choices import ChoiceJudge, mask_options
from .description import Task
from .judge import Scores


class LetterLogits(ChoiceJudge):
    """Next-token logits of the option letters, the baseline of the QK-score paper (arXiv 2410.02343).

    Args:
        abstain: Whether the last two option lines take part, see :class:`~innerjudge.probes.choices.ChoiceJudge`.

    Example:
        >>> from innerjudge.extraction import Features, Provenance
        >>> logits = np.zeros((1, 2, 2, 4), np.float32)
        >>> logits[0, 1, 1] = [1, 2, 0, 9]  # the model's own logits: (normed, last block)
        >>> f = Features(ids=("a",), groups=("a",), provenance=Provenance("m", None, "f", "", "", ""),
        ...              arrays={"logits/score": logits, "labels": np.array([4], np.float32)})
        >>> LetterLogits().predict(f), LetterLogits(abstain=False).predict(f)
        (array([3]), array([1]))
        >>> LetterLogits(abstain=False).decision_function(f)
        array([[  1.,   2., -inf, -inf]])
    """

    family = "logits"
    needs = ("logits/score", "labels")

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Self]:
        """For choices, with the abstain lines and without."""
        if task.kind != "choice":
            return {}
        return {"letter-logits": cls(), "letter-logits-no-abstain": cls(abstain=False)}

    def __init__(self, *, abstain: bool = True) -> None:
        self.abstain = abstain

    def _scores(self, features: Features) -> Scores:
        return mask_options(features["logits/score"][:, 1, -1].astype(np.float64), self._n_options(features))
