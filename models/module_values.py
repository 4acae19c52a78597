"""The states that a module takes and returns, found among its other inputs and outputs."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

#: Class of block -> the names of the two streams that it takes, and of those that it gives: reversible residuals hand
#: on both. The one that transformers calls the hidden states comes first.
TWO_STREAMS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "ReformerLayer": (("hidden_states", "prev_attn_output"), ("hidden_states", "attn_output"))
}


def states_taken(module: nn.Module, args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor | None:
    """First floating tensor that a call hands to a module, ``hidden_states`` before others; two streams side by side.

    Example:
        >>> states_taken(nn.Identity(), (), {"mask": torch.ones(1), "hidden_states": torch.zeros(2)}).tolist()
        [0.0, 0.0]
    """
    names = TWO_STREAMS.get(type(module).__name__)
    if names is not None and all(name in kwargs for name in names[0]):
        return torch.cat([kwargs[name] for name in names[0]], dim=-1)
    given = floating(kwargs.get("hidden_states")) if not args else None
    return floating((*args, kwargs)) if given is None else given


def states_given(module: nn.Module, output: Any) -> Tensor | None:
    """First floating tensor of what a module returned; two streams side by side."""
    names = TWO_STREAMS.get(type(module).__name__)
    if names is not None and all(hasattr(output, name) for name in names[1]):
        return torch.cat([getattr(output, name) for name in names[1]], dim=-1)
    return floating(output)


def floating(values: Any) -> Tensor | None:
    """First floating tensor of what a module was given or gave; outputs may be tuples, lists or mappings."""
    if isinstance(values, Tensor):
        return values if values.is_floating_point() else None
    inner = values.values() if isinstance(values, dict) else values if isinstance(values, tuple | list) else ()
    return next((found for found in map(floating, inner) if found is not None), None)
