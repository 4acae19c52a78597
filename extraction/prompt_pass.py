"""A prompt that several items begin with, run once; and the forward pass itself, of whole texts or after a prompt."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..models.blocks import StopAfter
from ..models.caching import PromptCache, restarting
from ..models.inputs import position_inputs, positions
from ..models.loading import LanguageModel
from ..models.positions import Encoding
from .batching import Batch
from .readouts import AttentionWeights, HiddenStates, LabelLogits, QueryKey, Readout
from .taps.block_attention import PromptKeys
from .taps.residual import ResidualTap


@dataclass(frozen=True, slots=True)
class Prompt:
    """What was kept of a prompt of ``length`` tokens that several items begin with: its keys and values as ``cache``.

    ``tokens`` (``[P]``, in order) are those whose states were kept, ``states`` ``h[0..last]`` there, ``[1, last + 1, P,
    W]``, and ``keys`` those before the rotary embedding; both are ``None`` where no item reads any.
    """

    cache: PromptCache
    length: int
    tokens: Tensor
    states: Tensor | None
    keys: PromptKeys | None


@torch.inference_mode()
def read_prompt(
    lm: LanguageModel, items: Sequence[Encoding], readouts: Sequence[Readout], length: int, last: int
) -> Prompt:
    """Run the first ``length`` tokens, which the items share, and keep what goes on after them or is read in them."""
    device = lm.device
    ids = torch.tensor([items[0].ids[:length]], device=device)
    batch = Batch(ids, torch.ones_like(ids), torch.zeros(1, dtype=torch.long, device=device))
    tokens = _within(items, single_roles(readouts), length, device)
    keys = _within(items, [r.keys for r in readouts if isinstance(r, QueryKey | AttentionWeights)], length, device)
    kinds = frozenset(r.name for r in readouts)
    residual = ResidualTap(lm.anatomy, tokens[None], last=last, keep_last=False)
    tap = PromptKeys(lm, keys, kinds=kinds, last=last) if len(keys) else None
    cache = PromptCache()
    with residual, tap or nullcontext(), lm.uncompiled(), StopAfter(lm.anatomy.stream, last):
        forward(lm, batch, cache)
    return Prompt(cache, length, tokens, residual.states if len(tokens) else None, tap)


def forward(lm: LanguageModel, batch: Batch, prompt: PromptCache | Prompt | None = None) -> None:
    """Run a batch: whole texts, a prompt into its cache, or what follows a prompt that was run."""
    lm.mixing.restart(lm.model)
    if batch.lengths is not None:  # without a mask: positions that restart tell the texts apart, in every kernel
        where = restarting(batch.lengths, lm.anatomy.position_offset or 0).to(batch.ids.device)
        lm.model(input_ids=batch.ids, position_ids=where, use_cache=False)
        return
    kwargs: dict[str, Any] = {"input_ids": batch.ids, "use_cache": prompt is not None}
    mask = batch.mask
    if isinstance(prompt, Prompt):
        mask = torch.cat((mask.new_ones(len(mask), prompt.length), mask), dim=1)
        kwargs["past_key_values"] = prompt.cache.lent()
    elif prompt is not None:
        kwargs["past_key_values"] = prompt
    if not isinstance(prompt, Prompt):
        kwargs |= position_inputs(mask, lm.anatomy.position_offset)
    elif lm.anatomy.position_offset is not None:
        kwargs["position_ids"] = positions(mask, lm.anatomy.position_offset)[:, prompt.length :]
    lm.model(attention_mask=mask, **kwargs)


def single_roles(readouts: Sequence[Readout]) -> list[str]:
    """Roles whose states are read."""
    return list(dict.fromkeys(r.position for r in readouts if isinstance(r, HiddenStates | LabelLogits)))


def _within(items: Sequence[Encoding], roles: Sequence[str], length: int, device: torch.device) -> Tensor:
    """Tokens of ``roles`` in the first ``length``, in order; an item without a role has its first token there."""
    tokens = {token for item in items for role in roles for token in item.positions.get(role, (0,))}
    return torch.tensor(sorted(token for token in tokens if token < length), dtype=torch.long, device=device)
