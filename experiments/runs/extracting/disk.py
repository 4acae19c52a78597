"""Whether a disk has room for a store, and whether to go on where it has not."""

import math
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.prompt import Confirm

from ....extraction.store.precision import DTYPES, stored_type
from ....models.errors import InnerjudgeError
from ....models.loading import LanguageModel
from ...reading.passes import HIDDEN_NEEDS, Passes
from ...reading.progress import PlainConsole, silent
from ...reading.read import read
from ..job import Job


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

        A disk may be fuller than that already, and a large one has room for many a store then.
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
    """Ask, on a terminal, whether to fill a disk (:class:`DeclinedError` if not to); elsewhere refuse to."""
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

    ``lacking`` has the numbers of the missing shards by the folder of their store.
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
        total += sum(one.values.nbytes for one in some.ragged.values()) / max(len(some), 1) * items
    return math.ceil(total)


def stored_bytes(name: str, shape: Sequence[int], dtype: str) -> int:
    """Bytes of one item of a readout in a store; hidden states alone are narrowed, ``int8`` has a scale a state."""
    kind, numbers = stored_type(name, dtype), math.prod(shape)
    scales = 4 * numbers // shape[-1] if kind == "int8" else 0
    return DTYPES[kind].itemsize * numbers + scales


def told(size: int) -> str:
    """Bytes in words."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _said(size: int, disk: Disk) -> str:
    return f"about {told(size)} are to be written and {told(disk.free)} of {told(disk.total)} are free"
