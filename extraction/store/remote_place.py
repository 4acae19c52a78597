"""A store on another machine: S3, Google Cloud Storage, or any file system that fsspec knows."""

import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...models.errors import InnerjudgeError
from .file_names import ASIDE, NAME, checked, too_large

#: Bytes uploaded at a time.
_PART = 1 << 24


class RemotePlace:
    """A folder of a file system that pyarrow knows (``s3://``, ``gs://``), or else fsspec."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self._connect()

    def __repr__(self) -> str:
        return f"RemotePlace({self.uri!r})"

    def __str__(self) -> str:
        return self.uri

    def __getstate__(self) -> str:
        return self.uri

    def __setstate__(self, uri: str) -> None:
        self.uri = uri
        self._connect()

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """See :class:`Place`."""
        path = self._path(name)
        self._copy(name).unlink(missing_ok=True)
        self._system.create_dir(path.rpartition("/")[0], recursive=True)
        # What makes the parts may fail: it has to do so before the upload, for closing a stream completes the file.
        with tempfile.TemporaryFile() as held:
            held.writelines(parts)
            held.seek(0)
            try:
                with self._system.open_output_stream(path) as file:
                    while part := held.read(_PART):
                        file.write(part)
            except BaseException:
                self.remove(name)
                raise

    def read(self, name: str, limit: int) -> bytes:
        """See :class:`Place`."""
        size = self.size(name)
        if size is None:
            raise FileNotFoundError(2, "no such file", f"{self}/{name}")
        if size > limit:
            raise too_large(size, limit, f"{self}/{name}")
        with self._system.open_input_stream(self._path(name)) as file:
            return bytes(file.read())

    def range(self, name: str, start: int, stop: int) -> bytes:
        """See :func:`.ranges.read_range`."""
        with self._system.open_input_file(self._path(name)) as file:
            file.seek(min(start, file.size()))
            return bytes(file.read(stop - start))

    def size(self, name: str) -> int | None:
        """See :class:`Place`."""
        (info,) = self._system.get_file_info([self._path(name)])
        return int(info.size) if info.is_file else None

    def names(self, folder: str) -> list[str]:
        """See :class:`Place`."""
        from pyarrow.fs import FileSelector

        found = self._system.get_file_info(FileSelector(self._path(folder), allow_not_found=True))
        return sorted(info.base_name for info in found if NAME.fullmatch(info.base_name))

    def remove(self, name: str) -> None:
        """See :class:`Place`."""
        if self.size(name) is not None:
            self._system.delete_file(self._path(name))

    def local(self, name: str) -> Path:
        """A copy, which lives as long as this object."""
        path = self._copy(name)
        if not path.exists():
            aside = path.with_name(f"{ASIDE}{uuid.uuid4().hex}")
            with self._system.open_input_stream(self._path(name)) as file, aside.open("wb") as copy:
                while block := file.read(1 << 22):
                    copy.write(block)
            aside.replace(path)
        return path

    def _copy(self, name: str) -> Path:
        return Path(self._cache.name) / checked(name).replace("/", "-")

    def tidy(self) -> None:
        """See :class:`Place`. There is nothing to tidy: half an upload is no file."""

    def _path(self, name: str) -> str:
        return f"{self._root}/{checked(name)}"

    def _connect(self) -> None:
        self._cache = tempfile.TemporaryDirectory(prefix="innerjudge-")
        self._system, self._root = _file_system(self.uri)


def _file_system(uri: str) -> tuple[Any, str]:
    """The file system that a URI names, and the folder in it."""
    from pyarrow import fs

    system: Any
    try:
        try:
            system, root = fs.FileSystem.from_uri(uri)
        except (ValueError, NotImplementedError):
            import fsspec

            inner, root = fsspec.core.url_to_fs(uri)
            system = fs.PyFileSystem(fs.FSSpecHandler(inner))
    except (ValueError, ImportError, OSError) as error:
        raise InnerjudgeError(
            f"given {uri!r}, which no file system answers to ({error}), expected a folder, s3://..., gs://... "
            "or what fsspec knows: install what it needs"
        ) from error
    return system, root.rstrip("/")
