"""Result files with their checksum beside them, as ``sha256sum -c`` reads it: what is read is what was written.

``OUT.sha256`` stands beside ``OUT``. A file that is not what its checksum says is damaged: the command that wrote it
makes it again, and every other one refuses it.
"""

import os
from pathlib import Path

from ...models.errors import InnerjudgeError
from ...models.foreign import HEADER_LIMIT, read_file
from ...models.seal import digest_of_file
from ...models.shown import shown


def checksum_of(path: Path) -> Path:
    """The file that holds the checksum of ``path``.

    Example:
        >>> checksum_of(Path("v.jsonl")).name
        'v.jsonl.sha256'
    """
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
    r"""Whether a file has a checksum beside it that is not its own; one without any may be anybody's.

    Example:
        >>> import tempfile
        >>> from innerjudge.experiments.data.jsonl import write_jsonl
        >>> file = Path(tempfile.mkdtemp(), "v.jsonl")
        >>> write_jsonl(file, [{"score": 1}])
        >>> before = is_damaged(file)
        >>> _ = file.write_text('{"score": 2}\n')
        >>> before, is_damaged(file)
        (False, True)
    """
    return path.is_file() and checksum_of(path).exists() and not is_whole(path)


def require_undamaged(path: Path) -> None:
    """Refuse a file that is not what the checksum beside it says.

    Raises:
        InnerjudgeError: Names both.
    """
    if is_damaged(path):
        name = shown(path)
        raise InnerjudgeError(
            f"given {name!r}, which is not what its checksum {shown(checksum_of(path).name)} says, expected the file "
            "as it was written: run the command that made it again, or delete the checksum if you changed it yourself"
        )


def remade(path: Path) -> str:
    """What is said of a file that is made again since it is damaged; nothing of another.

    Example:
        >>> remade(Path("no/such/file"))
        ''
    """
    return " What was there was damaged (checksum)." if is_damaged(path) else ""
