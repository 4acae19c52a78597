"""What a model does with the residual stream after its last block: the final norm, found by following the data."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .blocks import Layout, Stream
from .observation import ModuleCall, Observation


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


class AttentionResiduals(nn.Module):
    """What the final norm reads where blocks attend to states of earlier ones instead of adding to them (Inkling 2)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.mix: nn.Module = model.final_input
        self.numbers = tuple(k for k, block in enumerate(model.layers) if block.is_block_boundary)

    def forward(self, earlier: Sequence[Tensor], last: Tensor) -> Tensor:
        """``h[l]`` of the numbers before that of ``last``, each ``[..., D]``, and ``last``: ``[..., D]``."""
        held = torch.stack(tuple(earlier), dim=-2) if earlier else last.new_zeros(*last.shape[:-1], 0, last.shape[-1])
        return self.mix(held, last)[0]  # type: ignore[no-any-return]


def find_residuals(model: nn.Module) -> AttentionResiduals | None:
    """The attention over earlier states that comes before the final norm; ``None`` in nearly all models."""
    return next((AttentionResiduals(m) for m in model.modules() if type(m).__name__ == "Inkling2TextModel"), None)


class AlternatingUpdates(nn.Module):
    """Four parallel streams to one, then the norm, as Gemma 3n does it in its forward and not in a module."""

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


class ReversibleNorm(nn.Module):
    """The norm over both streams of reversible residuals, which Reformer puts side by side in the other order."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.norm: nn.Module = encoder.layer_norm  # type: ignore[assignment]

    def forward(self, states: Tensor) -> Tensor:
        """``[..., 2 * D]``, hidden states first, to ``[..., 2 * D]``."""
        hidden, attention = states.chunk(2, dim=-1)
        return self.norm(torch.cat((attention, hidden), dim=-1))  # type: ignore[no-any-return]


#: Class of a module -> what it does after its last block, where that is code and not a module.
IN_CODE: dict[str, Callable[[nn.Module], nn.Module]] = {
    "Gemma3nTextModel": AlternatingUpdates,
    "ReformerEncoder": ReversibleNorm,
}


def final_layout(end: Tensor, layout: Layout, stream: Tensor) -> Layout:
    """How the final-normed states lie: as the stream, unless parallel streams became one."""
    return layout if end.ndim == stream.ndim else Layout(0, 1, layout.prefix)
