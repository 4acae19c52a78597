"""Queries and keys from after the rotary embedding to before it, by the model's own function."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn

from ..models.errors import InnerjudgeError


def unrotate(attention: nn.Module, states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Undo the rotary embedding.

    ``apply_rotary_pos_emb`` of the block's modelling file, with a negated sine, turns back. A scaled rotation (YaRN:
    ``cos**2 + sin**2 = s**2``) is divided out. Dimensions beyond the rotary ones (partial rotary) pass through.

    Args:
        attention: The attention module.
        states: Rotated queries or keys, ``[B, heads, N, head_dim]``.
        cos: Cosines at the same tokens, ``[B, N, rotary_dim]``.
        sin: Sines, likewise.

    Raises:
        InnerjudgeError: If the modelling file has no such function, or it takes other shapes.
    """
    family = type(attention).__name__
    rotate: Any = getattr(sys.modules[type(attention).__module__], "apply_rotary_pos_emb", None)
    if rotate is None:
        raise InnerjudgeError(
            f"given {family}, whose modelling file has no apply_rotary_pos_emb, expected one to undo the rotation: "
            "use rotary='after' or Attention-score"
        )
    squared = cos.float() ** 2 + sin.float() ** 2
    cos, sin = (cos / squared).to(states.dtype), (-sin / squared).to(states.dtype)
    size = cos.shape[-1]
    try:
        turned: Tensor = rotate(states[..., :size], states[..., :size], cos, sin)[0]
    except (RuntimeError, TypeError, IndexError) as error:
        raise InnerjudgeError(
            f"given {family}, whose rotary embedding takes other shapes ({error}), expected cos and sin of "
            "[batch, length, rotary_dim]: use rotary='after' or Attention-score"
        ) from None
    return torch.cat((turned, states[..., size:]), dim=-1)
