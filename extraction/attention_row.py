"""Attention of one query over all keys: one row of the weights, never the square of them."""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from ..models.attention_calls import AttentionCall
from ..models.errors import UnreadableError


def attention_row(call: AttentionCall, at: Tensor, family: str) -> Tensor:
    """Weights of the query at ``at`` (``[B]``) over all keys, ``[B, H, S]``.

    The weights that the kernel returned; else the family's own eager function on this one query, so that soft-cap,
    sinks and biases are in; else the softmax of the scaled products.

    Raises:
        UnreadableError: If the softmax has terms of the family's own, and no function that computes them is known.
    """
    rows = torch.arange(at.shape[0], device=at.device)
    if call.weights is not None:
        return call.weights[rows, :, at]
    assert call.key is not None
    query, mask = call.query[rows, :, at][:, :, None], _mask(call, at)
    if call.eager is not None:
        extra = {
            name: _line(value, call, at) for name, value in call.extra.items() if name not in ("value", "is_causal")
        }
        given = (query, call.key, call.extra["value"], mask.to(query.dtype))
        scaling = call.query.shape[-1] ** -0.5 if call.scaling is None else call.scaling
        _, weights = call.eager(call.module, *given, scaling=scaling, dropout=0.0, **extra)
        return weights[:, :, 0]  # type: ignore[no-any-return]
    own = [name for name in ("softcap", "s_aux", "position_bias") if call.extra.get(name) is not None]
    if own:
        raise UnreadableError(
            f"given {family}, whose kernel takes {own[0]}, expected a softmax of scaled products: load the model with "
            "attn_implementation='eager'",
            {"attention"},
        )
    grouped = rearrange(query[:, :, 0].float(), "b (g r) d -> b g r d", g=call.key.shape[1])
    logits = rearrange(torch.einsum("bgrd,bgkd->bgrk", grouped, call.key.float()), "b g r k -> b (g r) k")
    logits = logits * (call.query.shape[-1] ** -0.5 if call.scaling is None else call.scaling)
    return (logits + mask[:, :, 0].float()).softmax(-1)


def _mask(call: AttentionCall, at: Tensor) -> Tensor:
    """The line of the mask at ``at``, additive: ``[B, 1 or H, 1, S]``."""
    assert call.key is not None
    lowest = torch.finfo(call.query.dtype).min
    if call.mask is None:
        causal = call.extra.get("is_causal")
        causal = getattr(call.module, "is_causal", True) if causal is None else causal
        lent = call.key.shape[2] - call.query.shape[2]  # keys of a prompt before the tokens of the pass
        seen = torch.arange(call.key.shape[2], device=at.device)[None] <= at[:, None] + lent
        hidden = torch.zeros_like(seen) if not causal else ~seen
        return torch.zeros(seen.shape, device=at.device).masked_fill(hidden, lowest)[:, None, None]
    line: Tensor = _line(call.mask, call, at)
    line = line[..., : call.key.shape[2]]
    return (
        torch.zeros_like(line, dtype=call.query.dtype).masked_fill(~line, lowest) if line.dtype == torch.bool else line
    )


def _line(value: Any, call: AttentionCall, at: Tensor) -> Any:
    """What an argument of the kernel holds for the query at ``at``: one line of ``[B, H, T, S]``, else as it is."""
    if not isinstance(value, Tensor) or value.ndim != 4 or value.shape[2] != call.query.shape[2] or value.shape[2] == 1:
        return value
    rows = torch.arange(at.shape[0], device=at.device)
    return value.expand(at.shape[0], *value.shape[1:])[rows, :, at][:, :, None]
