"""One number of an item from what a head says of each of its states, differentiable."""

from typing import Literal

import torch

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

    Example:
        >>> v, a = [1.0, 2, -1], [0.0, 1.0986123, -1.0986123]  # gates of 1/2, 3/4 and 1/4
        >>> pool(torch.tensor([v, a]).T, torch.tensor([3]), "gated").round(decimals=4)
        tensor([1.1667])
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
    if how == "attention":
        weights = (more - _extreme(more, item, len(counts), "max")[item]).exp()
    else:
        weights = more.sigmoid() if how == "gated" else torch.ones_like(values)
    if how == "probability":
        values = values.sigmoid()
    zeros = values.new_zeros(len(counts), heads)
    total = zeros.index_add(0, item, weights).clamp_min(torch.finfo(values.dtype).tiny)
    pooled = zeros.index_add(0, item, weights * values) / total
    return (torch.logit(pooled, eps=1e-7) if how == "probability" else pooled).mean(dim=1)


def _extreme(values: torch.Tensor, item: torch.Tensor, n: int, how: Literal["min", "max"]) -> torch.Tensor:
    """The least or greatest row of each item, head by head."""
    index = item[:, None].expand_as(values)
    return values.new_zeros(n, values.shape[1]).scatter_reduce(0, index, values, f"a{how}", include_self=False)
