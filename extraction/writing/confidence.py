"""Texts that are stopped while they are written, as the model is too unsure of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor

from ...models.arguments import Count, checked_fields
from ...models.errors import InnerjudgeError


@checked_fields
@dataclass(frozen=True, slots=True)
class LeastConfidence:
    """DeepConf's online stop (arXiv 2508.15260): a text ends once the mean confidence of ``window`` tokens is too low.

    The confidence of a token is minus the mean of the ``top`` largest log-probabilities of the distribution that it is
    drawn from, before any temperature. The mean is that of the last ``window`` tokens, and must reach ``bar``; a text
    of fewer tokens is never stopped. The paper also stops sampling when the leading answer has 95 % of the weight.
    """

    bar: float
    window: Count = 2048
    top: Count = 20

    @classmethod
    def of(cls, scores: Sequence[float], *, keep: float = 0.9, window: int = 2048) -> Self:
        """The bar that the share ``keep`` of warm-up texts reach, of ``scores`` of the judge ``deepconf-lowest-group``.

        0.9 is the paper's "high" and 0.1 its "low". ``InnerjudgeError`` without scores, if one is not finite, or
        if ``keep`` is no share.

        Example:
            >>> LeastConfidence.of([2, 3, 4, 5, 8]).bar, LeastConfidence.of([2, 3, 4, 5, 8], keep=0.1).bar
            (2.4, 6.8)
        """
        if not len(scores) or not 0 <= keep <= 1 or not np.isfinite(np.asarray(scores, dtype=np.float64)).all():
            said = f"given {len(scores)} scores and keep={keep}"
            raise InnerjudgeError(f"{said}, expected some and a share of them, all finite: leave unscored texts out")
        return cls(round(float(np.quantile(scores, 1 - keep)), 12), window)


class ConfidenceRecord(LogitsProcessor):
    """Follows the confidence of every text of a batch from the raw logits of its steps."""

    def __init__(self, least: LeastConfidence) -> None:
        self._least = least
        self._sums: list[Tensor | float] = [0.0]

    def __call__(self, _input_ids: Any, scores: Tensor) -> Tensor:
        """Take the raw logits of a step, ``[B, vocabulary]``."""
        top = scores.float().log_softmax(-1).topk(min(self._least.top, scores.shape[-1])).values
        self._sums.append(self._sums[-1] - top.mean(-1).double())
        return scores

    def low(self) -> set[int]:
        """Rows whose last full window is below the bar."""
        if len(self._sums) <= self._least.window:
            return set()
        mean = torch.as_tensor(self._sums[-1] - self._sums[-1 - self._least.window]) / self._least.window
        return set((mean < self._least.bar).nonzero()[:, 0].tolist())
