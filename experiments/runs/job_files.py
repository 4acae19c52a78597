"""The files of an extraction beside its stores, and the checksums by which they are known to be whole."""

from pathlib import Path
from typing import Any

from ...extraction.store.place import Place, place
from ...models.errors import InnerjudgeError
from ...models.foreign import HEADER_LIMIT, digest_of, digest_of_file, parse_sealed, refusing
from ..data.item_lines import ItemLines

HEADER, ITEMS = "job.json", "items.jsonl"
#: Folder, inside that of choices, of the same ones with their options permuted.
PERMUTED = "permuted"
#: What a header says beside what identifies a run: the SHA-256 of the data file, by which it is known again unread.
FILE_HASH = "data_sha256"
#: Files of the folder -> their SHA-256, in the header once they are there.
FILES = "files"


def items_file(inner: str) -> str:
    """Name of the items of a store of a job."""
    return f"{inner}/{ITEMS}" if inner else ITEMS


def inside(at: Place, inner: str) -> str:
    """The folder ``inner`` of a folder, as a path or URI."""
    return f"{at}/{inner}" if inner else str(at)


def job_digest(header: dict[str, Any], items: str) -> str:
    """Digest of what identifies a job, and of its items: stores carry it."""
    return digest_of({k: v for k, v in header.items() if k not in (FILE_HASH, FILES)} | {"items file": items})


def read_job(folder: str | Path) -> dict[str, Any]:
    """The header of an extraction: ``kind``, ``scale`` and ``seed`` of its items, and what else identifies it.

    Raises:
        InnerjudgeError: If the folder has no header, or a damaged one.
    """
    at = place(folder)
    path = f"{at}/{HEADER}"
    if at.size(HEADER) is None:
        raise InnerjudgeError(f"given {str(at)!r} without {HEADER}, expected features: run `innerjudge extract`")
    # What a disk or a network refuses is no damage: only what was read is looked at below.
    raw = at.read(HEADER, HEADER_LIMIT) if (at.size(HEADER) or 0) <= HEADER_LIMIT else b""
    with refusing(path, "what `innerjudge extract` wrote: run the same command again, it makes it again"):
        job = parse_sealed(raw)
        low, high = job["scale"]
        return dict(job) | {"kind": str(job["kind"]), "scale": (int(low), int(high)), "seed": int(job["seed"])}


def is_damaged(at: Place) -> bool:
    """Whether the header of a job is there, and is not what was written."""
    try:
        read_job(str(at))
    except InnerjudgeError:
        return True
    return False


def has_items(at: Place) -> bool:
    """Whether the items of a job are there, as they were written."""
    return not is_damaged(at) and is_whole(at, ITEMS, read_job(str(at)).get(FILES, {}))


def is_whole(at: Place, name: str, files: dict[str, str]) -> bool:
    """Whether a file is there, and is what was written."""
    return name in files and at.size(name) is not None and digest_of_file(at.local(name)) == files[name]


def read_items_of(folder: str | Path) -> ItemLines:
    """The items of an extraction.

    Raises:
        InnerjudgeError: If they are not what was written with the features.
    """
    at = place(folder)
    if not is_whole(at, ITEMS, read_job(folder).get(FILES, {})):
        raise InnerjudgeError(
            f"given {at}/{ITEMS}, which is damaged or not there (checksum), expected what `innerjudge extract` wrote: "
            "run the same command again, it makes the items again from the data"
        )
    return ItemLines(at.local(ITEMS), owner=at)


def damaged_files(folder: str | Path) -> dict[str, str]:
    """Files of an extraction, beside its stores, that are not what was written -> why; none without a job."""
    at = place(folder)
    if at.size(HEADER) is None:
        return {} if at.size(ITEMS) is None else {HEADER: "it is not there"}
    try:
        job = read_job(folder)
    except InnerjudgeError as error:
        return {HEADER: str(error)}
    names = [ITEMS, *([items_file(PERMUTED)] if job["kind"] == "choice" else [])]
    files = job.get(FILES, {})
    return {name: "its content is not what was written (checksum)" for name in names if not is_whole(at, name, files)}
