"""Where results go: an output is checked before the long work, and a disk that refuses is one clear line."""

import tempfile
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from ...models.errors import InnerjudgeError


def require_room(out: str | Path) -> None:
    """Refuse an output that could not be written, before anything is computed; leaves no trace.

    Args:
        out: A file or folder that may not exist yet; the nearest folder above it that does must take new files.

    Raises:
        InnerjudgeError: Names the output and what the system said.

    Example:
        >>> require_room("runs/not/there/yet")
    """
    place = Path(out).absolute().parent if not Path(out).is_dir() else Path(out)
    while not place.exists() and place != place.parent:
        place = place.parent
    with writing(out):
        # Only an attempt tells: a superuser may write everywhere by the mode bits, also where no file can be.
        tempfile.TemporaryDirectory(prefix=".innerjudge-", dir=place).cleanup()


@contextmanager
def writing(out: str | Path) -> Iterator[None]:
    """Turn what the system says while ``out`` is written into one line that names it.

    Example:
        >>> try:
        ...     with writing("runs/x"):
        ...         raise OSError(28, "No space left on device")
        ... except InnerjudgeError as error:
        ...     print(error)
        given the output 'runs/x', which could not be written (No space left on device), expected a place with room \
and the right to write: name another
    """
    try:
        yield
    except OSError as error:
        raise InnerjudgeError(
            f"given the output {str(out)!r}, which could not be written ({error.strerror or error}), expected a place "
            "with room and the right to write: name another"
        ) from error


def check_new(out: Path, *, ours: str, begun: Set[str] = frozenset()) -> None:
    """Refuse a folder that holds files but not ``ours``, the file that tells a folder of one command.

    Args:
        out: The folder; it need not exist.
        ours: Name of that file.
        begun: Names that a run which was killed before it wrote ``ours`` may have left.

    Raises:
        InnerjudgeError: Names the folder.
    """
    require_room(out)
    others = out.is_dir() and {path.name for path in out.iterdir()} - begun
    if (out.exists() and not out.is_dir()) or (others and ours not in others):
        raise InnerjudgeError(
            f"given --out {out}, which holds other files, expected a new folder: choose another --out"
        )
