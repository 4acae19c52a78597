"""One tap on the attention of every block: query-key products and attention rows, while the kernel keeps computing.

transformers routes most causal LMs through a registry of attention functions that receive each block's query and key
after norm and rotary. The tap wraps the registered function; without an active tap in the thread it passes everything
through. A family outside the registry is read by hooks on ``q_proj`` / ``k_proj`` and by the attention weights that it
returns itself.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from ..models.errors import UnreadableError
from ..models.loading import LanguageModel
from .rotary import Call, before_rotation, install, rotary_functions, select, watch

_active = threading.local()
_install_lock = threading.Lock()


class AttentionTap(AbstractContextManager["AttentionTap"]):
    """Keeps, in every block and head, what one query position has to do with ``K`` key positions.

    Args:
        lm: The model.
        query: Token index of the query, ``[B]``.
        keys: Token indices of the keys, ``[B, K]``.
        kinds: Any of ``"qk/before"``, ``"qk/after"``, ``"attention"``.
    """

    def __init__(self, lm: LanguageModel, query: Tensor, keys: Tensor, *, kinds: frozenset[str]) -> None:
        self._anatomy = lm.anatomy
        self._query, self._keys, self._kinds = query, keys, kinds
        self._block_of = {m: i for i, block in enumerate(lm.anatomy.blocks) for m in block.modules()}
        self._rotated: list[Call] = []
        self._projected: dict[nn.Module, dict[str, Tensor]] = {}
        self._handles: list[Any] = []
        self._seen: set[int] = set()
        shape = (query.shape[0], lm.anatomy.n_blocks, lm.anatomy.n_heads, keys.shape[1])
        self._arrays = {kind: torch.zeros(shape, device=query.device) for kind in kinds}
        self._kernel = lm.attention

    def __enter__(self) -> AttentionTap:
        modelling = sys.modules[type(self._anatomy.blocks[0]).__module__]
        if hasattr(modelling, "ALL_ATTENTION_FUNCTIONS"):
            if "attention" in self._kinds and self._kernel not in ("sdpa", "eager"):
                raise UnreadableError(
                    f"given the attention kernel {self._kernel!r}, expected sdpa or eager for attention rows: load the "
                    "model with attn_implementation='sdpa'",
                    {"attention"},
                )
            _install(self._kernel, modelling)
            watch(self._rotated if "qk/before" in self._kinds else None)
        elif "qk/after" in self._kinds and rotary_functions(modelling):
            raise UnreadableError(
                f"given {type(self._anatomy.blocks[0]).__name__}, which rotates queries and keys where they cannot be "
                "read, expected attention through transformers' registry: use rotary='before' or Attention-score",
                {"qk/after"},
            )
        else:
            self._hook_projections()
        _active.tap = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _active.tap = None
        watch(None)
        for handle in self._handles:
            handle.remove()

    def results(self) -> dict[str, Tensor]:
        """Kind -> ``[B, L, H, K]``, fp32; zeros in blocks without attention heads."""
        if not self._seen:
            raise UnreadableError(
                f"given {type(self._anatomy.blocks[0]).__name__}, none of whose blocks handed over queries and keys, "
                "expected attention through transformers' registry: judge this model with CLUE or LAGER",
                self._kinds,
            )
        return self._arrays

    def take(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        mask: Tensor | None,
        scale: float | None,
        weights: Tensor | None,
    ) -> None:
        """Called by the wrapped kernel: query ``[B, H, T, hd]`` and key ``[B, Hkv, T, hd]`` after rotary."""
        rotated = self._rotated.copy()
        self._rotated.clear()
        block = self._block_of.get(module)
        if block is None:
            return
        self._seen.add(block)
        q_at, k_at = self._query.to(query.device), self._keys.to(query.device)
        # OPT scales its queries itself and tells the kernel 1: undone here.
        own: Any = getattr(module, "scaling", None)
        done = own if scale == 1.0 and isinstance(own, float) else 1.0
        if "qk/after" in self._kinds:
            q, k = select(query, q_at[:, None]), select(key, k_at)
            self._arrays["qk/after"][:, block] = _products(q[:, :, 0].float() / done, k.float())
        if "qk/before" in self._kinds:
            family = type(module).__name__
            q = before_rotation(query, q_at[:, None], rotated, family)
            k = before_rotation(key, k_at, rotated, family)
            self._arrays["qk/before"][:, block] = _products(q[:, :, 0].float() / done, k.float())
        if "attention" in self._kinds:
            row = _row(query, key, mask, scale, q_at) if weights is None else select(weights, q_at[:, None])[:, :, 0]
            picked = row.float().gather(2, k_at[:, None].expand(-1, row.shape[1], -1))
            self._arrays["attention"][:, block] = picked.to(self._query.device)

    def _hook_projections(self) -> None:
        for module in self._block_of:
            children = dict(module.named_children())
            if {"q_proj", "k_proj"} <= children.keys():
                for name in ("q_proj", "k_proj"):
                    hook = functools.partial(self._projection, module, name)
                    self._handles.append(children[name].register_forward_hook(hook))
                self._handles.append(module.register_forward_hook(self._after_attention))

    def _projection(self, owner: nn.Module, name: str, _m: nn.Module, _args: tuple[Any, ...], output: Tensor) -> None:
        if getattr(_active, "tap", None) is self:
            split = rearrange(output, "b t (h d) -> b h t d", d=self._anatomy.head_dim)
            self._projected.setdefault(owner, {})[name] = split

    def _after_attention(self, module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        if getattr(_active, "tap", None) is self:
            kept = self._projected.pop(module)
            weights = output[1] if isinstance(output, tuple) and len(output) > 1 else None
            if "attention" in self._kinds and (weights is None or weights.ndim != 4):
                raise UnreadableError(
                    f"given {type(module).__name__}, which returns no attention weights, expected some: load the model "
                    "with attn_implementation='eager'",
                    {"attention"},
                )
            self.take(module, kept["q_proj"], kept["k_proj"], None, None, weights)


def _products(query: Tensor, keys: Tensor) -> Tensor:
    """``[B, H, hd]`` with ``[B, Hkv, K, hd]`` -> ``[B, H, K]``; query head ``h`` reads key head ``h // (H / Hkv)``."""
    grouped = rearrange(query, "b (g r) d -> b g r d", g=keys.shape[1])
    return rearrange(torch.einsum("bgrd,bgkd->bgrk", grouped, keys), "b g r k -> b (g r) k")


