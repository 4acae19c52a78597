"""The data of a run, identified by their content, and not parsed again when a run resumes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....extraction.store.place import place
from ...data.datasets import Dataset, hash_data, is_file, open_data
from ..job_files import FILE_HASH, HEADER, ITEMS, is_damaged, read_job


@dataclass(frozen=True, slots=True)
class Source:
    """The data of a run.

    Args:
        kind: Of the items.
        items: Hash of their content.
        file_hash: SHA-256 of the file, where the data are one.
        sampled: Whether the items are still to be sampled from the model.
        open: The data themselves; checked, but not held, where they are a file.
    """

    kind: str
    items: str
    file_hash: str | None
    sampled: bool
    open: Callable[[], Dataset]

    def header(self) -> dict[str, Any]:
        """What the header of the job says of them."""
        known = {} if self.file_hash is None else {FILE_HASH: self.file_hash}
        return {"kind": self.kind, "items": self.items, **known}


def find_source(spec: str, out: str, *, limit: int | None, seed: int) -> Source:
    """The data of a run into ``out``; a file that ``out`` was begun with is known by its bytes, and not parsed.

    Args:
        spec: As for :func:`..datasets.load_data`.
        out: Folder of the run, or a URI.
        limit: As for :func:`..datasets.load_data`.
        seed: Likewise.

    Raises:
        InnerjudgeError: As :func:`..datasets.load_data`, or if ``out`` has a damaged header.
    """
    file_hash = _sha256(Path(spec)) if is_file(spec) else None
    at = place(out)
    if file_hash is not None and at.size(HEADER) is not None and at.size(ITEMS) is not None:
        begun = {} if is_damaged(at) else read_job(out)
        same = {FILE_HASH: file_hash, "data": spec, "limit": limit, "seed": seed}
        if all(begun.get(name) == value for name, value in same.items()):
            return Source(
                begun["kind"], begun["items"], file_hash, False, lambda: open_data(spec, limit=limit, seed=seed)
            )
    data = open_data(spec, limit=limit, seed=seed)
    return Source(data.kind, hash_data(data), file_hash, bool(data.problems), lambda: data)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
