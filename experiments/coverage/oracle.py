"""What a model itself returns for one text alone, without padding: the truth that a reading is held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...models.loading import LanguageModel


@dataclass(frozen=True, slots=True)
class Truth:
    """Output of the model with its eager kernel for one text of ``T`` tokens.

    Args:
        hidden: The entries of ``hidden_states``, each ``[T, W]``.
        logits: ``[T, vocabulary]``.
        attentions: The entries of ``attentions``, each ``[H, T, T]``; none if the model returns none.
    """

    hidden: tuple[Tensor, ...]
    logits: Tensor
    attentions: tuple[Tensor, ...]


@torch.no_grad()
def truth(model: Any, ids: Sequence[int], lm: LanguageModel) -> Truth:
    """Run ``model`` (of eager attention) on one text; ``lm`` tells how its stream lies."""
    layout = lm.anatomy.stream.layout
    tokens = torch.tensor([ids])
    try:
        output = model(input_ids=tokens, use_cache=False, output_hidden_states=True, output_attentions=True)
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):
        output = model(input_ids=tokens, use_cache=False, output_hidden_states=True)
    hidden = tuple(_lined(state, layout, len(ids)) for state in output.hidden_states or ())
    found = getattr(output, "attentions", None) or ()
    attentions = tuple(a[0] for a in found if isinstance(a, Tensor) and a.ndim == 4)
    return Truth(hidden, output.logits[0], attentions)


def _lined(state: Tensor, layout: Any, length: int) -> Tensor:
    """``[T, W]`` of one entry, whether or not the model already brought it into the usual order."""
    if state.ndim == 3 and state.shape[0] == 1:
        return state[0, -length:]
    lined: Tensor = state.movedim((layout.items, layout.tokens), (0, 1)).flatten(2)[0]
    return lined[-length:]
