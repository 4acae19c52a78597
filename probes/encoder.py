"""A small Transformer over the states of an item: a head of :class:`.pooled.PooledProbe` that sees them together."""

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch.nn import LayerNorm, Linear, ModuleList, TransformerEncoderLayer
from torch.nn.utils import parameters_to_vector
from torch.nn.utils.rnn import pad_sequence

from ..models.errors import InnerjudgeError
from .pooled_fit import WEIGHED, Head

if TYPE_CHECKING:
    from .pooled import PooledProbe


@dataclass(frozen=True)
class Encoder(Head):
    """A head whose outputs for a state follow from those beside it; of ``widths`` it has one.

    Other fields are parameters of :class:`.PooledProbe`, ``depth`` its ``layers``. ``"mean"`` pools the states
    themselves, before the last norm, as HSRM does; the other ways pool outputs.
    """

    depth: int
    attention: int
    causal: bool
    dropout: float

    def size(self, read: int) -> int:
        """Number of weights and biases, for states of ``read`` numbers."""
        return sum(one.numel() for one in _empty(self, read).parameters())

    def start(self, read: int, generator: torch.Generator) -> torch.Tensor:
        """Initial weights, as torch draws them from its own generator."""
        with torch.device("cpu"):
            return parameters_to_vector(_Transformer(self, read).parameters()).detach()

    def outputs(
        self, weights: torch.Tensor, x: torch.Tensor, counts: torch.Tensor, *, mean: bool = False
    ) -> torch.Tensor:
        """Outputs for states ``[N, F]`` of items of ``counts`` states: ``[N, outputs]``, or for their ``mean``."""
        learns = torch.is_grad_enabled()
        module = _empty(self if learns else replace(self, dropout=0.0), x.shape[1])
        shapes = {name: one.shape for name, one in module.named_parameters()}
        flat = weights.split([shape.numel() for shape in shapes.values()])
        own = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), flat, strict=True)}
        # Learned in batches; scored one by one, so that nothing is padded and a long item does not widen the others.
        parts = [(x, counts)] if learns else zip(x.split(counts.tolist()), counts.split(1), strict=True)
        return torch.cat([torch.func.functional_call(module, own, (*part, mean)) for part in parts])

    def pooled(self, weights: torch.Tensor, x: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """One number per item, ``[n]``."""
        if self.how == "mean":
            return self.outputs(weights, x, counts, mean=True).mean(dim=1)
        return super().pooled(weights, x, counts)


def head_of(probe: "PooledProbe") -> Head:
    """The head that a probe's parameters say; ``InnerjudgeError`` for a Transformer that cannot be."""
    widths, layers = tuple(probe.widths), probe.layers
    fits = len(widths) == 1 and probe.attention > 0 and widths[0] % probe.attention == 0
    if layers < 0 or not 0 <= probe.dropout < 1 or (layers and not fits):
        raise InnerjudgeError.of("probes.layers", layers, widths, probe.attention, probe.dropout)
    both = widths, probe.heads, probe.how, probe.window
    return Encoder(*both, layers, probe.attention, probe.causal, probe.dropout) if layers else Head(*both)


class _Transformer(torch.nn.Module):
    """A layer that reads, layers of attention without positions (normed behind each), a norm, and a layer that says."""

    def __init__(self, how: Encoder, read: int) -> None:
        super().__init__()
        (width,) = how.widths
        inner = how.attention, 4 * width, how.dropout
        self.causal = how.causal
        self.read, self.norm = Linear(read, width), LayerNorm(width)
        self.blocks = ModuleList(TransformerEncoderLayer(width, *inner, batch_first=True) for _ in range(how.depth))
        self.say = Linear(width, how.heads * (1 + (how.how in WEIGHED)))

    def forward(self, x: torch.Tensor, counts: torch.Tensor, mean: bool) -> torch.Tensor:
        z = pad_sequence(self.read(x).split(counts.tolist()), batch_first=True)
        place = torch.arange(z.shape[1], device=z.device)
        absent, later = place >= counts[:, None], place > place[:, None] if self.causal else None
        for block in self.blocks:
            z = block(z, src_mask=later, src_key_padding_mask=absent if absent.any() else None)
        z = z.masked_fill(absent[..., None], 0).sum(dim=1) / counts[:, None] if mean else z[~absent]
        said: torch.Tensor = self.say(self.norm(z))
        return said


@cache
def _empty(how: Encoder, read: int) -> _Transformer:
    """The module without weights of its own, for the names and shapes of those that it is called with."""
    with torch.device("meta"):
        return _Transformer(how, read)
