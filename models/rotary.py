"""Queries and keys before the rotary embedding: the inputs of the model's own rotary function.

Undoing a rotation would need to know in which blocks, dimensions and order a family rotates. Instead the rotary
functions of the modelling file are watched, and their output must be the query or key that the attention then receives:
as it is, as a part of the head's dimensions (partial rotary, latent attention), or times a factor per token (a norm
without weights after the rotation, a temperature). All three commute with a rotation. A norm with weights does not:
queries and keys before the rotary embedding are then what that norm makes of the unrotated ones.
"""

import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from .attention_calls import Reports

#: Input and output of one call of a rotary function, in the layout of the model.
Rotation = tuple[Tensor, Tensor]
#: A module or class, and the name of a rotary function in it.
Place = tuple[Any, str]
_TIGHT = 1e-5
_reports: Reports[Rotation] = Reports()


def rotary_functions(owner: Any) -> list[str]:
    """Names of the functions of a modelling file, or of a class, that rotate, such as ``apply_rotary_pos_emb``."""
    return [
        name
        for name, value in vars(owner).items()
        if "apply" in name and ("rot" in name or "rope" in name) and callable(getattr(value, "__func__", value))
    ]


def rotary_places(modules: Iterable[nn.Module]) -> list[Place]:
    """The rotary functions that the code of ``modules`` can call."""
    classes = {c for m in modules for c in type(m).__mro__ if not c.__module__.startswith("torch.")} - {object}
    names = {c.__module__ for c in classes}
    if any(name.startswith("transformer_lens.") for name in names):
        names.add("transformers.models.llama.modeling_llama")  # whose function its bridges call, whatever the family
    owners: set[Any] = classes | {sys.modules[name] for name in names if name in sys.modules}
    return [(owner, name) for owner in owners for name in rotary_functions(owner)]


def watched_rotations(places: Sequence[Place], tell: Callable[[Rotation], None]) -> AbstractContextManager[None]:
    """While open, in this thread, ``tell`` is called with every call of the rotary functions at ``places``."""
    return _reports.listening(tell, places, _telling)


def before_rotation(
    rows: Tensor, at: Tensor, rotations: Sequence[Rotation], norm: nn.Module | None = None
) -> Tensor | None:
    """Rows of queries or keys as they were before the rotary embedding; ``None`` if no rotation explains them.

    ``rows`` (``[B, heads, N, head_dim]``) are as the attention received them, ``at`` (``[B, N]``) their tokens;
    ``norm`` is a norm that they passed after the rotation. Dimensions that are not rotated are left as they are.
    """
    for given, turned in rotations:
        for layout in ((given, turned), (given.transpose(1, 2), turned.transpose(1, 2))):
            for pair in _rows(*layout, rows, at):
                plain, turned_rows = pair if norm is None else (norm(states) for states in pair)
                if (found := _explained(rows, plain, turned_rows)) is not None:
                    return found
    return None


def turned_into(states: Tensor, rotations: Sequence[Rotation]) -> Tensor | None:
    """The input from which a rotary function made this very tensor; ``None`` if it was changed or copied since."""
    return next((given for given, turned in rotations if turned is states and given.shape == states.shape), None)


def select(states: Tensor, at: Tensor) -> Tensor:
    """Rows ``at`` (``[B, N]``) of ``[B, heads, T, d]``: ``[B, heads, N, d]``."""
    return states.take_along_dim(at[:, None, :, None], 2)


def _rows(given: Tensor, turned: Tensor, rows: Tensor, at: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of a rotation in the layout of ``rows``, if its sizes can be theirs."""
    if given.ndim != 4 or given.shape != turned.shape or given.shape[-1] > rows.shape[-1]:
        return
    if given.shape[0] not in (1, rows.shape[0]) or rows.shape[1] % given.shape[1] or given.shape[2] <= int(at.max()):
        return
    plain, own = (select(states.expand(rows.shape[0], -1, -1, -1), at) for states in (given, turned))
    # Key heads may have been repeated for the query heads already: each in turn, or all of them again (JetMoE).
    times = rows.shape[1] // given.shape[1]
    yield plain.repeat_interleave(times, 1), own.repeat_interleave(times, 1)
    if times > 1 and given.shape[1] > 1:
        yield plain.repeat(1, times, 1, 1), own.repeat(1, times, 1, 1)


def _explained(rows: Tensor, given: Tensor, turned: Tensor) -> Tensor | None:
    size = turned.shape[-1]
    # The rotary dimensions come first or last; anywhere else would be a family of its own.
    for start in dict.fromkeys((0, rows.shape[-1] - size)):
        part = rows[..., start : start + size]
        if torch.equal(part, turned):
            factor = torch.ones_like(part[..., :1])
        else:
            # fp32: the factor of a half-precision row is only as good as the row.
            wide, own = part.float(), turned.float()
            factor = (wide * own).sum(-1, keepdim=True) / own.square().sum(-1, keepdim=True).clamp(min=1e-30)
            tolerance = _TIGHT if rows.dtype in (torch.float32, torch.float64) else 2 * torch.finfo(rows.dtype).eps
            if (wide - factor * own).norm() > tolerance * wide.norm():
                continue
        unturned = (given.float() * factor).to(rows.dtype)
        return torch.cat((rows[..., :start], unturned, rows[..., start + size :]), dim=-1)
    return None


def _telling(own: Any) -> Any:
    function: Callable[..., Any] = getattr(own, "__func__", own)

    @functools.wraps(function)
    def rotate(*args: Any, **kwargs: Any) -> Any:
        output = function(*args, **kwargs)
        if (tell := _reports.tell) is not None:
            outputs = output if isinstance(output, tuple) else (output,)
            given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor) and value.ndim == 4]
            for turned in outputs:  # cosine and sine, if among what was given, have other shapes
                match = next((k for k, value in enumerate(given) if value.shape == turned.shape), None)
                if match is not None:
                    tell((given.pop(match), turned))
        return output

    return staticmethod(rotate) if isinstance(own, staticmethod) else rotate
