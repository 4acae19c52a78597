"""What a model itself returns for one text alone, without padding: the truth that a reading is held to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ....extraction import AttentionSpans, Features
from ....models.attention_calls import AttentionCall, listening
from ....models.loading import LanguageModel
from ....models.positions import Encoding

MASS, OWN = AttentionSpans("response", ("prompt", "response")), AttentionSpans("response", what="diagonal")
#: Largest difference, relative to the size of what is compared.
TOLERANCE = 2e-4


@dataclass(frozen=True, slots=True)
class Truth:
    """Output of the model for one text of ``T`` tokens.

    Args:
        hidden: The entries of ``hidden_states``, each ``[T, W]``.
        logits: ``[T, vocabulary]``.
        attentions: The entries of ``attentions`` with the eager kernel, each ``[H, T, T]``; none if it returns none.
    """

    hidden: tuple[Tensor, ...]
    logits: Tensor
    attentions: tuple[Tensor, ...]


@torch.no_grad()
def truth(eager: Any, ids: Sequence[int], lm: LanguageModel) -> Truth:
    """Run ``lm`` on one text, and ``eager``, the same model with the eager kernel, for its attentions."""
    layout = lm.anatomy.stream.layout
    tokens = torch.tensor([ids])
    output: Any = lm.model(input_ids=tokens, use_cache=False, output_hidden_states=True)
    hidden = tuple(_lined(state, layout, len(ids)) for state in output.hidden_states or ())
    try:
        found = getattr(eager(input_ids=tokens, use_cache=False, output_attentions=True), "attentions", None) or ()
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):
        found = ()
    attentions = tuple(a[0] for a in found if isinstance(a, Tensor) and a.ndim == 4)
    if len(attentions) not in (sum(map(len, lm.anatomy.heads)), lm.anatomy.n_blocks):
        attentions = _heard(eager, lm, tokens)
    return Truth(hidden, output.logits[0], attentions)


def _heard(model: Any, lm: LanguageModel, tokens: Tensor) -> tuple[Tensor, ...]:
    """What the eager kernel returned inside each block, of a model that keeps it to itself or returns others too."""
    paths = {module: path for path, module in lm.model.named_modules()}
    found: list[list[Tensor]] = [[] for _ in lm.anatomy.blocks]
    block = -1

    def enter(_module: Any, _args: Any) -> None:
        nonlocal block
        block += 1

    def keep(call: AttentionCall) -> None:
        if block >= 0 and call.weights is not None and len(found[block]) < len(lm.anatomy.heads[block]):
            found[block].append(call.weights[0])

    handles = [
        model.get_submodule(paths[one]).register_forward_pre_hook(enter) for one in dict.fromkeys(lm.anatomy.blocks)
    ]
    with listening(keep):
        model(input_ids=tokens, use_cache=False)
    for handle in handles:
        handle.remove()
    return tuple(weights for inside in found for weights in inside)


def _lined(state: Tensor, layout: Any, length: int) -> Tensor:
    """``[T, W]`` of one entry, whether or not the model already brought it into the usual order."""
    plain = state.ndim == 3 and state.shape[0] == 1
    lined: Tensor = state[0] if plain else state.movedim((layout.items, layout.tokens), (0, 1)).flatten(2)[0]
    return lined[-length:] if layout.prefix else lined[:length]


def by_block(lm: LanguageModel, own: Truth) -> dict[int, list[torch.Tensor]]:
    """The model's own attentions by block."""
    blocks = [b for b, heads in enumerate(lm.anatomy.heads) for _ in heads]
    theirs = own.attentions
    if len(theirs) == lm.anatomy.n_blocks != len(blocks):  # of every kind of block
        theirs = tuple(weights for weights, heads in zip(theirs, lm.anatomy.heads, strict=True) if heads)
    found: dict[int, list[torch.Tensor]] = {}
    if len(theirs) == len(blocks):
        for block, weights in zip(blocks, theirs, strict=True):
            found.setdefault(block, []).append(weights)
    return found


def off(ours: npt.NDArray[np.float32], theirs: torch.Tensor) -> float | None:
    """How far ours is off, relative to the size of theirs; ``None`` if by float error only."""
    own = theirs.float().numpy()
    if ours.shape != own.shape:
        return float("inf")
    apart = float(np.abs(ours - own).max() / max(float(np.abs(own).max()), 1e-6))
    return None if apart <= TOLERANCE else apart


def spans(lm: LanguageModel, features: Features, items: list[Encoding], truths: list[Truth]) -> str:
    """Masses on prompt and response, and weights of tokens on themselves, held to the model's own weights."""
    for k, (item, own) in enumerate(zip(items, truths, strict=True)):
        length, begin, theirs = len(item.ids), item.places("response")[0][0], by_block(lm, own)
        if not theirs:
            return f"no oracle: the model returns {len(own.attentions)} attentions"
        for block, attentions in theirs.items():
            weights = torch.cat(attentions)[:, :length, :length].float()
            rows, heads = weights[:, begin:], len(weights)
            mass = torch.stack((rows[..., :begin].sum(-1), rows[..., begin:].sum(-1)), dim=-1).mean(1)
            itself = weights.diagonal(dim1=1, dim2=2)[:, begin:].clamp(min=1e-12).log().mean(1)
            for readout, right in ((MASS, mass), (OWN, itself)):
                if (odd := off(features[readout.name][k, block, :heads], right)) is not None:
                    return f"WRONG: {readout.what} of block {block + 1} differs by {odd:.1g}"
    return "pass"
