"""One run over many items: which are read together, what they share, and what happens when memory runs out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from ..models.caching import CANNOT_SHARE, fixed_until
from ..models.errors import InnerjudgeError, UnreadableError
from ..models.loading import LanguageModel
from ..models.positions import Encoded
from .arrays import Array
from .batching import PaddingSide, Placing, by_cost, by_tokens
from .one_pass import run_batch
from .prefixes import Family, families
from .prompt_pass import Prompt, read_prompt
from .readouts import AttentionWeights, QueryKey, Readout, ResponseLogProb
from .room import Room, is_memory

#: Model -> last block and names of readouts -> tokens of the longest packed row whose last text was read as alone.
_proved: WeakKeyDictionary[Any, dict[tuple[int | None, tuple[str, ...]], int]] = WeakKeyDictionary()
#: Indices of items and the values of each readout there.
Found = tuple[list[int], dict[str, Array]]


class Sweep:
    """Passes over items, each at most once.

    Args:
        lm: The model.
        items: All items.
        readouts: What is kept; those that the model turns out not to give leave the list and are missing in all items.
        missing: Name of a readout -> item id -> reason; grows by what cannot be read.
        side: Side of the padding.
        packed: Whether the items of a batch lie end to end in one row; those after a common prompt never do.
        last: The last block that is run.
        batch_size: Items a batch, at most.
        room: Tokens a batch.
    """

    def __init__(
        self,
        lm: LanguageModel,
        items: Sequence[Encoded],
        readouts: list[Readout],
        missing: dict[str, dict[str, str]],
        *,
        side: PaddingSide,
        packed: bool,
        last: int,
        batch_size: int,
        room: Room,
    ) -> None:
        self._lm, self._items, self._readouts, self._missing = lm, items, readouts, missing
        self._packed = packed
        self._side, self._last, self._batch_size, self._room = side, last, batch_size, room

    def run(self, rows: Sequence[int], *, share: bool) -> Iterator[Found]:
        """Values of the items at ``rows``, batch by batch; without values where an item did not fit in memory.

        Args:
            rows: The items to read.
            share: Whether what several of them begin with is computed once.
        """
        for family in self._families(rows) if share else [Family(tuple(rows), 0)]:
            if family.shared and share:
                left = set(family.rows)
                try:
                    prompt = read_prompt(
                        self._lm, [self._items[k] for k in family.rows], self._readouts, family.shared, self._last
                    )
                    for found in self._batches(family.rows, prompt):
                        left.difference_update(found[0])
                        yield found
                    continue
                except (*CANNOT_SHARE, MemoryError, UnreadableError) as error:
                    reason = None if is_memory(error) else f"{type(error).__name__}: {error}"
                given = len(self._readouts)
                yield from self._batches(sorted(left), None)
                # What fails without sharing as well says nothing about sharing.
                if reason is not None and len(self._readouts) == given:
                    share = False
                    self._say(reason)
            else:
                yield from self._batches(family.rows, None)

    def _families(self, rows: Sequence[int]) -> list[Family]:
        items = [self._items[k] for k in rows]
        most = [self._most(item) for item in items]
        found = families([item.ids for item in items], most, least=2 * self._room.fixed)
        if any(family.shared for family in found) and not self._lm.shares_prompts:
            self._say("a text that goes on after a cached prompt reads differently, or there is no such cache")
            return [Family(tuple(rows), 0)]
        return [Family(tuple(rows[k] for k in family.rows), family.shared) for family in found]

    def _most(self, item: Encoded) -> int:
        """Tokens of an item that may be computed elsewhere: not its last, its query, or what predicts its response."""
        until = fixed_until(self._lm.model.config.get_text_config(decoder=True))
        if until is not None and len(item.ids) > until:
            return 0
        most = [len(item.ids) - 1]
        for readout in self._readouts:
            if item.id in self._missing[readout.name]:
                continue
            if isinstance(readout, QueryKey | AttentionWeights):
                most.append(item.positions[readout.query][0])
            elif isinstance(readout, ResponseLogProb):
                most.append(item.positions["prompt_end"][0])
        return min(most)

    def _say(self, reason: str) -> None:
        warnings.warn(
            f"prompts are computed once for each text: {type(self._lm.model).__name__} cannot share them ({reason})",
            stacklevel=3,
        )

    def _batches(self, rows: Sequence[int], prompt: Prompt | None) -> Iterator[Found]:
        """Batches of the items at ``rows``, cut anew from what is left whenever one did not fit in memory."""
        skip = 0 if prompt is None else prompt.length
        length = {row: len(self._items[row].ids) for row in rows}
        left = list(rows)

        def most(own: int) -> int:
            return min(self._batch_size, self._room.items(own + skip, skip))

        def cut(lengths: list[int]) -> list[list[int]]:
            if not self._packed or prompt is not None:
                return by_cost(lengths, most, self._room.fixed)
            return by_tokens(lengths, lambda own: self._room.learned(own, self._batch_size), self._longest_row())

        while left:
            waiting = left
            for places in cut([length[row] - skip for row in waiting]):
                chosen = [waiting[place] for place in places]
                packed = self._packed
                values = self._values(chosen, prompt)
                if self._packed and prompt is None and values is not None:
                    self._prove(chosen, values)
                if packed and not self._packed:
                    break
                if values is None:
                    longest = length[chosen[0]]
                    self._room.ran_out(len(chosen), longest)
                    if len(chosen) > 1:
                        break
                    if prompt is not None:
                        yield from self._batches(chosen, None)
                    else:
                        reason = f"{longest} tokens, for which the memory of {self._lm.device} is too small"
                        for reasons in self._missing.values():
                            reasons.setdefault(self._items[chosen[0]].id, reason)
                        yield chosen, {}
                else:
                    yield chosen, values
                done = set(chosen)
                left = [row for row in left if row not in done]

    def _longest_row(self) -> int:
        """Tokens of a packed row: no more than one text may have, for which masks and angles of a model are made."""
        until = fixed_until(self._lm.model.config.get_text_config(decoder=True))
        return min(n for n in (self._room.tokens, self._lm.anatomy.context, until) if n)

    def _values(self, chosen: Sequence[int], prompt: Prompt | None) -> dict[str, Array] | None:
        """One batch; ``None`` if it does not fit in memory, or if it was a packed one that failed: the last of them."""
        batch = [self._items[k] for k in chosen]
        side: Placing = self._side if prompt is None else "right"
        if self._packed and prompt is None and len(batch) > 1:
            side = "packed"
        while True:
            try:
                return run_batch(self._lm, batch, self._readouts, self._missing, side, self._last, prompt)
            except UnreadableError as error:
                if prompt is not None:
                    raise
                kept = [r for r in self._readouts if r.name not in error.readouts]
                if not kept or len(kept) == len(self._readouts):
                    raise
                for name in error.readouts & self._missing.keys():
                    self._missing[name] = dict.fromkeys((i.id for i in self._items), str(error)) | self._missing[name]
                self._readouts[:] = kept
            except (*CANNOT_SHARE, MemoryError) as error:
                if isinstance(error, InnerjudgeError):
                    raise
                if not is_memory(error):
                    if side != "packed":
                        raise
                    self._unpack(f"{type(error).__name__}: {' '.join(str(error).split())[:160]}")
                return None

    def _prove(self, chosen: Sequence[int], values: dict[str, Array]) -> None:
        """Hold the last text of a row longer than any before against the same text alone; pack no more if they differ.

        The trial of a model is of few tokens: what parts texts up to some length only shows here. The last text has all
        others before it, and is the shortest.
        """
        model, total = self._lm.model, sum(len(self._items[k].ids) for k in chosen)
        proved = _proved.setdefault(model, {})
        what = (self._last, tuple(sorted(values)))
        if len(chosen) == 1 or total <= proved.get(what, 0):
            return
        alone = run_batch(
            self._lm, [self._items[chosen[-1]]], self._readouts, self._missing, self._side, self._last, None
        )
        tolerance = 1e-3 if model.dtype in (torch.float32, torch.float64) else 0.1
        for name, own in alone.items():
            if not _near(values[name][-1][..., : own.shape[-1]], own[0], tolerance):
                self._unpack(f"{name} in a row of {total} tokens is not that of the text alone")
                return
        proved[what] = total

    def _unpack(self, reason: str) -> None:
        self._packed = False
        if self._side not in self._lm.padding_sides:
            self._batch_size = 1
        warnings.warn(
            f"texts are packed no more: {type(self._lm.model).__name__} failed on texts that lie end to end ({reason})",
            stacklevel=4,
        )


def _near(packed: Array, alone: Array, tolerance: float) -> bool:
    """Whether two readings of one text differ by float error only, in every row of the last axis by itself.

    A row is held to its own size, and where it is small beside the largest, to a hundredth of that. What neither
    reading has is no difference.
    """
    off = np.where(np.isnan(packed) & np.isnan(alone), 0.0, packed - alone)
    size = np.linalg.norm(np.nan_to_num(alone, posinf=0.0, neginf=0.0), axis=-1)
    bound = tolerance * np.maximum(size, 0.01 * size.max(initial=0.0))
    return bool((np.linalg.norm(off, axis=-1) <= bound + 1e-6).all())
