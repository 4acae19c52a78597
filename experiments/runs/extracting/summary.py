"""What an extraction will cost, from a measured sample; whether the disk has room; what it did cost and lost."""

import math
import resource
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from rich.filesize import decimal
from rich.prompt import Confirm

from ....extraction.store import FeatureStore
from ....extraction.store.precision import DTYPES, stored_type
from ....models.errors import InnerjudgeError
from ....models.items import Item
from ....models.loading import LanguageModel
from ...compare.findings import reasons
from ...reading.passes import HIDDEN_NEEDS, Passes
from ...reading.progress import PlainConsole, silent
from ...reading.read import read
from ..job import Job
from ..log import log


class DeclinedError(InnerjudgeError):
    """The answer was no: nothing is written."""

    exit_code = 130


#: Share of a disk that a run leaves free unless it is told otherwise: a full disk takes other programs with it.
SPARE = 0.05
#: Items that are read to learn how large they are.
_SAMPLE = 4


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that a folder lies on, in bytes."""

    free: int
    total: int

    def holds(self, size: float) -> bool:
        """Whether a number of bytes fits at all."""
        return size <= self.free

    def spares(self, size: float) -> bool:
        """Whether they leave :data:`SPARE` of the disk free, or matter little beside what is free.

        A disk may be fuller than that already, and a large one still has room for many stores.
        """
        return self.free - size >= SPARE * self.total or size <= self.free / 10


def disk_of(out: str) -> Disk | None:
    """The disk on which a store would lie; ``None`` where that is unknown (an object store)."""
    if "://" in out:
        return None
    there = Path(out).absolute()
    found = shutil.disk_usage(next(one for one in (there, *there.parents) if one.exists()))
    return Disk(found.free, found.total)


def require_room(size: int, out: str) -> None:
    """Ask on a terminal whether to fill a disk (:class:`DeclinedError` if the answer is no); elsewhere refuse."""
    disk = disk_of(out)
    if disk is None or disk.spares(size):
        return
    if sys.stdin.isatty():
        asked = f"{_said(size, disk)}. What is written stays when the disk is full. Go on?"
        if not Confirm.ask(f"{out}: {asked}", console=PlainConsole(stderr=True), default=False):
            raise DeclinedError(
                f"given {out}, which was declined, expected a place with more room: choose another --out"
            )
        return
    raise no_room(size, out, disk)


def no_room(size: int, out: str, disk: Disk) -> InnerjudgeError:
    """The message where a store does not fit."""
    return InnerjudgeError.of("runs.no-room", out, _said(size, disk), SPARE, ", ".join(DTYPES))


def bytes_to_come(lm: LanguageModel, job: Job, lacking: dict[str, list[int]], passes: Passes, how: Any = read) -> int:
    """Bytes that the missing shards of a job will take: as large as those that are there, else as a few items read now.

    ``lacking`` has the numbers of the missing shards by the folder of their store; ``how`` features are made.
    """
    header, total = job.store_header(), 0.0
    # Written text is in no shard, and its index is small: nothing is written to measure.
    passes = replace(passes, steps=silent, needs=HIDDEN_NEEDS if passes.needs is None else passes.needs)
    for inner, numbers in lacking.items():
        items = sum(stop - start for start, stop in map(header.span, numbers))
        if not items:
            continue
        held = job.store(inner)
        held.look(checksums=False)
        if held.entries:
            rows = sum(entry.rows for entry in held.entries.values())
            total += items * sum(entry.size for entry in held.entries.values()) / rows
            continue
        start, _ = header.span(numbers[0])
        some = how(lm, job.stores[inner][start : start + _SAMPLE], passes)
        total += items * sum(stored_bytes(n, array.shape[1:], header.dtype) for n, array in some.arrays.items())
        total += sum(one.values.nbytes for one in some.ragged.values()) / max(len(some), 1) * items
    return math.ceil(total)


def stored_bytes(name: str, shape: Sequence[int], dtype: str) -> int:
    """Bytes of one item of a readout in a store; hidden states alone are narrowed, ``int8`` has a scale a state."""
    kind, numbers = stored_type(name, dtype), math.prod(shape)
    scales = 4 * numbers // shape[-1] if kind == "int8" else 0
    return DTYPES[kind].itemsize * numbers + scales


def _said(size: int, disk: Disk) -> str:
    return f"about {decimal(size)} are to be written and {decimal(disk.free)} of {decimal(disk.total)} are free"


SAMPLE = 64


def speed(items: int, tokens: int, seconds: float) -> str:
    """How fast the part of a run was that has just been done, in words."""
    said = f"{items:,} items and {tokens:,} tokens in {seconds:.1f} s"
    return said + (f": {items / seconds:.1f} items/s" if seconds else "")


def reasons_of(items: Iterable[Mapping[str, str]]) -> list[tuple[str, int, str]]:
    """Why items lack a readout: the readouts, the number of items, and the first item's reason.

    Reasons that differ in numbers and quoted texts only count as one.
    """
    found = reasons(pair for missing in items for pair in missing.items())
    rows = [(", ".join(sorted(one.judges)), one.items, one.example) for one in found]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def log_summary(store: FeatureStore, items: int, tokens: int, seconds: float) -> None:
    """Log what was done just now, what the type lost, what is unscored and why."""
    log.info(speed(items, tokens, seconds))
    for name, lost in store.rounding.items():
        error = f"relative error {lost.relative:.2g}, at most {lost.worst:.2g} in one state"
        log.info(f"{name} stored as {store.header.dtype}: {error}")
    for names, count, reason in reasons_of(store.missing_reasons()):
        log.info(f"{count:,} of {len(store):,} items without {names}: {' '.join(reason.split())}")


class Meter(AbstractContextManager["Meter"]):
    """Counts the tokens that pass through a model while it is open."""

    def __init__(self, lm: LanguageModel) -> None:
        self._model, self.tokens = lm.model, 0

    def __enter__(self) -> Self:
        self._handle = self._model.register_forward_pre_hook(self._count, with_kwargs=True)
        return self

    def __exit__(self, *_raised: object) -> None:
        self._handle.remove()

    def _count(self, _module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        ids, mask = kwargs.get("input_ids"), kwargs.get("attention_mask")
        if ids is not None:
            self.tokens += int(mask.sum()) if mask is not None and mask.shape == ids.shape else int(ids.numel())


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
