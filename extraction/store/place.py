"""Where a store lies: a local folder, or a folder of any file system that pyarrow or fsspec knows.

A file appears whole or not at all. Locally it is written aside, synced and renamed; object stores do the same when an
upload is completed. A name never leads out of the folder.
"""

import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from ...models.errors import InnerjudgeError
from .file_names import ASIDE, NAME, checked, within


class Place(Protocol):
    """A folder to read files from and to put whole files into."""

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """Put ``parts`` one after another as the file ``name``, whole or not at all; one that is there is replaced."""

    def read(self, name: str, limit: int) -> bytes:
        """The content of a file, of at most ``limit`` bytes."""

    def size(self, name: str) -> int | None:
        """Bytes of a file; ``None`` if it is not there."""

    def names(self, folder: str) -> list[str]:
        """Names of the whole files in a folder, sorted; none if it is not there."""

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""

    def local(self, name: str) -> Path:
        """A local file of the same content, which may be mapped into memory."""

    def tidy(self) -> None:
        """Delete what a killed run left half-written. Only for the one that holds the lock."""


def place(where: str | Path) -> Place:
    """The folder ``where``: a path, or a URI such as ``s3://bucket/store`` or ``gs://bucket/store``.

    Raises:
        InnerjudgeError: If no file system answers to the URI.

    Example:
        >>> place("runs/features")
        LocalPlace('runs/features')
    """
    if isinstance(where, str) and "://" in where:
        from .remote_place import RemotePlace

        return RemotePlace(where)
    return LocalPlace(Path(where))


class LocalPlace:
    """A folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"LocalPlace({str(self.folder)!r})"

    def __str__(self) -> str:
        return str(self.folder)

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """See :class:`Place`."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A writer that was thought lost may still be at work: each has an own name aside.
        aside = path.with_name(f"{ASIDE}{uuid.uuid4().hex}")
        try:
            with aside.open("wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        _sync(path.parent)

    def read(self, name: str, limit: int) -> bytes:
        """See :class:`Place`."""
        with self._path(name).open("rb") as file:
            return within(file.read(limit + 1), limit, f"{self}/{name}")

    def size(self, name: str) -> int | None:
        """See :class:`Place`."""
        path = self._path(name)
        return path.stat().st_size if path.is_file() else None

    def names(self, folder: str) -> list[str]:
        """See :class:`Place`."""
        path = self._path(folder)
        found = path.iterdir() if path.is_dir() else ()
        return sorted(p.name for p in found if NAME.fullmatch(p.name))

    def remove(self, name: str) -> None:
        """See :class:`Place`."""
        path = self._path(name)
        if path.exists():
            path.unlink()
            _sync(path.parent)

    def local(self, name: str) -> Path:
        """See :class:`Place`."""
        return self._path(name)

    def tidy(self) -> None:
        """See :class:`Place`."""
        for path in (*self.folder.glob(f"{ASIDE}*"), *self.folder.glob(f"*/{ASIDE}*")):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        path = self.folder
        for part in checked(name).split("/"):  # no part leads upwards, so that only a link could lead out
            path /= part
            if path.is_symlink():
                raise InnerjudgeError(
                    f"given {str(path)!r}, a link that leads out of its folder, expected a file in it: put the file "
                    "there"
                )
        return path


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system knows such a thing."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
