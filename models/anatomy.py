"""The parts of a causal LM that a reader needs, found from its own modules and config.

There is no table of families: blocks are the list as long as ``num_hidden_layers``, the final norm is the sibling whose
output is the last hidden state, the unembedding is ``get_output_embeddings()``. What was found is checked by one short
pass: the last block's lens must reproduce the model's logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from .errors import InnerjudgeError

_OVERRIDE = "name them: load(..., blocks='model.layers', final_norm='model.norm')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """Named parts and sizes of one model.

    Args:
        blocks: The decoder blocks, in order; ``L = len(blocks)``.
        final_norm: Applied to the output of the last block before the unembedding.
        unembedding: Linear map from the residual stream to the vocabulary.
        n_heads: Query heads of a block.
        n_kv_heads: Key/value heads of a block; query head ``h`` reads key head ``h // (n_heads // n_kv_heads)``.
        head_dim: Size of a head; not always ``width / n_heads``.
        width: Size of the residual stream.
        context: Longest input in tokens; ``None`` where the config gives none.
        softcap: ``c`` of the final ``c * tanh(z / c)``; ``None`` without.
        logit_scale: Factor on the logits (Cohere multiplies, Granite divides).
    """

    blocks: nn.ModuleList
    final_norm: nn.Module
    unembedding: nn.Linear
    n_heads: int
    n_kv_heads: int
    head_dim: int
    width: int
    context: int | None
    softcap: float | None
    logit_scale: float

    @property
    def n_blocks(self) -> int:
        """``L``."""
        return len(self.blocks)

    def on_norm(self, states: Tensor) -> Tensor:
        """States on the device of the final norm; a model may be spread over several."""
        weight = next(self.final_norm.parameters(), None)
        return states if weight is None or weight.is_meta else states.to(weight.device)

    def postprocess(self, logits: Tensor) -> Tensor:
        """Apply the model's own scale and soft-cap to unembedded states."""
        logits = logits * self.logit_scale
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)

    def logits(self, states: Tensor) -> Tensor:
        """Logits over the whole vocabulary, fp32: ``[..., width] -> [..., vocabulary]``."""
        return self.postprocess(self.unembedding(states.to(self.unembedding.weight.dtype)).float())

    def label_logits(self, states: Tensor, ids: Tensor) -> Tensor:
        """Logits of a few tokens an item, in fp32: states ``[B, ..., width]``, ids ``[B, M]`` -> ``[B, ..., M]``."""
        weight = self.unembedding.weight
        states, ids = states.to(weight.device), ids.to(weight.device)
        logits = torch.einsum("b...d,bmd->b...m", states.float(), weight[ids].float())
        bias = self.unembedding.bias
        if bias is not None:
            shape = (ids.shape[0], *[1] * (logits.ndim - 2), ids.shape[1])
            logits = logits + bias.to(ids.device)[ids].float().view(shape)
        return self.postprocess(logits)


def find_anatomy(model: PreTrainedModel, *, blocks: str | None = None, final_norm: str | None = None) -> Anatomy:
    """Find the parts of ``model``; ``blocks`` and ``final_norm`` name them for a model that is not recognised.

    Raises:
        InnerjudgeError: If a part is not found, or the parts do not reproduce the model's logits.
    """
    config: Any = model.config.get_text_config()
    n_blocks = _first(config, "num_hidden_layers", "n_layer", "num_layers")
    family = type(model).__name__
    block_list = _named(model, blocks) if blocks else _find_blocks(model, n_blocks, family)
    norm = _named(model, final_norm) if final_norm else _find_final_norm(model, block_list, family)
    unembedding = model.get_output_embeddings()
    if not isinstance(block_list, nn.ModuleList) or not isinstance(unembedding, nn.Module):
        raise InnerjudgeError(f"given {family}, expected a list of blocks and an output embedding: {_OVERRIDE}")
    n_heads = _first(config, "num_attention_heads", "n_head", "num_heads")
    width = _first(config, "hidden_size", "n_embd", "d_model")
    anatomy = Anatomy(
        blocks=block_list,
        final_norm=norm,
        unembedding=unembedding,  # type: ignore[arg-type]
        n_heads=n_heads,
        n_kv_heads=getattr(config, "num_key_value_heads", None) or n_heads,
        head_dim=getattr(config, "head_dim", None) or width // n_heads,
        width=width,
        context=_context(config),
        softcap=getattr(config, "final_logit_softcapping", None),
        logit_scale=_logit_scale(config),
    )
    _check(model, anatomy, family)
    return anatomy


def _first(config: Any, *names: str) -> int:
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, int):
            return value
    raise InnerjudgeError(f"given a config without {' / '.join(names)}, expected one of them: use a causal LM's config")


def _context(config: Any) -> int | None:
    value = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    return int(value) if value else None


def _logit_scale(config: Any) -> float:
    scale = getattr(config, "logit_scale", None)
    divisor = getattr(config, "logits_scaling", None)
    return float(scale) if scale else 1.0 / float(divisor) if divisor else 1.0


def _named(model: nn.Module, path: str) -> Any:
    try:
        return model.get_submodule(path)
    except AttributeError as error:
        raise InnerjudgeError(f"given the module path {path!r}, expected one of the model's modules: {error}") from None


def _find_blocks(model: nn.Module, n_blocks: int, family: str) -> nn.ModuleList:
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == n_blocks]
    if not lists:
        raise InnerjudgeError(f"given {family}, expected a list of {n_blocks} blocks in it: {_OVERRIDE}")
    return max(lists, key=lambda m: sum(p.numel() for p in m.parameters()))


def _find_final_norm(model: nn.Module, blocks: nn.ModuleList, family: str) -> nn.Module:
    """The last norm among the siblings of the block list."""
    parent = next((m for m in model.modules() if any(child is blocks for child in m.children())), None)
    siblings = list(parent.named_children()) if parent is not None else []
    norms = [m for name, m in siblings if "norm" in f"{name} {type(m).__name__}".lower() or name in ("ln_f", "norm_f")]
    if not norms:
        raise InnerjudgeError(f"given {family}, expected a norm beside its blocks: {_OVERRIDE}")
    return norms[-1]


@torch.no_grad()
def _check(model: PreTrainedModel, anatomy: Anatomy, family: str) -> None:
    """One pass of four tokens: the last block through norm and unembedding must give the logits."""
    kept: list[Tensor] = []
    hook = anatomy.blocks[-1].register_forward_hook(
        lambda _module, _args, output: kept.append(output[0] if isinstance(output, tuple) else output)
    )
    try:
        ids = torch.arange(4, device=next(model.get_input_embeddings().parameters()).device)[None]
        logits = model(input_ids=ids, use_cache=False).logits.float()
    finally:
        hook.remove()
    lens = anatomy.logits(anatomy.final_norm(anatomy.on_norm(kept[0]))).to(logits.device)
    scale = float(logits.abs().max().clamp(min=1.0))
    tolerance = 1e-3 if model.dtype == torch.float32 else 5e-2
    if lens.shape != logits.shape or float((lens - logits).abs().max()) > tolerance * scale:
        raise InnerjudgeError(
            f"given {family}, expected unembed(final_norm(last block)) to equal its logits, which it does not: "
            f"{_OVERRIDE}, or report the family"
        )
