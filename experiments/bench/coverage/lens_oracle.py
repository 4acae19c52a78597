"""Another library's reading of the same small models: states, queries, keys and patterns of a TransformerBridge."""

import tempfile
import textwrap
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from ....extraction import AttentionWeights, HiddenStates, QueryKey, extract
from ....models.errors import InnerjudgeError
from ....models.loading import LanguageModel
from .shrink import small_config
from .small_model import random_items, readable, small_model

_TOLERANCE = 1e-3
_READOUTS = (AttentionWeights(), QueryKey("before"), QueryKey("after"))


def check_transformer_lens(model_type: str) -> str:
    """``"pass"`` if all that both libraries read agrees; else what differs, or why TransformerLens does not load it.

    Compared are the input and output of every block, and, where the bridge keeps them, patterns and the products of
    queries with keys before and after the rotary embedding, by the hooks that :func:`hooks` names.
    """
    from transformer_lens.model_bridge import TransformerBridge

    try:
        made = readable(small_model(small_config(model_type)))
    except Exception as error:  # what the type itself is short of stands in the other columns
        return f"not compared: {type(error).__name__}"
    item = random_items(made, (13,))[0]
    try:
        # It would install torchvision by itself for some models, and with it another torch.
        with tempfile.TemporaryDirectory() as folder, patch("subprocess.check_call", side_effect=_refuse):
            made.model.save_pretrained(folder)
            made.tokenizer.save_pretrained(folder)
            lm = readable(AutoModelForCausalLM.from_pretrained(folder).eval())  # not all weights come back as they were
            bridge: Any = TransformerBridge.boot_transformers(folder, device="cpu", tokenizer=made.tokenizer)
        with torch.no_grad():
            _, cache = bridge.run_with_cache(torch.tensor([item.ids]))
    except Exception as error:
        said = textwrap.shorten(str(error), 120, placeholder=" ...")
        return f"TransformerLens does not load it: {type(error).__name__}: {said}"
    return _states(lm, item, cache) or _attention(lm, item, cache) or "pass"


def _refuse(*_args: Any, **_kwargs: Any) -> None:
    raise ImportError("it needs torchvision, which is not installed")


def hooks(cache: Any, block: int) -> dict[str, list[str]]:
    """Which hooks of a block hold what a readout reads: readout -> one name, or those of query and key.

    ``hook_q`` and ``hook_k`` are the projections: before the rotary embedding, unless a q/k norm follows; then its
    output is, or, if it norms what has turned, it is after the rotary embedding and nothing holds what is before it. In
    latent attention ``hook_q`` and ``hook_k`` are both parts after one of them has turned.
    """
    attn = f"blocks.{block}.attn."
    raw, turned, normed = (
        [attn + name.format(x) for x in "qk"] for name in ("hook_{}", "hook_rot_{}", "{}_norm.hook_out")
    )
    if f"{attn}hook_kv_latent" in cache:
        found = {"qk/after": raw}
    elif normed[0] not in cache:
        found = {"qk/before": raw, "qk/after": turned}
    elif _same_values(cache[f"{attn}k_norm.hook_in"], cache[raw[1]]):
        found = {"qk/before": normed, "qk/after": turned}
    else:
        found = {"qk/after": normed}
    found["attention"] = [f"{attn}hook_pattern"]
    return {readout: names for readout, names in found.items() if all(name in cache for name in names)}


def _same_values(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors hold the same, with heads before or after tokens."""
    flat = b.flatten()
    return a.numel() == flat.numel() and any(torch.equal(one.flatten(), flat) for one in (a, a.transpose(1, -2)))


def _states(lm: LanguageModel, item: Any, cache: Any) -> str:
    """What differs in the residual stream; empty if nothing."""
    at = len(item.ids) - 1
    states = extract(lm, [item], [HiddenStates("score")])["hidden/score"][0]
    seen = 0
    for block in range(lm.anatomy.n_blocks):
        for names, row in ((("hook_resid_pre", "hook_in"), block), (("hook_resid_post", "hook_out"), block + 1)):
            name = next((n for n in names if f"blocks.{block}.{n}" in cache), None)
            if name is not None:
                seen += 1
                if (off := _off(states[row], cache[f"blocks.{block}.{name}"][0, at].flatten())) > _TOLERANCE:
                    return f"differs: {name} of block {block + 1} by {off:.1g}"
    stacks = sorted({key.partition(".")[0] for key in cache.keys() if "blocks." in key})  # noqa: SIM118 no mapping
    return "" if seen else f"TransformerLens keeps no stream under blocks.N of it, but {', '.join(stacks)}"


def _attention(lm: LanguageModel, item: Any, cache: Any) -> str:
    """What differs in patterns and products; empty if nothing."""
    at, length = len(item.ids) - 1, len(item.ids)
    for readout in _READOUTS:
        try:
            ours = extract(lm, [item], [readout])[readout.name][0]
        except InnerjudgeError:
            continue
        for block, heads in enumerate(lm.anatomy.heads):
            names = hooks(cache, block).get(readout.name)
            if len(heads) != 1 or names is None:
                continue
            held = [cache[name][0] for name in names]
            if len(held) == 1:
                theirs: Tensor | None = held[0][:, at, :length]
            else:
                held = _as_attended(lm, block, held) if readout.name == "qk/before" else held
                theirs = _products(held[0], held[1], heads[0].head_dim, length)
            if theirs is not None and (off := _off(ours[block, : theirs.shape[0]], theirs)) > _TOLERANCE:
                said = " ".join(name.partition("attn.")[2] for name in names)
                return f"differs: {said} of block {block + 1} by {off:.1g}"
    return ""


def _as_attended(lm: LanguageModel, block: int, held: list[Tensor]) -> list[Tensor]:
    """Queries and keys with what their family does to them behind the hooks, beside the rotary embedding."""
    config: Any = lm.model.config.get_text_config(decoder=True)
    query, key = held
    if config.model_type == "falcon_h1":  # it multiplies keys between their projection and the rotary embedding
        return [query, key * config.key_multiplier]
    if config.model_type == "llama4_text" and lm.anatomy.heads[block][0].rotary and config.use_qk_norm:
        return [states * states.square().mean(-1, keepdim=True).add(config.rms_norm_eps).rsqrt() for states in held]
    return held


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
    return float(abs(ours - own).max() / max(float(abs(own).max()), 1e-6))
