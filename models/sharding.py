"""Weights and heads that tensor parallelism has spread over processes, brought together."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .heads import Heads


def gathered(tensor: Tensor) -> Tensor:
    """The whole of a weight of which each process holds a part; any other tensor as it is.

    Every process must ask for it at the same time.

    Example:
        >>> gathered(torch.ones(2)).tolist()
        [1.0, 1.0]
    """
    whole = getattr(tensor, "full_tensor", None)
    return tensor if whole is None else whole()


def find_spread(model: nn.Module, heads: Sequence[Sequence[Heads]]) -> int:
    """Over how many processes the heads of each attention are spread: 1 without tensor parallelism."""
    size = getattr(model, "tp_size", None) or 1
    if size == 1:
        return 1
    config: Any = model.config
    known = getattr(config.get_text_config(decoder=True), "num_attention_heads", None)
    own = {one.n_heads for block in heads for one in block}
    return int(size) if own == {(known or 0) // size} else 1


def all_heads(own: Tensor, spread: int) -> Tensor:
    """``[B, L, H, K]`` of all heads from those of this process; every process must ask for it at the same time.

    Example:
        >>> all_heads(torch.ones(1, 2, 3, 4), 1).shape
        torch.Size([1, 2, 3, 4])
    """
    if spread == 1:
        return own
    parts = [torch.empty_like(own) for _ in range(spread)]
    dist.all_gather(parts, own.contiguous())
    return torch.cat(parts, dim=2)
