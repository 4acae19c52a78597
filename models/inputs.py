"""How texts are put into a model together: padding, positions, and the one place that knows what a batch may mix.

Texts of different lengths share a batch if padding changes nothing (:class:`.caching.Probe`) and their rotary angles
are those that they have alone. With longrope (Phi-3) and dynamic NTK scaling the angles of *all* texts depend on the
longest of the batch.
"""

import inspect
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from .blocks import StopAfter, Stream, leading
from .observation import TOKENS, Observation, states_given

#: Difference of states, relative to their size, that float error explains.
_SAME = {torch.float32: 1e-4, torch.float64: 1e-6}
#: The same in half precision, where nothing says how much it is in this model.
_HALF = 3e-2


@dataclass(frozen=True, slots=True)
class Mixing:
    """Which lengths have the same rotary angles.

    ``until`` is the length, in tokens, up to which the angles do not depend on the length; ``None`` where they never
    do. ``exact``: beyond it each length may have angles of its own (dynamic NTK); else all longer texts share theirs
    (longrope). 0 means that the counting of positions is unknown, so that every text is read alone.
    """

    until: int | None = None
    exact: bool = False

    def fixed(self, length: int, new: int = 0) -> bool:
        """Whether a text of ``length`` tokens, and ``new`` that are written after it, has the angles of a short one."""
        return self.until is None or length + new <= self.until

    def group(self, length: int, new: int = 0) -> Hashable:
        """A key for the text's length: texts with equal keys may be in one batch."""
        if self.fixed(length, new):
            return "short"
        if not self.until:
            return object()
        return length if self.exact or length <= self.until else "long"

    def groups(self, lengths: Sequence[int], new: int = 0) -> list[list[int]]:
        """Indices of the texts of each group, in order; nearly always one group."""
        found: dict[Hashable, list[int]] = {}
        for place, length in enumerate(lengths):
            found.setdefault(self.group(length, new), []).append(place)
        return list(found.values())

    def restart(self, model: nn.Module) -> None:
        """Reset the angles before a pass: dynamic NTK scaling would keep those of the longest text so far."""
        if not self.exact:
            return
        for module in model.modules():
            for name, first in [*vars(module).items(), *module.named_buffers(recurse=False)]:
                if name.endswith("original_inv_freq"):
                    prefix = name.removesuffix("original_inv_freq")
                    now = getattr(module, f"{prefix}inv_freq")
                    setattr(module, f"{prefix}inv_freq", first.to(now.device, now.dtype).clone())
                    if hasattr(module, f"{prefix}max_seq_len_cached"):
                        setattr(module, f"{prefix}max_seq_len_cached", module.original_max_seq_len)


def find_mixing(config: Any) -> Mixing:
    """The :class:`Mixing` of a model, from the rotary parameters of its text config."""
    inner = [k for part in vars(config).values() if isinstance(part, PreTrainedConfig) for k in rotary_kinds(part)]
    kinds = [*rotary_kinds(config), *inner]
    names = [str(kind.get("rope_type")) for kind in kinds]
    exact = any("dynamic" in name for name in names)
    # PhiMoE stretches by length whatever the kind is.
    if not exact and "longrope" not in names and not any("long_mscale" in kind for kind in kinds):
        return Mixing()
    if inner:  # parts that count positions of their own, such as those of patches (BLT)
        return Mixing(0, exact=True)
    # Blocks of several kinds may count other positions (compressed keys), which pass the threshold at other lengths.
    exact = exact or len(kinds) > 1
    given = [kind.get("original_max_position_embeddings") for kind in kinds]
    given += [getattr(config, name, None) for name in ("original_max_position_embeddings", "max_position_embeddings")]
    known = [value for value in given if isinstance(value, int)] or [0]
    return Mixing(min(known) if exact else known[0], exact)


def rotary_kinds(config: Any) -> Iterator[dict[str, Any]]:
    """Rotary parameters of a text config: one dict, or one for each kind of block."""
    rope = getattr(config, "rope_parameters", None) or {}
    yield from (kind for kind in (rope, *rope.values()) if isinstance(kind, dict) and kind)


def context_of(config: Any) -> int | None:
    """Length in tokens of the longest text that a model reads; ``None`` where its config does not say.

    A config with YaRN or dynamic scaling may give the length before scaling, which is then multiplied by the factor
    (YaRN, arXiv 2309.00071, and the model cards of Qwen2.5 and Qwen3).
    """
    value = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if not isinstance(value, int) or value <= 0:
        return None
    longest = value
    for kind in rotary_kinds(config):
        factor = kind.get("factor")
        if kind.get("rope_type") in ("yarn", "dynamic") and isinstance(factor, int | float):
            longest = max(longest, int(factor * (kind.get("original_max_position_embeddings") or value)))
    return longest


@torch.no_grad()
def find_position_offset(model: Any, stream: Stream, seen: Observation, states: Sequence[Tensor]) -> int | None:
    """The number from which the model counts positions, found by comparison with a pass without position ids.

    0 for nearly all, ``padding_idx + 1`` for RoBERTa's kind, ``None`` for models without ``position_ids`` of this kind.
    """
    if "position_ids" not in inspect.signature(model.forward).parameters:
        return None
    config = model.config.get_text_config(decoder=True)
    padding, n = getattr(config, "pad_token_id", None), len(stream.blocks)
    if not stream.by_input and (first := leading(stream.blocks, config)) < n:
        n, stream = first, stream.until(first)
    end = stream.layout.all_rows(states[n], TOKENS)
    for offset in dict.fromkeys((0, padding + 1 if isinstance(padding, int) else 0)):
        positions = (torch.arange(TOKENS, device=seen.ids.device) + offset).expand_as(seen.ids)
        found = last_states(model, stream, seen.ids, torch.ones_like(seen.ids), position_ids=positions)
        if found is not None and alike(found, end):
            return offset
    return None


@torch.no_grad()
def last_states(model: Any, stream: Stream, ids: Tensor, mask: Tensor, **more: Any) -> Tensor | None:
    """Output of the last block, ``[B, T, W]``; ``None`` if the model does not run on this."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, _args: Any, output: Any) -> None:
        states = states_given(module, output)
        assert states is not None
        kept.append(states)

    try:
        with stream.leaves.register_forward_hook(keep), StopAfter(stream):
            model(**{"input_ids": ids, "attention_mask": mask, "use_cache": False, **more})
    except (TypeError, ValueError, RuntimeError, IndexError, AssertionError):
        return None
    return stream.layout.all_rows(kept[-1], ids.shape[1])


def positions(mask: Tensor, offset: int) -> Tensor:
    """Number of real tokens before each token, plus what the model counts from: ``[B, T]``."""
    return (mask.cumsum(1) - 1).clamp(min=0) + offset


def alike(a: Tensor, b: Tensor, noise: float = 0.0) -> bool:
    """Whether two sets of states differ by float error only, or by at most twice the ``noise`` of the model."""
    return a.shape == b.shape and apart(a, b) <= max(_SAME.get(a.dtype, _HALF), 2 * noise)


def apart(a: Tensor, b: Tensor) -> float:
    """Largest difference of two sets of states, relative to the largest of the second."""
    return float((a.float() - b.float()).abs().max() / b.float().abs().max().clamp(min=1e-6))


def position_inputs(mask: Tensor, offset: int | None) -> dict[str, Tensor]:
    """``position_ids`` for a model that must be given them; empty where its own count is the same."""
    if offset is None or (offset == 0 and bool(mask[:, 0].all())):  # the first token is real: counted from 0
        return {}
    return {"position_ids": positions(mask, offset)}
