"""Where results go: an output is checked before the long work, and a disk that refuses is one clear line.

A checksum stands beside a result ``OUT``, in ``OUT.sha256`` as ``sha256sum -c`` reads it. A file that is not what its
checksum says is damaged: the command that wrote it makes it again, and every other one refuses it.
"""

import os
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from ...models.errors import InnerjudgeError, shown
from ...models.foreign import HEADER_LIMIT, digest_of_file, read_file, try_place


def require_room(out: str | Path) -> None:
    """Refuse an output that could not be written, before anything is computed; leaves no trace.

    ``out`` may not exist yet: the nearest folder above it that does must take new files.
    """
    folder = Path(out) if Path(out).is_dir() else Path(out).absolute().parent
    with writing(out):
        # Only an attempt tells: a superuser may write everywhere by the mode bits, also where no file can be.
        try_place(next(one for one in (folder, *folder.parents) if one.exists()))


@contextmanager
def writing(out: str | Path) -> Iterator[None]:
    """Turn what the system says while ``out`` is written into one line that names it."""
    try:
        yield
    except OSError as error:
        raise InnerjudgeError(
            f"given the output {str(out)!r}, which could not be written ({error.strerror or error}), expected a place "
            "with room and the right to write: name another"
        ) from error


def check_new(out: Path, *, ours: str, begun: Set[str] = frozenset()) -> None:
    """Refuse a folder that holds files but not ``ours``, the file that tells a folder of one command.

    ``begun`` are names that a run which was killed before it wrote ``ours`` may have left.
    """
    require_room(out)
    others = out.is_dir() and {path.name for path in out.iterdir()} - begun
    if (out.exists() and not out.is_dir()) or (others and ours not in others):
        raise InnerjudgeError(
            f"given --out {out}, which holds other files, expected a new folder: choose another --out"
        )


def checksum_of(path: Path) -> Path:
    """The file that holds the checksum of ``path``."""
    return path.with_name(f"{path.name}.sha256")


def is_whole(path: Path) -> bool:
    """Whether a file is there, and is what the checksum beside it says."""
    if not path.is_file() or not checksum_of(path).exists():
        return False
    try:
        return read_file(checksum_of(path), HEADER_LIMIT) == checksum_line(path.name, digest_of_file(path))
    except InnerjudgeError:
        return False


def checksum_line(name: str, digest: str) -> bytes:
    """What stands in the file that holds a checksum."""
    return os.fsencode(f"{digest}  {name}\n")


def is_damaged(path: Path) -> bool:
    """Whether a file has a checksum beside it that is not its own; one without any may be anybody's."""
    return path.is_file() and checksum_of(path).exists() and not is_whole(path)


def require_undamaged(path: Path) -> None:
    """Refuse a file that is not what the checksum beside it says."""
    if is_damaged(path):
        name = shown(path)
        raise InnerjudgeError(
            f"given {name!r}, which is not what its checksum {shown(checksum_of(path).name)} says, expected the file "
            "as it was written: run the command that made it again, or delete the checksum if you changed it yourself"
        )


def remade(path: Path) -> str:
    """What is said of a file that is made again since it is damaged; nothing of another."""
    return " What was there was damaged (checksum)." if is_damaged(path) else ""
