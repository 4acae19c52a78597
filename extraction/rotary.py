"""Queries and keys as they were before the rotary embedding: what went into the model's own function.

Undoing a rotation would need to know in which blocks, dimensions and order a family rotates. Instead the function of
the modelling file is watched, and its output must be the very query or key that the attention then received.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..models.errors import UnreadableError

_watched = threading.local()

#: Input and output of one call of a rotary function.
Call = tuple[Tensor, Tensor]


def rotary_functions(modelling: Any) -> list[str]:
    """Names of the functions of a modelling file that rotate, such as ``apply_rotary_pos_emb``."""
    return [name for name, f in vars(modelling).items() if "apply_rot" in name and callable(f)]


def install(modelling: Any) -> None:
    """Watch the rotary functions of a modelling file; outside :func:`watch` they are passed through."""
    for name in rotary_functions(modelling):
        function = getattr(modelling, name)
        if not hasattr(function, "_innerjudge"):
            setattr(modelling, name, _wrapped(function))


def watch(calls: list[Call] | None) -> None:
    """Keep the calls that this thread makes from now on in ``calls``; ``None`` keeps none."""
    _watched.calls = calls


def before_rotation(rotated: Tensor, at: Tensor, calls: list[Call], family: str) -> Tensor:
    """Rows of ``rotated`` at ``at``, as they were before the rotary embedding.

    Dimensions beyond the rotary ones (partial rotary) pass through, as does everything in a block that rotates nothing.

    Args:
        rotated: Queries or keys as the attention received them, ``[B, heads, T, head_dim]``.
        at: Token indices, ``[B, N]``.
        calls: What the rotary functions of this block took and gave.
        family: Name for the message.

    Returns:
        ``[B, heads, N, head_dim]``.

    Raises:
        UnreadableError: If ``rotated`` is not what the rotary function gave (multi-head latent attention, a norm after
            the rotation).
    """
    rows = select(rotated, at)
    if not calls:
        return rows
    for call in calls:
        for given, turned in (call, (call[0].transpose(1, 2), call[1].transpose(1, 2))):
            size = given.shape[-1]
            if given.shape[:3] != rotated.shape[:3] or given.shape != turned.shape or size > rotated.shape[-1]:
                continue
            if torch.equal(select(turned, at), rows[..., :size]):
                return torch.cat((select(given, at), rows[..., size:]), dim=-1)
    raise UnreadableError(
        f"given {family}, whose queries and keys are changed after the rotary embedding, expected them as it gave "
        "them: use rotary='after' or Attention-score",
        {"qk/before"},
    )


def select(states: Tensor, at: Tensor) -> Tensor:
    """Rows ``at`` (``[B, N]``) of ``[B, heads, T, d]``: ``[B, heads, N, d]``."""
    rows = torch.arange(states.shape[0], device=states.device)[:, None]
    return states[rows, :, at].transpose(1, 2)


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def rotate(*args: Any, **kwargs: Any) -> Any:
        output = function(*args, **kwargs)
        calls: list[Call] | None = getattr(_watched, "calls", None)
        if calls is not None:
            given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
            turned = output if isinstance(output, tuple) else (output,)
            calls.extend((g, t) for g, t in zip(given, turned, strict=False) if g.ndim == 4)
        return output

    rotate._innerjudge = True  # type: ignore[attr-defined]
    return rotate
