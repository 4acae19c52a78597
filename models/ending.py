"""What a model does with the residual stream after its last block: the final norm, found by following the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .blocks import Layout, Stream
from .observation import ModuleCall, Observation


class Times(nn.Module):
    """A factor between two modules that no module of the model stands for."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, states: Tensor) -> Tensor:
        """``states`` times the factor."""
        return states * self.factor


@dataclass(frozen=True, slots=True)
class Chain:
    """Modules that the stream went through one after another, and what came out.

    Args:
        modules: In order; none where the stream goes on as it is.
        end: The tensor that came out.
    """

    modules: tuple[nn.Module, ...]
    end: Tensor

    @property
    def module(self) -> nn.Module:
        """The chain as one module."""
        return (
            self.modules[0]
            if len(self.modules) == 1
            else nn.Sequential(*self.modules)
            if self.modules
            else nn.Identity()
        )


def follow(state: Tensor, calls: Sequence[ModuleCall]) -> Chain:
    """The calls that the data of ``state`` went through, of those in ``calls``.

    A call is one step if it was given the state, or a multiple of it, and gave a tensor with the same items and tokens.
    """
    modules: list[nn.Module] = []
    for call in calls:
        if call.given is None or call.returned is None:
            continue
        factor = multiple(call.given, state)
        if factor is None or call.returned.shape[:2] != state.shape[:2]:
            continue
        modules += [call.module] if factor == 1.0 else [Times(factor), call.module]
        state = call.returned
    return Chain(tuple(modules), state)


def after_blocks(
    seen: Observation, stream: Stream, unembedding: nn.Module
) -> tuple[list[ModuleCall], list[ModuleCall]]:
    """Calls between the last block and the unembedding: those inside the base model, and those of the head."""
    last = seen.of(stream.leaves)[-1]
    reads = seen.of(unembedding)
    until = reads[-1].start if reads else max(call.end for call in seen.calls) + 1
    around = [c for c in seen.calls if c.start < last.start and c.end > last.end and c.end < until]
    base_end = max((c.end for c in around), default=last.end)
    between = [c for c in seen.calls if c.start > last.end and c.end < until]
    top = [c for c in between if not any(d.start < c.start and d.end > c.end for d in between)]
    return [c for c in top if c.end < base_end], [c for c in top if c.start > base_end]


def multiple(a: Tensor, b: Tensor) -> float | None:
    """``c`` with ``a = c * b``; ``None`` if there is none.

    Example:
        >>> line = torch.tensor([1.0, 2.0])
        >>> multiple(2 * line, line), multiple(line**2, line)
        (2.0, None)
    """
    if a.shape != b.shape:
        return None
    b = b.to(a.device)
    if torch.equal(a, b.to(a.dtype)):
        return 1.0
    wide, own = a.double(), b.double()
    factor = float((wide * own).sum() / own.square().sum().clamp(min=1e-300))
    tolerance = 1e-5 if a.dtype in (torch.float32, torch.float64) else 1e-2
    return factor if factor and float((wide - factor * own).norm()) <= tolerance * float(wide.norm()) else None


class AlternatingUpdates(nn.Module):
    """Four parallel streams to one, then the norm, as Gemma 3n does it in its forward and not in a module.

    Args:
        model: Its text model.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.projections: nn.ModuleList = model.altup_unembed_projections  # type: ignore[assignment]
        self.norm: nn.Module = model.norm  # type: ignore[assignment]

    def forward(self, states: Tensor) -> Tensor:
        """``[4, B, T, D]`` to ``[B, T, D]``: every stream at the magnitude of the first, then their mean."""
        first = states[0]
        magnitude = first.square().mean(-1, keepdim=True) ** 0.5
        streams = [first]
        for projection, stream in zip(self.projections, states[1:], strict=True):
            other = projection(stream).to(first.dtype)
            streams.append(other * magnitude / other.square().mean(-1, keepdim=True).clamp(min=1e-5).sqrt())
        return self.norm(torch.stack(streams).mean(0))  # type: ignore[no-any-return]


#: Class of a base model -> what it does after its last block, where that is code and not a module.
IN_CODE: dict[str, Callable[[nn.Module], nn.Module]] = {"Gemma3nTextModel": AlternatingUpdates}


def final_layout(end: Tensor, layout: Layout, stream: Tensor) -> Layout:
    """How the final-normed states lie: as the stream, unless parallel streams became one."""
    return layout if end.ndim == stream.ndim else Layout(0, 1, layout.prefix)
