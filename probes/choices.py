"""What all judges of multiple-choice questions share: which options take part, and the argmax over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..models.prompts import ABSTAIN_OPTIONS
from .judge import Judge, Scores
from .labels import Ints

_LAST = len(ABSTAIN_OPTIONS)


class ChoiceJudge(Judge):
    """Scores ``[n, K]``: one a lettered option, ``-inf`` where an item has no such option or it takes no part.

    The label is the 0-based index of the highest score; the first option of a tie. With ``abstain=False`` the last two
    option lines ("None of the above", "I don't know") take no part; pass ``True`` where the prompts have no such lines.
    """

    abstain: bool

    def _n_options(self, features: Features) -> Ints:
        """Options that take part, ``[n]``: always the first ones."""
        return features["labels"].astype(np.intp) - (0 if self.abstain else _LAST)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [int(k) for k in scores.argmax(axis=-1)]

    def _unreadable(self, features: Features) -> dict[str, str]:
        lines = f"option lines, expected at least 2{'' if self.abstain else f' and the {_LAST} abstain lines'}"
        counts = zip(features.ids, features["labels"], self._n_options(features), strict=True)
        return {item: f"{int(total)} {lines}" for item, total, n in counts if n < 2}


def mask_options(scores: npt.NDArray[Any], n_options: Ints) -> Scores:
    """``-inf`` beyond each item's options; ``scores`` is ``[n, ..., K]``.

    Example:
        >>> mask_options(np.array([[1.0, 2.0, 3.0]]), np.array([2]))
        array([[  1.,   2., -inf]])
    """
    inside = option_mask(n_options, scores.shape[-1]).reshape(len(scores), *[1] * (scores.ndim - 2), scores.shape[-1])
    return np.where(inside, scores, -np.inf)


def option_mask(n_options: Ints, k: int) -> npt.NDArray[np.bool_]:
    """Which of ``k`` places are options, ``[n, k]``.

    Example:
        >>> option_mask(np.array([1]), 2)
        array([[ True, False]])
    """
    return np.asarray(np.arange(k) < np.asarray(n_options)[:, None])
