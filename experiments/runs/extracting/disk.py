"""Whether a disk has room for a store, and whether to go on where it has not."""

import math
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from rich.prompt import Confirm

from ....extraction.features import Features
from ....extraction.store import FeatureStore
from ....extraction.store.precision import DTYPES, stored_type
from ....models.errors import InnerjudgeError
from ....models.loading import LanguageModel
from ...reading.passes import HIDDEN_NEEDS, Passes
from ...reading.progress import PlainConsole, silent
from ...reading.read import read
from ..job import Job
from ..log import log
from .interrupt import Interrupt


class DeclinedError(InnerjudgeError):
    """The answer was no: nothing is written."""

    exit_code = 130


#: Share of a disk that a run leaves free unless it is told otherwise: a full disk takes other programs with it.
SPARE = 0.05
#: Items that are read to learn how large they are.
_SAMPLE = 4


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that a folder lies on.

    Args:
        free: Bytes.
        total: Bytes.

    Example:
        >>> disk = Disk(free=40, total=100)
        >>> disk.holds(40), disk.holds(41), disk.spares(35), disk.spares(36)
        (True, False, True, False)
        >>> Disk(free=3, total=100).spares(0.3), Disk(free=3, total=100).spares(0.4)
        (True, False)
    """

    free: int
    total: int

    def holds(self, size: float) -> bool:
        """Whether a number of bytes fits at all."""
        return size <= self.free

    def spares(self, size: float) -> bool:
        """Whether they leave :data:`SPARE` of the disk free, or matter little beside what is free.

        A disk may be fuller than that already, and a large one has room for many a store then.
        """
        return self.free - size >= SPARE * self.total or size <= self.free / 10


def disk_of(out: str) -> Disk | None:
    """The disk on which a store would lie; ``None`` where that is unknown (an object store)."""
    if "://" in out:
        return None
    there = Path(out).absolute()
    while not there.exists():
        there = there.parent
    found = shutil.disk_usage(there)
    return Disk(found.free, found.total)


def require_room(size: int, out: str) -> None:
    """Ask, on a terminal, whether to fill a disk; elsewhere refuse to.

    Raises:
        InnerjudgeError: Names what is needed and what is free, where there is no terminal to ask on.
        DeclinedError: If the answer is no.
    """
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
    """What is said where a store does not fit."""
    return InnerjudgeError(
        f"given --out {out}, where {_said(size, disk)}, expected room for it and {SPARE:.0%} of the disk to spare: "
        f"choose another place, a narrower --store-dtype (of {', '.join(DTYPES)}) or --limit; `extract --yes` goes on "
        "until the disk is full, and what is written stays"
    )


def bytes_to_come(lm: LanguageModel, job: Job, lacking: dict[str, list[int]], passes: Passes) -> int:
    """Bytes that the missing shards of a job will take: as large as those that are there, else as a few items read now.

    Args:
        lm: The model.
        job: The job.
        lacking: Folder of a store -> numbers of its missing shards.
        passes: How the model is run.
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
        some = read(lm, job.stores[inner][start : start + _SAMPLE], passes)
        total += items * sum(stored_bytes(n, array.shape[1:], header.dtype) for n, array in some.arrays.items())
    return math.ceil(total)


def stored_bytes(name: str, shape: Sequence[int], dtype: str) -> int:
    """Bytes of one item of a readout in a store; hidden states alone are narrowed, ``int8`` has a scale a state.

    Example:
        >>> stored_bytes("hidden/score", (3, 100), "int8"), stored_bytes("labels", (), "int8")
        (312, 4)
    """
    kind, numbers = stored_type(name, dtype), math.prod(shape)
    scales = 4 * numbers // shape[-1] if kind == "int8" else 0
    return DTYPES[kind].itemsize * numbers + scales


def told(size: int) -> str:
    """Bytes in words.

    Example:
        >>> told(1536), told(12)
        ('1.5 kB', '12 B')
    """
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _said(size: int, disk: Disk) -> str:
    return f"about {told(size)} are to be written and {told(disk.free)} of {told(disk.total)} are free"


def fill(
    store: FeatureStore,
    numbers: Sequence[int],
    read_part: Callable[[int, int], Features],
    *,
    interrupt: Interrupt,
) -> None:
    """Write the shards ``numbers``.

    At most one shard waits for the disk while the model computes the next, so that memory holds two.

    Args:
        store: The store.
        numbers: Shards to write.
        read_part: Features of the items from one place up to another.
        interrupt: Asked between shards whether to stop.

    Raises:
        KeyboardInterrupt: If the run was asked to stop; what was read is written by then.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="writer") as writer:  # leaving it waits for the last shard
        waiting: Future[None] | None = None
        for number in numbers:
            if interrupt.asked:
                break
            features = read_part(*store.header.span(number))
            if waiting is not None:
                waiting.result()
            waiting = writer.submit(_write, store, number, features)
        if waiting is not None:
            waiting.result()
    if interrupt.asked:
        raise KeyboardInterrupt


def _write(store: FeatureStore, number: int, features: Features) -> None:
    store.write(number, features)
    log.debug("shard written", extra={"shard": number, "items": len(features)})
