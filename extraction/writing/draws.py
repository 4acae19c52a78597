"""Which tokens a step may write, and sampled ones that do not depend on how many texts are still in the batch."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor


class Writable(LogitsProcessor):
    """Leaves out ids that stand for no text: models pad their vocabulary beyond that of their tokenizer.

    Args:
        n: Ids that the tokenizer can write.

    Example:
        >>> Writable(2)(None, torch.zeros(1, 3))
        tensor([[0., 0., -inf]])
    """

    def __init__(self, n: int) -> None:
        self._n = n

    def __call__(self, _input_ids: Any, scores: Tensor) -> Tensor:
        """``[B, vocabulary]`` logits."""
        left = scores.clone()
        left[:, self._n :] = -torch.inf
        return left


class Draws(LogitsProcessor):
    """Scores whose largest entry is a token drawn from the distribution: for a ``generate`` that takes the largest.

    ``torch.multinomial`` draws one token a row in this very way, with noise for all rows at once: the tokens are those
    that it would draw for the whole batch, whichever rows are left of it.

    Args:
        temperature: Divides the logits.
        n: Texts of the whole batch.
        present: Which of them are in the batch at the moment; the caller takes out those that leave.

    Example:
        >>> logits, rows = torch.randn(3, 7), [0, 1, 2]
        >>> seed = torch.manual_seed(0)
        >>> whole = torch.multinomial((logits / 0.5).softmax(-1), 1)[:, 0]
        >>> draws, rows[:], seed = Draws(0.5, 3, rows), [2], torch.manual_seed(0)
        >>> bool(draws(None, logits[[2]]).argmax(-1) == whole[2])
        True
    """

    def __init__(self, temperature: float, n: int, present: Sequence[int]) -> None:
        self._temperature, self._n, self._present = temperature, n, present

    def __call__(self, _input_ids: Any, scores: Tensor) -> Tensor:
        """``[B, vocabulary]`` logits of the texts that are present."""
        noise = torch.empty(self._n, scores.shape[1], device=scores.device, dtype=scores.dtype).exponential_(1)
        return (scores / self._temperature).softmax(-1) / noise[list(self._present)]
