"""How padded text is put into a model: which position ids it takes, and whether padding may stand on the left."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from .blocks import StopAfter, Stream
from .observation import TOKENS, Observation, states_given

#: Difference of states, relative to their size, that float error explains.
_SAME = {torch.float32: 1e-4, torch.float64: 1e-6}
#: The same in half precision, where nothing says how much it is in this model.
_HALF = 3e-2


def takes_positions(model: Any) -> bool:
    """Whether the model takes ``position_ids``."""
    return "position_ids" in inspect.signature(model.forward).parameters


@torch.no_grad()
def find_position_offset(model: Any, stream: Stream, seen: Observation, end: Tensor) -> int | None:
    """What the model counts positions from, found by comparing with the pass that was given none.

    0 for nearly all that take ``position_ids``, ``padding_idx + 1`` for those of RoBERTa's kind, ``None`` for models
    that take none or mean something else by them.
    """
    if not takes_positions(model):
        return None
    padding = getattr(model.config.get_text_config(decoder=True), "pad_token_id", None)
    for offset in dict.fromkeys((0, padding + 1 if isinstance(padding, int) else 0)):
        positions = (torch.arange(TOKENS, device=seen.ids.device) + offset).expand_as(seen.ids)
        found = last_states(model, stream, seen.ids, torch.ones_like(seen.ids), position_ids=positions)
        if found is not None and alike(found, stream.layout.all_rows(end, TOKENS)):
            return offset
    return None


def find_sides(
    model: Any, stream: Stream, ids: Tensor, offset: int | None, pad_id: int, noise: float = 0.0
) -> frozenset[str]:
    """Sides on which padding changes nothing: a text with padding beside it must read the same as without.

    Left padding moves the positions that a model counts itself, and enters a recurrence that has no mask; right padding
    is seen by a model that looks both ways and only masks the left (CPM-Ant).
    """
    mask = torch.ones_like(ids)
    plain = last_states(model, stream, ids, mask, **position_inputs(mask, offset))
    padding = torch.full_like(ids[:, :2], pad_id)
    found = set()
    for side in ("right", "left"):
        parts = [(ids, mask), (padding, torch.zeros_like(padding))]
        joined = [torch.cat(two, dim=1) for two in zip(*(parts if side == "right" else reversed(parts)), strict=True)]
        states = last_states(model, stream, *joined, **position_inputs(joined[1], offset))
        real = slice(0, ids.shape[1]) if side == "right" else slice(2, None)
        if plain is not None and states is not None and alike(states[:, real], plain, noise):
            found.add(side)
    return frozenset(found)


@torch.no_grad()
def last_states(model: Any, stream: Stream, ids: Tensor, mask: Tensor, **more: Any) -> Tensor | None:
    """Output of the last block, ``[B, T, W]``; ``None`` if the model does not run on this."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, _args: Any, output: Any) -> None:
        states = states_given(module, output)
        assert states is not None
        kept.append(states)

    handle = stream.leaves.register_forward_hook(keep)
    try:
        with StopAfter(stream):
            model(**{"input_ids": ids, "attention_mask": mask, "use_cache": False, **more})
    except (TypeError, ValueError, RuntimeError, IndexError, AssertionError):
        return None
    finally:
        handle.remove()
    return stream.layout.all_rows(kept[-1], ids.shape[1])


def positions(mask: Tensor, offset: int) -> Tensor:
    """Number of real tokens before each token, plus what the model counts from: ``[B, T]``.

    Example:
        >>> positions(torch.tensor([[0, 0, 1, 1, 1]]), 0).tolist()
        [[0, 0, 0, 1, 2]]
    """
    return (mask.cumsum(1) - 1).clamp(min=0) + offset


def alike(a: Tensor, b: Tensor, noise: float = 0.0) -> bool:
    """Whether two sets of states differ by float error only, or by no more than twice the ``noise`` of the model."""
    return a.shape == b.shape and apart(a, b) <= max(_SAME.get(a.dtype, _HALF), 2 * noise)


def apart(a: Tensor, b: Tensor) -> float:
    """Largest difference of two sets of states, relative to the largest of the second."""
    return float((a.float() - b.float()).abs().max() / b.float().abs().max().clamp(min=1e-6))


def position_inputs(mask: Tensor, offset: int | None) -> dict[str, Tensor]:
    """``position_ids`` where a model must be told them; left to its own count where that is the same."""
    if offset is None or (offset == 0 and bool(mask[:, 0].all())):  # the first token is real: counted from 0
        return {}
    return {"position_ids": positions(mask, offset)}