def _row(query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None, at: Tensor) -> Tensor:
    """Attention of the query at ``at`` over all keys, ``[B, H, T]``: one row, never ``[T, T]``."""
    rows = torch.arange(query.shape[0], device=query.device)
    logits = _products(query[rows, :, at].float(), key.float()) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if mask is None:
        visible = torch.arange(key.shape[2], device=key.device)[None] <= at[:, None]
        logits = logits.masked_fill(~visible[:, None], float("-inf"))
    else:
        line = mask.expand(query.shape[0], -1, -1, -1)[rows, :, at][..., : key.shape[2]]
        logits = logits.masked_fill(~line, float("-inf")) if line.dtype == torch.bool else logits + line.float()
    return logits.softmax(-1)


def _install(kernel: str, modelling: Any) -> None:
    """Wrap the attention function of ``kernel`` once; eager functions live in the modelling file itself."""
    with _install_lock:
        install(modelling)
        if kernel == "eager":
            function = modelling.eager_attention_forward
            if not hasattr(function, "_innerjudge"):
                modelling.eager_attention_forward = _wrapped(function)
        elif not hasattr(ALL_ATTENTION_FUNCTIONS[kernel], "_innerjudge"):
            ALL_ATTENTION_FUNCTIONS.register(kernel, _wrapped(ALL_ATTENTION_FUNCTIONS[kernel]))


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def attend(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any, *args: Any, **kwargs: Any
    ) -> Any:
        output = function(module, query, key, value, mask, *args, **kwargs)
        tap: AttentionTap | None = getattr(_active, "tap", None)
        if tap is not None:
            tap.take(module, query, key, mask, kwargs.get("scaling"), output[1])
        return output

    attend._innerjudge = True  # type: ignore[attr-defined]
    return attend
