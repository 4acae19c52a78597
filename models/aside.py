"""Files on their way: each is written aside under a name that the next run of the same output knows and removes."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from filelock import FileLock, Timeout

#: What the name of a file ends with that is not whole yet.
HALF = ".tmp"
#: The folder by which it is tried whether a place takes new files.
TRIAL = ".innerjudge-trial"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write to the file that this yields: at the end it becomes ``path``; an error deletes it, and leaves ``path``.

    A killed run leaves it, and the next one that writes ``path`` writes over it.
    """
    half = path.with_name(f"{path.name}{HALF}")
    try:
        yield half
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def try_place(folder: Path) -> None:
    """Make a folder there and delete it, with one that a killed run left; ``OSError`` where that is refused."""
    trial = folder / TRIAL
    with suppress(FileNotFoundError):
        trial.rmdir()
    trial.mkdir(exist_ok=True)  # of another run at the same moment
    with suppress(FileNotFoundError):
        trial.rmdir()


class Scratch(TemporaryDirectory[str]):
    """A folder in the system's place for temporary ones, for the work on ``output``; deleted with the object.

    What killed runs left of the same output is deleted first: its lock is free.
    """

    def __init__(self, output: str) -> None:
        known = hashlib.sha256(f"{Path.home()} {output}".encode()).hexdigest()[:16]
        prefix, place = f"innerjudge-{known}-", Path(gettempdir())
        with FileLock(place / f"{prefix}making"):  # none is found before it has its lock
            for old in place.glob(f"{prefix}*/lock"):
                with suppress(Timeout, OSError), FileLock(old, timeout=0, is_singleton=False):
                    shutil.rmtree(old.parent, ignore_errors=True)
            super().__init__(prefix=prefix, ignore_cleanup_errors=True)
            self._lock = FileLock(Path(self.name) / "lock", is_singleton=False)
            self._lock.acquire()
