"""Whether padding, packing and cached prompts change what a model computes for a text, tried on a few tokens."""

import copy
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from .blocks import Stream, leading
from .inputs import alike, apart, last_states, position_inputs, positions
from .observation import probe_ids

#: What a model that cannot go on after a cache of this kind may raise.
CANNOT_SHARE = (TypeError, ValueError, RuntimeError, IndexError, AssertionError, AttributeError, KeyError)


class PromptCache(DynamicCache):
    """Keys and values of one prompt, filled by its pass.

    Every layer keeps all tokens: key ``t`` belongs to token ``t``, and the model's mask hides keys beyond a window.
    """

    def lent(self) -> DynamicCache:
        """A cache for one pass over texts that continue the prompt; what that pass adds is not kept here."""
        lent = DynamicCache()
        lent.layers = [_Lent(layer) for layer in self.layers]
        return lent


class _Lent(DynamicLayer):
    """A layer of the prompt for a batch of any size: what the batch adds is handed back and not kept."""

    def __init__(self, layer: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._prompt: tuple[Tensor, ...] = ()
        if layer.is_initialized:  # else the prompt's pass did not reach it
            self.lazy_initialization(layer.keys, layer.values)
            self.keys, self.values = self._prompt = (layer.keys, layer.values)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self._prompt:
            return super().update(key_states, value_states, *args, **kwargs)
        pairs = zip(self._prompt, (key_states, value_states), strict=True)
        keys, values = (torch.cat((own.expand(len(new), *own.shape[1:]), new), dim=-2) for own, new in pairs)
        return keys, values


def packs_by_itself(device: torch.device, kernel: str) -> bool:
    """Whether packing pays: on a GPU, with a kernel that skips the attention between different texts."""
    return device.type == "cuda" and ("flash_attention" in kernel or kernel == "flex_attention")


def restarting(lengths: Sequence[int], offset: int) -> Tensor:
    """Positions of texts of ``lengths`` tokens laid end to end, ``[1, total]``."""
    return torch.cat([torch.arange(length) for length in lengths])[None] + offset


class Probe:
    """Tries a model on a few tokens and compares states that should be equal, in float32 where possible.

    In half precision, rounding alone can differ as much as a real fault would (some activations are in the thousands),
    so a float32 copy is tried instead. Where there is no room for one (``memory`` in gigabytes, ``None`` for half of
    what is free), or it does not run, the rounding noise of the model itself is measured and allowed for.

    A pass stops once a block of every kind has run, and one more (:func:`leading`): what a token sees of other tokens
    shows in the output of the block that lets it see them, and in the keys of the next block.
    """

    def __init__(self, model: Any, stream: Stream, offset: int | None, pad: int, memory: float | None = None) -> None:
        self._offset, self._pad_id = offset, pad
        n, idle = leading(stream.blocks, model.config.get_text_config(decoder=True)), set[nn.Module]()
        if n < len(stream.blocks):
            idle = {*stream.blocks[n:]} - {*stream.blocks[:n]}
            stream = stream.until(n)
        self._model, self._stream, self._noise = model, stream, 0.0
        self._ids = probe_ids(model)
        if model.dtype in (torch.float16, torch.bfloat16):
            twin = _in_float32(model, stream, idle, memory)
            if twin is not None:
                self._model, self._stream = twin
                if self._plain() is not None:
                    return
            self._model, self._stream = model, stream
            # Texts in a batch differ from the same texts alone by rounding only.
            together, every = self._plain(), [self._plain(text[None]) for text in self._ids]
            alone = [states for states in every if states is not None]
            if together is not None and len(alone) == len(every):
                self._noise = max(apart(a, b) for a, b in zip(together[:, None], alone, strict=True))

    def sides(self) -> frozenset[str]:
        """Sides on which padding changes nothing.

        Left padding shifts the positions of a model that counts them itself, and feeds a recurrence that has no mask;
        right padding is seen by a model that attends in both directions and masks only the left (CPM-Ant).
        """
        ids, plain = self._ids, self._plain()
        padding, found = torch.full_like(ids[:, :2], self._pad_id), set()
        for side in ("right", "left"):
            parts = [(ids, torch.ones_like(ids)), (padding, torch.zeros_like(padding))]
            ordered = parts if side == "right" else parts[::-1]
            text, mask = (torch.cat(two, dim=1) for two in zip(*ordered, strict=True))
            states = self._plain(text, mask)
            real = slice(0, ids.shape[1]) if side == "right" else slice(2, None)
            if plain is not None and states is not None and alike(states[:, real], plain, self._noise):
                found.add(side)
        return frozenset(found)

    def shares(self) -> bool:
        """Whether texts that continue a shared prompt get the same states as when they are read whole.

        One prompt (the first half of the first text) is shared by texts of two lengths. A recurrence without a key
        cache, a model that attends to the whole text, or one with its own kind of cache gives other states, or fails.
        """
        model, stream, ids = self._model, self._stream, self._ids
        half = ids.shape[1] // 2
        if stream.layout.prefix:
            return False
        texts = torch.cat((ids[:1, :half].expand(ids.shape[0], -1), ids[:, half:]), dim=1)
        mask = torch.ones_like(texts)
        mask[-1, -1] = 0
        texts = texts.where(mask.bool(), self._pad_id)
        where = {} if self._offset is None else {"position_ids": positions(mask, self._offset)}
        whole = last_states(model, stream, texts, mask, **where)
        cache = PromptCache()
        first, rest = ({name: t[:, part] for name, t in where.items()} for part in (slice(half), slice(half, None)))
        one = {name: t[:1] for name, t in first.items()}
        try:
            last_states(model, stream, texts[:1, :half], mask[:1, :half], past_key_values=cache, use_cache=True, **one)
            lent = cache.lent()
            found = last_states(model, stream, texts[:, half:], mask, past_key_values=lent, use_cache=True, **rest)
        except CANNOT_SHARE:
            return False
        if whole is None or found is None or (whole.shape[1], found.shape[1]) != (ids.shape[1], ids.shape[1] - half):
            return False
        real = mask[:, half:].bool()
        return alike(found[real], whole[:, half:][real], self._noise)

    def packs(self) -> bool:
        """Whether texts of several lengths, laid end to end in one row, get the same states as each text alone.

        They do not where a recurrence runs on into the next text, or positions, kernel or mask do not separate them.
        """
        if self._offset is None or self._stream.layout.prefix:
            return False
        texts = [row[: len(row) - 2 * (k % 2)] for k, row in enumerate(self._ids)]
        row, lengths = torch.cat(texts)[None], [len(text) for text in texts]
        given = {"attention_mask": None, "position_ids": restarting(lengths, self._offset).to(row.device)}
        found = last_states(self._model, self._stream, row, torch.ones_like(row), **given)
        if found is None or found.shape[:2] != row.shape:
            return False
        pairs = zip((self._plain(text[None]) for text in texts), found[0].split(lengths), strict=True)
        return all(alone is not None and alike(own, alone[0], self._noise) for alone, own in pairs)

    def _plain(self, ids: Tensor | None = None, mask: Tensor | None = None) -> Tensor | None:
        ids = self._ids if ids is None else ids
        mask = torch.ones_like(ids) if mask is None else mask
        return last_states(self._model, self._stream, ids, mask, **position_inputs(mask, self._offset))


def _in_float32(
    model: Any, stream: Stream, idle: Collection[nn.Module], memory: float | None
) -> tuple[Any, Stream] | None:
    """A copy of a model, and its stream there, with float32 weights but for blocks that are ``idle``, or ``None``."""
    unused, used = (
        {id(weight) for block in some for weight in (*block.parameters(), *block.buffers())}
        for some in (idle, stream.blocks)
    )
    unused -= used  # blocks may share some
    weights: list[Tensor] = [one for one in (*model.parameters(), *model.buffers()) if id(one) not in unused]
    if any(weight.is_meta or type(weight) not in (Tensor, nn.Parameter) for weight in weights):
        return None  # offloaded, quantised or spread over devices
    room = free_memory(weights[0].device) // 2 if memory is None else memory * 1e9
    if 4 * sum(weight.numel() for weight in weights) > room:
        return None
    # What the copy finds here stands for the weight itself, so that no half-precision copy is made on the way.
    wide: dict[int, Any] = {id(block): block for block in idle}
    try:
        for weight in weights:
            if weight.dtype in (torch.float16, torch.bfloat16):
                data = weight.detach().float()
                wide[id(weight)] = nn.Parameter(data, requires_grad=False) if isinstance(weight, nn.Parameter) else data
        return copy.deepcopy((model, stream), wide)
    except (TypeError, RuntimeError, AttributeError, ValueError, NotImplementedError):
        return None


def free_memory(device: torch.device) -> int:
    """Free bytes of memory on the device on which a model runs."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            found = {name: int(rest.split()[0]) for name, rest in (line.split(":", 1) for line in lines)}
        return found["MemAvailable"] * 1024
    except (OSError, KeyError):  # not Linux
        with suppress(AttributeError, ValueError):
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
        return 4 << 30  # Windows tells neither
