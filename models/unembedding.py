"""From the last block to logits: the final norm, the unembedding, and what the model does around them."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from .blocks import NAME_THEM, Stream
from .errors import InnerjudgeError
from .observation import ModuleCall, Observation, Times, follow, multiple

#: Logits that are put in place of the unembedding's, one a token, to see what becomes of them.
_PROBES = (0.0, 1e-2, 1.0, -1.0, 3.0, 40.0, 1e6)


@dataclass(frozen=True, slots=True)
class Postprocessing:
    """``cap * tanh((scale * z + bias) / cap)`` of the unembedded states ``z``; without ``cap``, ``scale * z + bias``.

    ``bias`` is ``[vocabulary]``; only ``size`` entries are kept, as models drop those that only pad the vocabulary.
    """

    scale: float
    softcap: float | None
    bias: Tensor | None
    size: int

    def __call__(self, logits: Tensor, ids: Tensor | slice | None = None) -> Tensor:
        """Of logits over the vocabulary, or of entries ``ids`` (broadcast against the logits) of it."""
        logits = logits * self.scale
        if self.bias is not None:
            bias = self.bias.to(logits.device)
            logits = logits + (bias if ids is None else bias[ids])
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)


def known_logits(unembedding: nn.Module) -> RemovableHandle:
    """While open, a pass of ``[ITEMS, TOKENS]`` ids has known logits for its last text, one number a token."""

    def replace(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
        if not isinstance(output, Tensor) or output.ndim != 3 or output.shape[1] != len(_PROBES):
            return output
        wide = output.float()  # whatever the model's type: the factor is read exactly
        known = torch.tensor(_PROBES, device=output.device)[:, None].expand(wide[-1].shape)
        return torch.cat((wide[:-1], known[None]))

    return unembedding.register_forward_hook(replace)


def find_postprocessing(model: Any, returned: Tensor) -> Postprocessing:
    """What the model did to :func:`known_logits`, ``[TOKENS, size]``.

    ``InnerjudgeError`` unless it is a factor, a bias and a soft-cap.
    """
    tolerance = 1e-5 if returned.dtype == torch.float32 else 1e-2
    found = returned.double()  # [probes, kept entries]
    zero, one, large = found[0], found[2], found[-1]
    straight = torch.allclose(large, 1e6 * one - (1e6 - 1) * zero, atol=tolerance, rtol=tolerance)
    cap = None if straight else float(large.abs().max())
    line = found if cap is None else cap * torch.atanh((found / cap).clamp(-1 + 1e-12, 1 - 1e-12))
    scale = exact(float((line[1] - line[0]).mean() / _PROBES[1]), model, tolerance)
    softcap = exact(cap, model, tolerance) if cap else None
    post = Postprocessing(scale, softcap, line[0].float() if bool(zero.any()) else None, found.shape[-1])
    grid = torch.tensor(_PROBES, dtype=torch.double, device=found.device)[:, None].expand_as(found)
    if not torch.allclose(post(grid).double(), found, atol=10 * tolerance, rtol=10 * tolerance):
        raise InnerjudgeError.of("models.other-unembedding", type(model).__name__, NAME_THEM)
    return post


def exact(value: float, model: Any, tolerance: float = 1e-5) -> float:
    """The number in the config, or inverse of one, that a measured ``value`` comes within ``tolerance`` of, if any."""
    config = model.config.get_text_config(decoder=True).to_dict()
    numbers = [float(v) for v in config.values() if isinstance(v, int | float) and not isinstance(v, bool) and v]
    near = (n for n in (1.0, *numbers, *(1.0 / n for n in numbers)) if abs(n - value) <= tolerance * abs(value))
    return next(near, float(f"{value:.6g}"))


class BeforeUnembedding(nn.Module):
    """Runs a head up to its unembedding and returns that one's input: for heads that norm in code, not in a module."""

    def __init__(self, head: nn.Module, unembedding: nn.Module) -> None:
        super().__init__()
        self.head, self.unembedding = head, unembedding

    def forward(self, states: Tensor) -> Tensor:
        """States before the unembedding, ``[..., D] -> [..., D']``."""
        thread = threading.get_ident()

        def stop(_module: nn.Module, args: tuple[Any, ...]) -> None:
            if threading.get_ident() == thread:
                raise _ReadError(args[0])

        with self.unembedding.register_forward_pre_hook(stop):
            try:
                self.head(states)
            except _ReadError as read:
                return read.states
        raise RuntimeError("the head did not use its unembedding")


class _ReadError(Exception):
    def __init__(self, states: Tensor) -> None:
        self.states = states


def find_transform(end: Tensor, outside: Sequence[ModuleCall], seen: Observation, unembedding: nn.Module) -> nn.Module:
    """From final-normed states ``end`` (``[ITEMS, TOKENS, D]``) to what the unembedding reads.

    ``outside`` are the calls between base model and unembedding: a dense layer and norm (BERT), a factor (MiniCPM).
    """
    reads = seen.of(unembedding)
    if not reads or reads[-1].given is None:
        return nn.Identity()
    chain = follow(end, outside)
    factor = multiple(reads[-1].given, chain.end)
    if factor is not None:
        return chain.module if factor == 1.0 else nn.Sequential(*chain.modules, Times(factor))
    heads = [c for c in seen.calls if c.start < reads[-1].start < c.end and c.given is not None]
    head = next((c for c in heads if multiple(c.given, end) == 1.0), None)  # type: ignore[arg-type]
    return chain.module if head is None else BeforeUnembedding(head.module, unembedding)


def after_blocks(seen: Observation, stream: Stream, head: nn.Module) -> tuple[list[ModuleCall], list[ModuleCall]]:
    """Calls between the last block and the unembedding: those inside the base model, and those of the head."""
    last, reads = seen.of(stream.leaves)[-1], seen.of(head)
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
        """Mix ``earlier``, those ``h[l]`` of ``numbers`` before ``last``, with ``last``; all are ``[..., D]``."""
        held = torch.stack(tuple(earlier), dim=-2) if earlier else last.new_zeros(*last.shape[:-1], 0, last.shape[-1])
        return self.mix(held, last)[0]  # type: ignore[no-any-return]


class AlternatingUpdates(nn.Module):
    """Four parallel streams into one, then the norm, which Gemma 3n does in its forward and not in a module."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.projections: nn.ModuleList = model.altup_unembed_projections  # type: ignore[assignment]
        self.norm: nn.Module = model.norm  # type: ignore[assignment]

    def forward(self, states: Tensor) -> Tensor:
        """``[4, B, T, D]`` to ``[B, T, D]``: scale every stream to the magnitude of the first, average, and norm."""
        first = states[0]
        magnitude = first.square().mean(-1, keepdim=True) ** 0.5
        streams = [first]
        for projection, stream in zip(self.projections, states[1:], strict=True):
            other = projection(stream).to(first.dtype)
            streams.append(other * magnitude / other.square().mean(-1, keepdim=True).clamp(min=1e-5).sqrt())
        return self.norm(torch.stack(streams).mean(0))  # type: ignore[no-any-return]


class ReversibleNorm(nn.Module):
    """The norm over both streams of reversible residuals, which Reformer joins in the other order."""

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
