"""What an extraction will cost, from a measured sample, and what it did cost, lost and left unscored."""

import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch

from ....extraction.store import FeatureStore
from ....models.blocks import StopAfter
from ....models.items import Item
from ....models.loading import LanguageModel
from ...compare.findings import shape_of
from ...reading.passes import Passes
from ...reading.read import read
from .disk import stored_bytes

#: Batches that are kept to be passed again, bare; of a long run every second, fourth ... one.
_KEPT = 8
#: Items that are read to measure.
SAMPLE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast the part of a run was that was done just now.

    ``floor`` are the seconds that the bare model takes for the same tokens; 0 where that was not measured.
    """

    items: int
    tokens: int
    seconds: float
    floor: float = 0.0

    def told(self) -> str:
        """The speed in words."""
        said = f"{self.items:,} items and {self.tokens:,} tokens in {self.seconds:.1f} s"
        if self.seconds:
            said += f": {self.items / self.seconds:.1f} items/s"
        return said + (f", {self.seconds / self.floor:.2f}x the bare pass" if self.floor else "")


def reasons_of(items: Iterable[Mapping[str, str]]) -> list[tuple[str, int, str]]:
    """Why items lack a readout: readouts, number of items, and the reason of the first of them.

    Reasons that differ in numbers and quoted texts only count as one.
    """
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for name, reason in (pair for missing in items for pair in missing.items()):
        counts[name, shape_of(reason)] += 1
        first.setdefault((name, shape_of(reason)), reason)
    merged: dict[tuple[str, int], list[str]] = {}
    for (name, shape), count in counts.items():
        merged.setdefault((shape, count), []).append(name)
    rows = [(", ".join(sorted(names)), count, first[names[0], shape]) for (shape, count), names in merged.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def summary(store: FeatureStore, speed: Speed) -> list[str]:
    """Lines: what was done just now, what the type lost, what is unscored and why."""
    lines = [speed.told()]
    for name, rounding in store.rounding.items():
        lines.append(
            f"{name} stored as {store.header.dtype}: relative error {rounding.relative:.2g}, at most "
            f"{rounding.worst:.2g} in one state"
        )
    for names, count, reason in reasons_of(store.missing_reasons()):
        lines.append(f"{count:,} of {len(store):,} items without {names}: {' '.join(reason.split())}")
    return lines


@dataclass
class Meter(AbstractContextManager["Meter"]):
    """Counts the tokens that pass through a model while it is open."""

    lm: LanguageModel
    tokens: int = 0
    _batches: list[dict[str, Any]] = field(default_factory=list)
    _seen: int = 0
    _step: int = 1

    def __enter__(self) -> Self:
        self._handle = self.lm.model.register_forward_pre_hook(self._count, with_kwargs=True)
        return self

    def __exit__(self, *_raised: object) -> None:
        self._handle.remove()

    @torch.inference_mode()
    def floor(self) -> float:
        """Seconds a token of the bare model, measured on some of the batches that passed; 0 if none did."""
        tokens, seconds = 0, 0.0
        for kwargs in self._batches:
            self._pass(kwargs)  # once to warm up
            started = time.perf_counter()
            self._pass(kwargs)
            seconds += time.perf_counter() - started
            tokens += _tokens(kwargs)
        return seconds / tokens if tokens else 0.0

    def _pass(self, kwargs: dict[str, Any]) -> None:
        with self.lm.uncompiled(), StopAfter(self.lm.anatomy.stream):
            self.lm.model(**kwargs)
        if self.lm.device.type == "cuda":
            torch.cuda.synchronize(self.lm.device)

    def _count(self, _module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        self.tokens += _tokens(kwargs)
        past = kwargs.get("past_key_values")
        if (past is not None and past.get_seq_length()) or "input_ids" not in kwargs:
            return  # it goes on from an earlier pass: it cannot be passed again on its own
        if self._seen % self._step == 0:
            self._batches.append({k: v for k, v in kwargs.items() if isinstance(v, torch.Tensor | bool)})
            if len(self._batches) > _KEPT:
                self._batches, self._step = self._batches[::2], 2 * self._step
        self._seen += 1


def _tokens(kwargs: dict[str, Any]) -> int:
    ids, mask = kwargs.get("input_ids"), kwargs.get("attention_mask")
    if ids is None:
        return 0
    return int(mask.sum()) if mask is not None and mask.shape == ids.shape else int(ids.numel())


@dataclass(frozen=True, slots=True)
class Plan:
    """What was measured on ``sample`` items, extrapolated to all: ``seconds`` are of this machine and batch size.

    ``shapes`` are those of the readouts in one item; ``memory`` is the most that this process held so far, model
    included, in bytes; ``unscored`` says of the sample which readouts how many items lack, and why.
    """

    items: int
    sample: int
    tokens: int
    seconds: float
    shapes: dict[str, tuple[int, ...]]
    memory: int
    gpu_memory: int
    unscored: list[tuple[str, int, str]]

    def size(self, name: str, dtype: str) -> int:
        """Bytes of a readout in the store."""
        return self.items * stored_bytes(name, self.shapes[name], dtype)

    def total(self, dtype: str) -> int:
        """Bytes of the whole store."""
        return sum(self.size(name, dtype) for name in self.shapes)


def make_plan(lm: LanguageModel, items: Sequence[Item], passes: Passes, *, seed: int = 0, copies: int = 1) -> Plan:
    """Read a random sample of the items and extrapolate its cost to all of them, each read ``copies`` times."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(items))[:SAMPLE])
    some = [items[k] for k in rows]
    read(lm, some[: passes.batch_size], passes)  # the first pass of a process is slower than all others
    with Meter(lm) as meter:
        started = time.perf_counter()
        found = read(lm, some, passes)
        seconds = time.perf_counter() - started
    share = copies * len(items) / len(some)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Plan(
        items=copies * len(items),
        sample=len(some),
        tokens=round(meter.tokens * share),
        seconds=seconds * share,
        shapes={name: array.shape[1:] for name, array in found.arrays.items()},
        memory=most if sys.platform == "darwin" else most * 1024,
        gpu_memory=int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else 0,
        unscored=reasons_of({name: by[i] for name, by in found.missing.items() if i in by} for i in found.ids),
    )
