"""Reads one batch after another, padded or packed; stops packing if the model turns out to mix packed texts."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from ..models.caching import CANNOT_SHARE
from ..models.errors import InnerjudgeError, UnreadableError, one_line
from ..models.loading import LanguageModel
from ..models.positions import Encoding
from .batching import PaddingSide, Placing, is_memory
from .feature_arrays import Array
from .one_pass import Prompt, Values, run_batch
from .readouts import Readout

#: Model -> last block and names of readouts -> tokens of the longest packed row whose last text was read as alone.
_proved: WeakKeyDictionary[Any, dict[tuple[int | None, tuple[str, ...]], int]] = WeakKeyDictionary()


@dataclass(slots=True, kw_only=True)
class BatchReader:
    """Reads one batch at a time, in passes up to block ``last``.

    ``readouts`` that the model turns out not to give leave the list and are ``missing`` in all items (name of a readout
    -> item id -> reason). While ``packs`` is true, items lie end to end, except after a shared prompt. Once it is
    false, ``one_each`` says whether batches may have only one item, as padding would change what is read.
    """

    lm: LanguageModel
    items: Sequence[Encoding]
    readouts: list[Readout]
    missing: dict[str, dict[str, str]]
    side: PaddingSide
    packs: bool
    last: int
    one_each: bool = False

    def read(self, chosen: Sequence[int], prompt: Prompt | None) -> Values | None:
        """Read the items ``chosen``; ``None`` if they do not fit in memory, or if a packed batch failed.

        After a packed batch fails no more are packed: :attr:`packs` is then false.
        """
        side: Placing = self.side if prompt is None else "right"
        if self.packs and prompt is None and len(chosen) > 1:
            side = "packed"
        while True:
            try:
                values = self._run(chosen, side, prompt)
                if side == "packed":
                    self._prove(chosen, values)
                return values
            except UnreadableError as error:
                if prompt is not None or not self._drop(error):
                    raise
            except (*CANNOT_SHARE, MemoryError) as error:
                if isinstance(error, InnerjudgeError):
                    raise
                if not is_memory(error):
                    if side != "packed":
                        raise
                    self._unpack(f"{type(error).__name__}: {one_line(error, 160)}")
                return None

    def _run(self, chosen: Sequence[int], side: Placing, prompt: Prompt | None) -> Values:
        batch = [self.items[k] for k in chosen]
        return run_batch(self.lm, batch, self.readouts, self.missing, side, self.last, prompt)

    def _drop(self, error: UnreadableError) -> bool:
        """Go on without the readouts that the model does not give; false if none would be left, or all of them."""
        kept = [r for r in self.readouts if r.name not in error.readouts]
        if not kept or len(kept) == len(self.readouts):
            return False
        for name in error.readouts & self.missing.keys():
            self.missing[name] = dict.fromkeys((i.id for i in self.items), str(error)) | self.missing[name]
        self.readouts[:] = kept
        return True

    def _prove(self, chosen: Sequence[int], values: Values) -> None:
        """Hold the last text of a row longer than any before against the same text alone; pack no more if they differ.

        The trial of a model is of few tokens: what parts texts up to some length only shows here. The last text has all
        others before it, and is the shortest.
        """
        model, total = self.lm.model, sum(len(self.items[k].ids) for k in chosen)
        proved = _proved.setdefault(model, {})
        what = (self.last, tuple(sorted(values)))
        if total <= proved.get(what, 0):
            return
        alone = self._run(chosen[-1:], self.side, None)
        tolerance = 1e-3 if model.dtype in (torch.float32, torch.float64) else 0.1
        for name, own in alone.items():
            packed, single = values[name][-1], own[0]
            if not _near(packed[..., : single.shape[-1]], single, tolerance):
                self._unpack(f"{name} in a row of {total} tokens is not that of the text alone")
                return
        proved[what] = total

    def _unpack(self, reason: str) -> None:
        self.packs = False
        self.one_each = self.side not in self.lm.padding_sides
        warnings.warn(
            f"texts are packed no more: {type(self.lm.model).__name__} failed on texts that lie end to end ({reason})",
            stacklevel=4,
        )


def _near(packed: Array, alone: Array, tolerance: float) -> bool:
    """Whether two readings of one text differ by float error only, in every row of the last axis by itself.

    A row is held to its own size, or, if small, to a hundredth of the largest; what neither reading has is the same.
    """
    off = np.where(np.isnan(packed) & np.isnan(alone), 0.0, packed - alone)
    size = np.linalg.norm(np.nan_to_num(alone, posinf=0.0, neginf=0.0), axis=-1)
    bound = tolerance * np.maximum(size, 0.01 * size.max(initial=0.0))
    return bool((np.linalg.norm(off, axis=-1) <= bound + 1e-6).all())
