"""Whether padding, packing and caches change what a model computes for a text, tried on a few tokens.

A trial compares states that should be equal. In half precision rounding alone can make a difference as large as a fault
(a massive activation of thousands, where the others are of ones), so there the trial runs on a copy in float32. Where
there is no room for one, or it does not run, what the model's own rounding makes of one text is measured and allowed.
"""

import copy
import os
from typing import Any

import torch
from torch import Tensor, nn

from .blocks import Stream
from .caching import shares_prompts
from .inputs import apart, find_sides, last_states, position_inputs
from .observation import probe_ids
from .packing import reads_packed

#: Share of the free memory that a copy may take.
_SHARE = 0.5


class Probe:
    """Trials of one model, in float32 where possible.

    Args:
        model: The model.
        stream: Its residual stream.
        offset: What its positions count from.
        pad_id: A token to pad with.
    """

    def __init__(self, model: Any, stream: Stream, offset: int | None, pad_id: int) -> None:
        self._offset, self._pad_id = offset, pad_id
        self._model, self._stream, self._noise = model, stream, 0.0
        self._ids = probe_ids(model)
        if model.dtype in (torch.float16, torch.bfloat16):
            twin = _in_float32(model, stream)
            if twin is not None:
                self._model, self._stream = twin
                if self._plain() is not None:
                    return
            self._model, self._stream = model, stream
            self._noise = self._own_noise()

    def sides(self) -> frozenset[str]:
        """Sides on which padding changes nothing."""
        return find_sides(self._model, self._stream, self._ids, self._offset, self._pad_id, self._noise)

    def shares(self) -> bool:
        """Whether texts with one prompt may share its keys and values."""
        return shares_prompts(self._model, self._stream, self._ids, self._offset, self._pad_id, self._noise)

    def packs(self) -> bool:
        """Whether texts may lie end to end in one row."""
        return reads_packed(self._model, self._stream, self._ids, self._offset, self._noise)

    def _plain(self, ids: Tensor | None = None) -> Tensor | None:
        ids = self._ids if ids is None else ids
        mask = torch.ones_like(ids)
        return last_states(self._model, self._stream, ids, mask, **position_inputs(mask, self._offset))

    def _own_noise(self) -> float:
        """Largest difference between texts in a batch and the same texts alone: nothing but rounding explains it."""
        together = self._plain()
        alone = [self._plain(text[None]) for text in self._ids]
        if together is None or any(states is None for states in alone):
            return 0.0
        return max(apart(a, b) for a, b in zip(together[:, None], alone, strict=True) if b is not None)


def _in_float32(model: Any, stream: Stream) -> tuple[Any, Stream] | None:
    """A copy of a model, and its stream there, with float32 weights; ``None`` where none can be made."""
    weights: list[Tensor] = [*model.parameters(), *model.buffers()]
    if any(weight.is_meta or type(weight) not in (Tensor, nn.Parameter) for weight in weights):
        return None  # offloaded, quantised or spread over devices
    if 4 * sum(weight.numel() for weight in weights) > _SHARE * _free(weights[0].device):
        return None
    # What the copy finds here stands for the weight itself, so that no half-precision copy is made on the way.
    wide: dict[int, Any] = {}
    try:
        for weight in weights:
            if weight.dtype in (torch.float16, torch.bfloat16):
                data = weight.detach().float()
                wide[id(weight)] = nn.Parameter(data, requires_grad=False) if isinstance(weight, nn.Parameter) else data
        twin, blocks = copy.deepcopy((model, stream), wide)
    except (TypeError, RuntimeError, AttributeError, ValueError, NotImplementedError):
        return None
    return twin, blocks


def _free(device: torch.device) -> float:
    """Bytes of free memory."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return float("inf")
