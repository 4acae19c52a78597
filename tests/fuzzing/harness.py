"""A reader and how it is fuzzed: in a process of its own, within limits, and what came out is told as a line of JSON.

It may give a result or raise our error, within 5 s of processor time and 500 MB. The message of the error is short and
has no control characters: what a stranger wrote is cut and escaped before it is put into one.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import hypothesis
import innerjudge
from hypothesis import HealthCheck, Phase
from innerjudge.models.errors import InnerjudgeError
from strategies import BATCH, odd

#: Where the code of the package lies: as it is imported, and where a link to it leads.
CODE = (innerjudge.__path__[0], str(Path(innerjudge.__path__[0]).resolve()))
#: Inputs of each reader.
RUNS = 2000
SECONDS, BYTES = 5.0, 500 << 20
#: Seconds after which a reader that waits, rather than works, is stopped.
WAITING = 120.0
#: Characters of a message, at most; and those that no message may hold.
MESSAGE = 2000
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
#: Kinds of failure of one reader that are told.
_TOLD = 20


class TooMuch(BaseException):
    """An input took longer than it may."""


@dataclass(frozen=True)
class Reader:
    """What reads bytes, bytes that are good, and their kind, by which they are changed."""

    read: Callable[[bytes], object]
    good: bytes
    kind: str = "bytes"


def from_file(folder: Path, name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of a file, as one of its bytes."""

    def of(raw: bytes) -> object:
        (folder / name).write_bytes(raw)
        return read(folder / name)

    return of


def lines(*rows: dict[str, Any]) -> bytes:
    """JSONL."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@contextmanager
def limits() -> Iterator[None]:
    """Processor time and patience for one input."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooMuch(f"signal {number}")

    signal.signal(signal.SIGPROF, stop)
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WAITING)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


class Fuzzed:
    """What became of a reader's inputs; of each kind of failure the shortest input that shows it."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.counts = {"clean": 0, "refused": 0}
        self.slowest = 0.0
        self.bad: dict[str, tuple[bytes, str]] = {}

    def each(self, many: list[bytes]) -> None:
        """Read some inputs one after another."""
        for raw in many:
            self.once(raw)

    def once(self, raw: bytes) -> None:
        """Read one input; raises what is no clean result and no error of ours."""
        begun = time.process_time()
        try:
            with limits():
                self.reader.read(raw)
            self.counts["clean"] += 1
        except InnerjudgeError as error:
            self.counts["refused"] += 1
            said = str(error)
            if len(said) > MESSAGE or HIDDEN.search(said):
                wrong = AssertionError(
                    f"a message of {len(said)} characters, or with control characters: {said[:300]!r}"
                )
                self._keep(error, wrong, raw)
                raise wrong from error
        except BaseException as error:
            self._keep(error, error, raw)
            raise
        finally:
            self.slowest = max(self.slowest, time.process_time() - begun)

    def _keep(self, error: BaseException, told: BaseException, raw: bytes) -> None:
        """By its kind and the last lines of ours that it went through."""
        ours = [one for one in traceback.extract_tb(error.__traceback__) if one.filename.startswith(CODE)]
        place = " ".join(f"{Path(one.filename).name}:{one.lineno}" for one in ours[-3:])
        kind = f"{type(told).__name__} at {place}"
        if kind not in self.bad or len(raw) <= len(self.bad[kind][0]):
            self.bad[kind] = raw, str(told)[:300]


def settings(runs: int) -> hypothesis.settings:
    """The same inputs in every run of one seed; what fails is shrunk."""
    return hypothesis.settings(
        max_examples=runs,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
    )


def warm_up() -> None:
    """What hypothesis does once in a process, before any reader's own process is begun.

    It looks for constants in all modules of ours that were imported by then, at about one draw in twenty.
    """
    settings(100)(hypothesis.given(odd(b"{}", "json"))(lambda many: None))()


def fuzz(name: str, reader: Reader, runs: int, seed: int, folder: Path) -> dict[str, Any]:
    """Try ``runs`` odd inputs on one reader; those that it does not take are shrunk, and kept in ``folder``."""
    reader.read(reader.good)  # must be taken, or nothing is tried
    pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (pages + BYTES, resource.RLIM_INFINITY))
    found, begun = Fuzzed(reader), time.process_time()
    how = settings(max(1, runs // BATCH))
    test = hypothesis.seed(zlib.crc32(f"{seed} {name}".encode()))(
        how(hypothesis.given(odd(reader.good, reader.kind))(found.each))
    )
    wrong = None
    try:
        test()
    except BaseException as error:  # TooMuch goes through hypothesis, and ends this reader
        wrong = error
    bad = []
    for number, (kind, (raw, said)) in enumerate(found.bad.items()):
        path = folder / f"{''.join(c if c.isalnum() else '-' for c in name)}-{number}"
        path.write_bytes(raw)
        bad.append(f"{path.name} ({len(raw)} bytes) {kind}: {said!r}")
    if wrong is not None and not bad:
        bad = [f"{type(wrong).__name__}: {str(wrong)[:1000]}"]
    seconds = round(time.process_time() - begun, 1)
    return {"name": name, **found.counts, "bad": bad[:_TOLD], "slowest": round(found.slowest, 3), "seconds": seconds}


def apart(name: str, work: Callable[[], dict[str, Any]], said: int) -> None:
    """Do this in a process of its own, whatever becomes of it; what it found goes to the file descriptor ``said``."""
    child = os.fork()
    if not child:
        try:
            found = work()
        except BaseException as error:
            found = {"name": name, "bad": [f"the good input: {type(error).__name__} {str(error)[:1000]}"]}
        tell(said, found)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status:
        tell(said, {"name": name, "bad": [f"its process ended with {status}"]})


def tell(said: int, found: dict[str, Any]) -> None:
    """A line of JSON."""
    os.write(said, f"{json.dumps(found)}\n".encode())
