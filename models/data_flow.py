"""Following a tensor through the calls of a watched pass: which modules took it in, and what came out."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .observation import ModuleCall


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
    """Modules that the stream went through one after another (none where it goes on as it is), and what came out."""

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


def follow(state: Tensor, calls: Iterable[ModuleCall]) -> Chain:
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
