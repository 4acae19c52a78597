"""What an extraction will cost, from a measured sample, before anything is written."""

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ....extraction.features import Features
from ....models.items import Item
from ....models.loading import LanguageModel
from ...reading.passes import Passes
from ...reading.read import read
from .disk import stored_bytes
from .summary import Meter, reasons_of

#: Items that are read to measure.
SAMPLE = 64


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
    return Plan(
        items=copies * len(items),
        sample=len(some),
        tokens=round(meter.tokens * share),
        seconds=seconds * share,
        shapes={name: array.shape[1:] for name, array in found.arrays.items()},
        memory=_peak(),
        gpu_memory=int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else 0,
        unscored=reasons_of(_reasons(found)),
    )


def _reasons(features: Features) -> list[dict[str, str]]:
    return [{name: by[i] for name, by in features.missing.items() if i in by} for i in features.ids]


def _peak() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
