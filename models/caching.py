"""One prompt for many texts: the keys and values of its tokens, computed once and lent to every row of a batch."""

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from .blocks import Stream
from .inputs import alike, last_states, positions

#: What a model that cannot go on after a cache of this kind may raise.
CANNOT_SHARE = (TypeError, ValueError, RuntimeError, IndexError, AssertionError, AttributeError, KeyError)


class PromptCache(DynamicCache):
    """Keys and values of one prompt, filled by its pass.

    Every layer keeps all of its tokens, so that key ``t`` is that of token ``t``; the model's own mask hides those
    beyond a sliding window.
    """

    def lent(self) -> DynamicCache:
        """The cache for one pass of texts that go on after the prompt; it grows in that pass only."""
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
        n = key_states.shape[0]
        keys, values = (
            torch.cat((own.expand(n, *own.shape[1:]), new), dim=-2)
            for own, new in zip(self._prompt, (key_states, value_states), strict=True)
        )
        return keys, values


@torch.no_grad()
def shares_prompts(
    model: Any, stream: Stream, ids: Tensor, offset: int | None, pad_id: int, noise: float = 0.0
) -> bool:
    """Whether texts that go on after a lent prompt read as they do whole: tried on ``ids``, ``[B, T]``.

    One prompt (the first half of the first text) is lent to texts of two lengths. A recurrence that keeps no cache of
    keys, a model that looks at the whole text, or one with a cache of its own kind gives other states, or fails.
    """
    half = ids.shape[1] // 2
    if stream.layout.prefix:
        return False
    texts = torch.cat((ids[:1, :half].expand(ids.shape[0], -1), ids[:, half:]), dim=1)
    mask = torch.ones_like(texts)
    mask[-1, -1] = 0
    texts = texts.where(mask.bool(), pad_id)
    where = {} if offset is None else {"position_ids": positions(mask, offset)}
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
    if whole is None or found is None or whole.shape[1] != texts.shape[1] or found.shape[1] != texts.shape[1] - half:
        return False
    real = mask[:, half:].bool()
    return alike(found[real], whole[:, half:][real], noise)
