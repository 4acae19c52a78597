"""Common beginnings of the prompts in a batch, computed once: a cache in which each prompt finds its own."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from ...models.caching import CANNOT_SHARE
from ...models.loading import LanguageModel
from ...models.positions import Encoding
from ..batching import Room, is_memory
from ..one_pass import read_prompt
from ..schedule import families


def prefix_cache(lm: LanguageModel, items: Sequence[Encoding], new: int) -> DynamicCache | None:
    """Keys and values of the first columns of the batch padded on the left; ``None`` where sharing does not pay.

    Every column holds what the whole batch would hold there: padding (masked), or a token at its own position. Prompts
    may have different beginnings; there are as many columns as every row can fill. ``new`` tokens will follow.
    """
    width = max(len(item.ids) for item in items)
    if not lm.mixing.fixed(width, new):
        return None
    least = 2 * Room(lm.device, None).fixed
    found = families([item.ids for item in items], [len(item.ids) - 1 for item in items], least=least)
    shared = {row: family.shared for family in found for row in family.rows}
    columns = width - max(len(item.ids) - shared[row] for row, item in enumerate(items))
    pads = [width - len(item.ids) for item in items]
    lengths = [max(max(columns - pads[row] for row in family.rows), 0) for family in found]
    if len(items) * columns - sum(lengths) < least or not lm.shares_prompts:
        return None
    try:
        parts = [
            (family.rows, read_prompt(lm, [items[family.rows[0]]], (), length, lm.anatomy.n_blocks).cache)
            for family, length in zip(found, lengths, strict=True)
            if length
        ]
        cache, layers = DynamicCache(), list[Any]()
        given: list[tuple[Sequence[int], list[Any]]] = [(rows, list(part.layers)) for rows, part in parts]
        for number, first in enumerate(given[0][1]):
            layer = DynamicLayer()
            if first.is_initialized:
                layer.lazy_initialization(first.keys, first.values)
                layer.keys = _columns([(rows, own[number].keys) for rows, own in given], pads, columns)
                layer.values = _columns([(rows, own[number].values) for rows, own in given], pads, columns)
            layers.append(layer)
        cache.layers = layers
        return cache
    except CANNOT_SHARE as error:
        if is_memory(error):
            raise
        return None


def _columns(parts: Sequence[tuple[Sequence[int], Any]], pads: Sequence[int], columns: int) -> Tensor:
    """``[1, H, t, d]`` of each part to ``[B, H, columns, d]``: token ``t`` of row ``b`` in column ``pads[b] + t``."""
    states: Tensor = parts[0][1]
    result = states.new_zeros(len(pads), states.shape[1], columns, states.shape[3])
    for rows, own in parts:
        for row in rows:
            n = columns - pads[row]
            if n > 0:
                result[row, :, pads[row] :] = own[0, :, :n]
    return result
