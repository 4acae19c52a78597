"""Another library's reading of the same small models: states, queries, keys and patterns of a TransformerBridge."""

from __future__ import annotations

import tempfile
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from ...extraction import AttentionWeights, HiddenStates, QueryKey, extract
from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel
from .shrink import small_config
from .small_model import random_items, readable, small_model

_TOLERANCE = 1e-3


def check_transformer_lens(model_type: str) -> str:
    """``"pass"`` if all that both libraries read agrees; else what differs, or why TransformerLens does not load it.

    Compared are ``hook_resid_pre`` and ``hook_resid_post`` of every block, and, where the bridge has them,
    ``attn.hook_pattern`` and the products of ``attn.hook_q`` with ``attn.hook_k`` (behind a q/k norm if there is one)
    and of ``attn.hook_rot_q`` with ``attn.hook_rot_k``.
    """
    from transformer_lens.model_bridge import TransformerBridge

    try:
        lm = readable(small_model(small_config(model_type)))
    except Exception as error:  # what the type itself is short of stands in the other columns
        return f"not compared: {type(error).__name__}"
    item = random_items(lm, (13,))[0]
    try:
        # It would install torchvision by itself for some models, and with it another torch.
        with tempfile.TemporaryDirectory() as folder, patch("subprocess.check_call", side_effect=_refuse):
            lm.model.save_pretrained(folder)
            lm.tokenizer.save_pretrained(folder)
            bridge: Any = TransformerBridge.boot_transformers(folder, device="cpu", tokenizer=lm.tokenizer)
        with torch.no_grad():
            _, cache = bridge.run_with_cache(torch.tensor([item.ids]))
    except Exception as error:
        return f"TransformerLens does not load it: {type(error).__name__}: {' '.join(str(error).split())[:120]}"
    return _compare(lm, item, cache)


def _refuse(*_args: Any, **_kwargs: Any) -> None:
    raise ImportError("it needs torchvision, which is not installed")


def _compare(lm: LanguageModel, item: Any, cache: Any) -> str:
    at, length = len(item.ids) - 1, len(item.ids)
    states = extract(lm, [item], [HiddenStates("score")])["hidden/score"][0]
    seen = 0
    for block in range(lm.anatomy.n_blocks):
        for name, row in (("hook_resid_pre", block), ("hook_resid_post", block + 1)):
            key = f"blocks.{block}.{name}"
            theirs = cache[key] if key in cache else None  # noqa: SIM401 the cache has no get
            if theirs is not None:
                seen += 1
                if (off := _off(states[row], theirs[0, at].flatten())) > _TOLERANCE:
                    return f"differs: {name} of block {block + 1} by {off:.1g}"
    if not seen:
        return "TransformerLens keeps no residual stream of it"
    for readout, names in (
        (AttentionWeights(), ("hook_pattern",)),
        (QueryKey("before"), ("hook_q", "hook_k")),
        (QueryKey("after"), ("hook_rot_q", "hook_rot_k")),
    ):
        try:
            ours = extract(lm, [item], [readout])[readout.name][0]
        except InnerjudgeError:
            continue
        for block, heads in enumerate(lm.anatomy.heads):
            keys = [f"blocks.{block}.attn.{name}" for name in names]
            if readout == QueryKey("before") and f"{keys[0]}_normed" in cache:
                keys = [f"{key}_normed" for key in keys]  # hook_q itself is before a q/k norm
            if len(heads) != 1 or not all(key in cache for key in keys):
                continue
            held = [cache[key][0] for key in keys]
            theirs = (
                held[0][:, at, :length] if len(held) == 1 else _products(held[0], held[1], heads[0].head_dim, length)
            )
            if theirs is not None and (off := _off(ours[block, : theirs.shape[0]], theirs)) > _TOLERANCE:
                return f"differs: {' '.join(names)} of block {block + 1} by {off:.1g}"
    return "pass"


def _products(queries: Tensor, keys: Tensor, head_dim: int, length: int) -> Tensor | None:
    """Products of the last query with all keys, ``[H, T]``, of hooks that hand over heads in one of three layouts."""
    lined = []
    for states in (queries, keys):
        if states.ndim == 2:
            if states.shape[-1] % head_dim:
                return None
            states = states.view(length, -1, head_dim)
        lined.append(states if states.shape[0] == length else states.transpose(0, 1))
    q, k = lined
    if q.shape[0] != length or k.shape[0] != length or q.shape[-1] != head_dim or q.shape[1] % k.shape[1]:
        return None
    return torch.einsum("hd,thd->ht", q[-1], k.repeat_interleave(q.shape[1] // k.shape[1], dim=1))


def _off(ours: Any, theirs: Tensor) -> float:
    own = theirs.detach().float().numpy()
    if ours.shape != own.shape:
        return float("inf")
    return float(np.abs(ours - own).max() / max(float(np.abs(own).max()), 1e-6))
