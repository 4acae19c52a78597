"""Attention of one query over all keys: one row of the weights, never the square of them."""

from typing import Any

import torch
from torch import Tensor
from transformers.models.llama import modeling_llama

from ...models.attention_calls import AttentionCall
from ...models.errors import UnreadableError
from ...models.rotary import select

#: Terms that a softmax may have beside the scaled products and the mask.
_OWN = ("softcap", "s_aux", "position_bias")


class AttentionRow:
    """Reads rows in block after block of one pass; the line of a mask that many blocks are given is made once."""

    def __init__(self, family: str) -> None:
        self._family = family
        self._masks: list[tuple[Any, tuple[Any, ...], Tensor]] = []
        self._plain: dict[Any, bool] = {}

    def of(self, call: AttentionCall, at: Tensor) -> Tensor:
        """Weights of the query at ``at`` (``[B]``, the same in every block) over all keys, ``[B, H, S]``.

        Those that the kernel returned; else by the family's own eager function on this one query, so that soft-cap,
        sinks and biases are in; else the softmax of the scaled products. ``UnreadableError`` where terms of the
        family's own are in a softmax that no known function computes.
        """
        if call.weights is not None:
            return call.weights[torch.arange(at.shape[0], device=at.device), :, at]
        assert call.key is not None
        scaling = call.query.shape[-1] ** -0.5 if call.scaling is None else call.scaling
        query, mask = select(call.query, at[:, None]), self._mask(call, at)
        if call.eager is not None and not self._is_plain(call):
            extra = {
                name: _line(value, call, at) for name, value in call.extra.items() if name not in ("value", "is_causal")
            }
            # What it makes of the values is thrown away: one number of each is enough.
            given = (query, call.key, call.extra["value"][..., :1], mask)
            _, weights = call.eager(call.module, *given, scaling=scaling, dropout=0.0, **extra)
            return weights[:, :, 0]  # type: ignore[no-any-return]
        own = [name for name in _OWN if call.extra.get(name) is not None]
        if own:
            raise UnreadableError(
                f"given {self._family}, whose kernel takes {own[0]}, expected a softmax of scaled products: load the "
                "model with attn_implementation='eager'",
                {"attention"},
            )
        key = call.key if call.eager is not None else call.key.float()
        grouped = query[:, :, 0].to(key.dtype).unflatten(1, (key.shape[1], -1))
        # Contiguous: a product with strided keys takes twice as long as to copy them.
        logits: Tensor = (grouped @ key.contiguous().transpose(2, 3)).flatten(1, 2) * scaling
        return (logits + mask[:, :, 0].to(logits.dtype)).softmax(-1, dtype=torch.float32)

    def _is_plain(self, call: AttentionCall) -> bool:
        """Whether the family's eager function is the softmax of scaled products, which costs less here."""
        if call.eager not in self._plain:
            self._plain[call.eager] = is_plain(call.eager)
        return self._plain[call.eager] and all(call.extra.get(name) is None for name in _OWN)

    def _mask(self, call: AttentionCall, at: Tensor) -> Tensor:
        """The line of the mask at ``at``, additive, in the type of the query: ``[B, 1 or H, 1, S]``."""
        assert call.key is not None
        causal = call.extra.get("is_causal")
        causal = getattr(call.module, "is_causal", True) if causal is None else causal
        like = (causal, call.key.shape[2], call.query.shape[2], call.query.dtype, at.device)
        for mask, known, line in self._masks:
            if mask is call.mask and known == like:
                return line
        line = _mask(call, at, causal).to(call.query.dtype)
        # Full and sliding attention take turns: the lines of two masks are kept.
        self._masks = [*self._masks[-1:], (call.mask, like, line)]
        return line


def _mask(call: AttentionCall, at: Tensor, causal: bool) -> Tensor:
    assert call.key is not None
    lowest = torch.finfo(call.query.dtype).min
    if call.mask is None:
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


def is_plain(eager: Any) -> bool:
    """Whether a function does what Llama's does, line by line: ``softmax(scaling * query @ key + mask)``, in fp32.

    Most families have a copy of it, whose compiled code is the same. One with a soft-cap, sinks or biases of its own is
    another function, whatever it gives for one input.

    Example:
        >>> from transformers.models.gemma2 import modeling_gemma2
        >>> from transformers.models.qwen3 import modeling_qwen3
        >>> is_plain(modeling_qwen3.eager_attention_forward), is_plain(modeling_gemma2.eager_attention_forward)
        (True, False)
    """
    plain = modeling_llama.eager_attention_forward
    repeat = getattr(eager, "__globals__", {}).get("repeat_kv")
    return _code(eager) == _code(plain) and _code(repeat) == _code(modeling_llama.repeat_kv)


def _code(function: Any) -> tuple[Any, ...] | None:
    code = getattr(function, "__code__", None)
    return None if code is None else (code.co_code, code.co_consts, code.co_names, code.co_varnames)
