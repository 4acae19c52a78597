"""From final-normed states to logits: the unembedding, and what the model does to them before and after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .blocks import NAME_THEM
from .errors import InnerjudgeError

#: Logits that are put in place of the unembedding's, one a token, to see what becomes of them.
_PROBES = (0.0, 1e-2, 1.0, -1.0, 3.0, 40.0, 1e6)


@dataclass(frozen=True, slots=True)
class Postprocessing:
    """``cap * tanh((scale * z + bias) / cap)`` of the unembedded states ``z``; without ``cap`` the line alone.

    Args:
        scale: Factor on the logits.
        softcap: ``cap``; ``None`` without.
        bias: ``[vocabulary]``, added after the factor; ``None`` without.
        size: Entries that are kept: models drop those that only pad the vocabulary.
    """

    scale: float
    softcap: float | None
    bias: Tensor | None
    size: int

    def __call__(self, logits: Tensor, ids: Tensor | None = None) -> Tensor:
        """Of logits over the vocabulary, or of entries ``ids`` (broadcast against the logits) of it."""
        logits = logits * self.scale
        if self.bias is not None:
            bias = self.bias.to(logits.device)
            logits = logits + (bias if ids is None else bias[ids])
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)


def find_postprocessing(model: Any, unembedding: nn.Module, ids: Tensor) -> Postprocessing:
    """What the model does to the logits, found by putting known ones in place of its unembedding's.

    Raises:
        InnerjudgeError: If that is not a factor, a bias and a soft-cap.
    """
    size = 0

    def replace(_module: nn.Module, _args: tuple[Any, ...], output: Tensor) -> Tensor:
        nonlocal size
        size = output.shape[-1]
        grid = torch.tensor(_PROBES, device=output.device)  # fp32 whatever the model's type: the factor is read exactly
        return grid.view(1, -1, 1).expand(output.shape[0], -1, size).clone()

    with _hooked(unembedding, replace):
        returned = model(input_ids=ids[:1], attention_mask=torch.ones_like(ids[:1]), use_cache=False).logits
    if returned.shape[1] != len(_PROBES) or not size:
        raise _refusal(model)
    tolerance = 1e-5 if returned.dtype == torch.float32 else 1e-2
    found = returned[0].double()  # [probes, kept entries]
    zero, one, large = found[0], found[2], found[-1]
    bias = zero if bool(zero.any()) else None
    cap = None if _near(large, 1e6 * one - (1e6 - 1) * zero, tolerance) else float(large.abs().max())
    line = found if cap is None else cap * torch.atanh((found / cap).clamp(-1 + 1e-12, 1 - 1e-12))
    scale = float((line[1] - line[0]).mean() / _PROBES[1])
    post = Postprocessing(
        exact(scale, model, tolerance), exact(cap, model, tolerance) if cap else None, None, found.shape[-1]
    )
    if bias is not None:
        post = Postprocessing(post.scale, post.softcap, line[0].float(), post.size)
    grid = torch.tensor(_PROBES, dtype=torch.double, device=found.device)[:, None].expand_as(found)
    if not torch.allclose(post(grid).double(), found, atol=10 * tolerance, rtol=10 * tolerance):
        raise _refusal(model)
    return post


def _refusal(model: Any) -> InnerjudgeError:
    return InnerjudgeError(
        f"given {type(model).__name__}, expected the unembedded states times a factor, plus a bias, soft-capped, "
        f"to equal its logits, which they do not: {NAME_THEM}, or report the family"
    )


def exact(value: float, model: Any, tolerance: float = 1e-5) -> float:
    """``value`` as the config has it, or the inverse of it, if it is measured as near to that as it can be."""
    config = model.config.get_text_config(decoder=True).to_dict()
    numbers = [float(v) for v in config.values() if isinstance(v, int | float) and not isinstance(v, bool) and v]
    for candidate in (1.0, *numbers, *(1.0 / n for n in numbers)):
        if abs(candidate - value) <= tolerance * abs(value):
            return candidate
    return float(f"{value:.6g}")


def _near(a: Tensor, b: Tensor, tolerance: float) -> bool:
    return torch.allclose(a, b, atol=tolerance, rtol=tolerance)


@contextmanager
def _hooked(module: nn.Module, hook: Any) -> Iterator[None]:
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
