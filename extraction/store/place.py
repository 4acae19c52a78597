"""Where a store lies: a local folder, or a folder of any file system that pyarrow or fsspec knows.

A file appears whole or not at all. A local one is written under another name, synced and renamed; in an object store it
appears when its upload is complete. A name never leads out of the folder.
"""

# ruff: noqa: D102 - a remote folder does what a local one says of itself

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...models.errors import InnerjudgeError, one_line
from ...models.foreign import Scratch, read_file

#: Names that are asked for: parts of letters, digits, dots and dashes that do not begin with a dot.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
#: What the name of a file begins with that is still being written.
ASIDE = ".aside-"
#: Bytes copied at a time.
_PART = 1 << 24


class _Named:
    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class LocalPlace(_Named):
    """A folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """Write ``parts`` one after another as the file ``name``, whole or not at all; an existing file is replaced."""
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
        """The content of a file, of at most ``limit`` bytes."""
        return read_file(self._path(name), limit)

    def range(self, name: str, start: int, stop: int) -> bytes:
        """Bytes of a file from ``start`` up to ``stop``, or up to its end if that comes first."""
        with self._path(name).open("rb") as file:
            file.seek(start)
            return file.read(stop - start)

    def size(self, name: str) -> int | None:
        """Size of a file in bytes; ``None`` if it does not exist."""
        path = self._path(name)
        return path.stat().st_size if path.is_file() else None

    def names(self, folder: str) -> list[str]:
        """Names of the complete files in a folder, sorted; empty if there is no such folder."""
        path = self._path(folder)
        return sorted(p.name for p in (path.iterdir() if path.is_dir() else ()) if NAME.fullmatch(p.name))

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        path = self._path(name)
        if path.exists():
            path.unlink()
            _sync(path.parent)

    def local(self, name: str) -> Path:
        """A local file of the same content, which may be mapped into memory."""
        return self._path(name)

    def tidy(self) -> None:
        """Delete files that a killed run left half-written. Call it only while holding the lock."""
        for path in self.folder.rglob(f"{ASIDE}*"):  # those of a store within it, too
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        path = self.folder
        for part in checked(name).split("/"):  # no part leads upwards, so that only a link could lead out
            path /= part
            if path.is_symlink():
                raise InnerjudgeError.of("extraction.link", str(path))
        return path


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system knows such a thing."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class RemotePlace(_Named):
    """A folder of a file system that pyarrow knows (``s3://``, ``gs://``), or else fsspec."""

    def __init__(self, uri: str) -> None:
        from pyarrow import fs

        self.uri = uri.rstrip("/")
        self._cache = Scratch(self.uri)
        self._system: Any
        try:
            try:
                self._system, root = fs.FileSystem.from_uri(self.uri)
            except (ValueError, NotImplementedError):
                import fsspec

                inner, root = fsspec.core.url_to_fs(self.uri)
                self._system = fs.PyFileSystem(fs.FSSpecHandler(inner))
        except (ValueError, ImportError, OSError) as error:
            raise InnerjudgeError.of("extraction.no-files", self.uri, one_line(error)) from error
        self._root = root.rstrip("/")

    def __str__(self) -> str:
        return self.uri

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.uri,)

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        path = self._path(name)
        self._copy(name).unlink(missing_ok=True)
        self._system.create_dir(path.rpartition("/")[0], recursive=True)
        # What makes the parts may fail: it has to do so before the upload, for closing a stream completes the file.
        with tempfile.TemporaryFile() as held:
            held.writelines(parts)
            held.seek(0)
            try:
                with self._system.open_output_stream(path) as file:
                    shutil.copyfileobj(held, file, _PART)
            except BaseException:
                self.remove(name)
                raise

    def read(self, name: str, limit: int) -> bytes:
        size = self.size(name)
        if size is None:
            raise FileNotFoundError(2, "no such file", f"{self}/{name}")
        if size > limit:
            raise InnerjudgeError(f"given {self}/{name} of {size} bytes, expected at most {limit}: it is damaged")
        with self._system.open_input_stream(self._path(name)) as file:
            return bytes(file.read())

    def range(self, name: str, start: int, stop: int) -> bytes:
        with self._system.open_input_file(self._path(name)) as file:
            file.seek(min(start, file.size()))
            return bytes(file.read(stop - start))

    def size(self, name: str) -> int | None:
        (info,) = self._system.get_file_info([self._path(name)])
        return int(info.size) if info.is_file else None

    def names(self, folder: str) -> list[str]:
        from pyarrow.fs import FileSelector

        found = self._system.get_file_info(FileSelector(self._path(folder), allow_not_found=True))
        return sorted(info.base_name for info in found if NAME.fullmatch(info.base_name))

    def remove(self, name: str) -> None:
        if self.size(name) is not None:
            self._system.delete_file(self._path(name))

    def local(self, name: str) -> Path:
        """A copy, which lives as long as this object."""
        path = self._copy(name)
        if not path.exists():
            # Processes that were forked share the folder: each has an own name aside.
            aside = path.with_name(f"{ASIDE}{uuid.uuid4().hex}")
            with self._system.open_input_stream(self._path(name)) as file, aside.open("wb") as copy:
                shutil.copyfileobj(file, copy, _PART)
            aside.replace(path)
        return path

    def _copy(self, name: str) -> Path:
        return Path(self._cache.name) / checked(name).replace("/", "-")

    def _path(self, name: str) -> str:
        return f"{self._root}/{checked(name)}"


#: A folder to read files from and to put whole files into.
Place = LocalPlace | RemotePlace


def place(where: str | Path) -> Place:
    """The folder ``where``, a path or a URI such as ``s3://bucket/store``; ``InnerjudgeError`` if none answers."""
    return RemotePlace(where) if isinstance(where, str) and "://" in where else LocalPlace(Path(where))


def checked(name: str) -> str:
    """``name``; ``InnerjudgeError`` if it could lead out of a folder."""
    if not NAME.fullmatch(name):
        raise InnerjudgeError(f"given the file name {name!r}, expected one inside its folder")
    return name
