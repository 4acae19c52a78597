"""Result files with their checksum beside them, as ``sha256sum -c`` reads it: a later run trusts only what was written.

``OUT.sha256`` stands beside ``OUT``. A file that is not what its checksum says is damaged, and is made again.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...models.errors import InnerjudgeError
from ...models.foreign import HEADER_LIMIT, read_file
from ...models.seal import digest_of_file
from .jsonl import write_jsonl


def checksum_of(path: Path) -> Path:
    """The file that holds the checksum of ``path``.

    Example:
        >>> checksum_of(Path("v.jsonl")).name
        'v.jsonl.sha256'
    """
    return path.with_name(f"{path.name}.sha256")


def write_sealed(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """:func:`.jsonl.write_jsonl`, and then the checksum."""
    checksum_of(path).unlink(missing_ok=True)
    write_jsonl(path, rows)
    aside = checksum_of(path).with_name(f"{path.name}.sha256.tmp")
    aside.write_text(f"{digest_of_file(path)}  {path.name}\n", encoding="utf-8")
    aside.replace(checksum_of(path))


def is_damaged(path: Path) -> bool:
    r"""Whether a file has a checksum beside it that is not its own; one without any may be anybody's.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "v.jsonl")
        >>> write_sealed(file, [{"score": 1}])
        >>> before = is_damaged(file)
        >>> _ = file.write_text('{"score": 2}\n')
        >>> before, is_damaged(file)
        (False, True)
    """
    if not path.exists() or not checksum_of(path).exists():
        return False
    try:
        said = read_file(checksum_of(path), HEADER_LIMIT).decode("utf-8", "replace")
    except InnerjudgeError:
        return True
    return said.split() != [digest_of_file(path), *path.name.split()]


def remade(path: Path) -> str:
    """What is said of a file that is made again since it is damaged; nothing of another.

    Example:
        >>> remade(Path("no/such/file"))
        ''
    """
    return " What was there was damaged (checksum)." if is_damaged(path) else ""
