"""One number of an item from what a head says of each of its states, differentiable."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch.nn.functional import logsigmoid

Pool = Literal["mean", "min", "max", "last", "probability", "gated", "attention", "rolling"]


def pool(out: torch.Tensor, counts: torch.Tensor, how: Pool, window: int = 10) -> torch.Tensor:
    r"""Pool outputs over the states of each item, and take the mean over heads: ``[N, outputs]`` to ``[n]``.

    Items lie one after another, ``counts[k] >= 1`` states each. An item of one state has that state's value, whatever
    ``how``.

    * ``"mean"``, ``"min"``, ``"max"``, ``"last"`` of the values. The least score of correctness is what MultiMax takes
      (arXiv 2601.11516, whose scores are of a fault, and which takes the greatest).
    * ``"probability"``: the log-odds of the mean of :math:`\sigma(v)` (STEP, arXiv 2601.09093).
    * ``"gated"``: :math:`\sum g v / \sum g` with :math:`g = \sigma(a)` (SWIFT, arXiv 2505.12225).
    * ``"attention"``: :math:`\sum_t \mathrm{softmax}(a)_t v_t` (arXiv 2601.11516).
    * ``"rolling"``: the least mean of ``window`` states in a row; of all, where there are fewer.

    For the two with :math:`a`, the first half of the outputs are values and the second half :math:`a`.
    """
    item = torch.arange(len(counts)).repeat_interleave(counts)
    ends = counts.cumsum(0)
    heads = out.shape[1] // 2 if how in ("gated", "attention") else out.shape[1]
    values, more = out[:, :heads], out[:, heads:]
    if how == "last":
        return values[ends - 1].mean(dim=1)
    if how in ("min", "max"):
        return _extreme(values, item, len(counts), how).mean(dim=1)
    if how == "rolling":
        starts, length = ends - counts, counts.clamp(max=window)
        windows = counts - length + 1
        owner = torch.arange(len(counts)).repeat_interleave(windows)
        first = starts[owner] + torch.arange(len(owner)) - (windows.cumsum(0) - windows)[owner]
        place = torch.arange(window)
        inside = (place < length[owner][:, None])[..., None]
        picked = values[(first[:, None] + place).clamp(max=len(values) - 1)]
        means = (picked * inside).sum(dim=1) / length[owner][:, None]
        return _extreme(means, owner, len(counts), "min").mean(dim=1)
    if how == "probability":  # log of the sums of probabilities of right and of wrong
        right, wrong = (_log_sum(logsigmoid(side), item, len(counts)) for side in (values, -values))
        return (right - wrong).mean(dim=1)
    if how == "attention":
        weights = (more - _extreme(more, item, len(counts), "max")[item]).exp()
    else:
        weights = more.sigmoid() if how == "gated" else torch.ones_like(values)
    zeros = values.new_zeros(len(counts), heads)
    total = zeros.index_add(0, item, weights).clamp_min(torch.finfo(values.dtype).tiny)
    return (zeros.index_add(0, item, weights * values) / total).mean(dim=1)


def _log_sum(logs: torch.Tensor, item: torch.Tensor, n: int) -> torch.Tensor:
    """Logarithm of the sum of exponentials over each item, head by head."""
    most = _extreme(logs, item, n, "max")
    return most + logs.new_zeros(n, logs.shape[1]).index_add(0, item, (logs - most[item]).exp()).log()


def _extreme(values: torch.Tensor, item: torch.Tensor, n: int, how: Literal["min", "max"]) -> torch.Tensor:
    """The least or greatest row of each item, head by head."""
    index = item[:, None].expand_as(values)
    return values.new_zeros(n, values.shape[1]).scatter_reduce(0, index, values, f"a{how}", include_self=False)


@dataclass(frozen=True, slots=True)
class Head:
    """A fully connected network on each state, and what pools it; its weights are one flat vector.

    Args:
        widths: Width of each hidden layer (ReLU).
        heads: Number of outputs that are pooled.
        how: How; see :func:`pool`.
        window: States of a window, for ``"rolling"``.
    """

    widths: tuple[int, ...]
    heads: int
    how: Pool
    window: int

    def layers(self, read: int) -> list[tuple[int, int]]:
        """How many numbers each layer reads and writes."""
        outputs = self.heads * (2 if self.how in ("gated", "attention") else 1)
        return list(pairwise((read, *self.widths, outputs)))

    def size(self, read: int) -> int:
        """Number of weights and biases."""
        return sum((a + 1) * b for a, b in self.layers(read))

    def start(self, read: int, generator: torch.Generator) -> torch.Tensor:
        """Weights to begin with, drawn as those of ``torch.nn.Linear`` are."""
        drawn = [(torch.rand((a + 1) * b, generator=generator) * 2 - 1) * a**-0.5 for a, b in self.layers(read)]
        return torch.cat(drawn)

    def outputs(self, weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """What it says of states ``[N, F]``: ``[N, outputs]``."""
        for k, (read, write) in enumerate(self.layers(x.shape[1])):
            matrix, bias, weights = weights.split([read * write, write, len(weights) - (read + 1) * write])
            x = (x.relu() if k else x) @ matrix.view(read, write) + bias
        return x

    def pooled(self, weights: torch.Tensor, x: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """One number an item, ``[n]``."""
        return pool(self.outputs(weights, x), counts, self.how, self.window)
