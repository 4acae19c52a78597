"""Extractions as files: several as one, and every file checked against the checksum that was written with it."""

import itertools
from collections.abc import Sequence

from ...extraction.store import FeatureStore, merge
from ...extraction.store.index import HEADER as STORE
from ...extraction.store.place import place
from ...models.errors import InnerjudgeError
from ...models.foreign import digest_of_parts
from ..data.jsonl import jsonl_lines, writing
from ..data.kinds import hash_items, item_to_row
from ..drawing.style import are_in, counted
from . import job as jobs

#: What the jobs may differ in: the data they are of.
_OF_THE_DATA = ("data", "items", "limit", "seed", "candidates", "shard_items", jobs.FILE_HASH, jobs.FILES)
#: Damaged files that are named.
_NAMED = 20


def merge_jobs(parts: Sequence[str], out: str) -> str:
    """Write the items and features of several extractions below one another, as the extraction ``out``.

    ``InnerjudgeError`` if they are of other settings, models or types, or an item is in two of them.
    """
    if place(out).size(STORE) is None:  # else a merge that was killed is gone on with
        jobs.check_extraction(out)
    read = [jobs.read_job(part) for part in parts]
    first = read[0]
    for part, job in zip(parts, read, strict=True):
        odd = sorted(k for k in first.keys() | job.keys() if first.get(k) != job.get(k) and k not in _OF_THE_DATA)
        if odd:
            raise InnerjudgeError.of("runs.other-parts", part, ", ".join(odd), parts[0])
    if first["kind"] == "choice":
        raise InnerjudgeError.of("runs.merged-choices", parts[0])
    items = [jobs.read_items_of(part) for part in parts]
    header = {k: v for k, v in first.items() if k not in (jobs.FILE_HASH, jobs.FILES)}
    header |= {"data": " + ".join(job["data"] for job in read), "limit": None}
    with writing(out):
        header["items"] = hash_items(itertools.chain(*items))
        lines = digest_of_parts(jsonl_lines(map(item_to_row, itertools.chain(*items)), jobs.ITEMS))
        merge(parts, out, job=jobs.job_digest(header, lines))
        jobs.claim(place(out), header, lambda: itertools.chain(*items))
    return are_in(sum(map(len, items)), "item", out)


def verify_job(folder: str) -> list[str]:
    """What is whole of an extraction, merged or not, or of a :meth:`FeatureStore.save`: a line for each store.

    Damaged or missing files are an error, which names them and the command that makes them again.
    """
    at = place(folder)
    if all(at.size(name) is None for name in (jobs.HEADER, jobs.ITEMS, STORE)):
        raise InnerjudgeError(f"given {folder!r} without {STORE}, expected features: run `innerjudge extract`")
    found, lines = jobs.damaged_files(folder), []
    inner = [one for one in ("", jobs.PERMUTED) if not one or at.size(f"{one}/{STORE}") is not None or at.names(one)]
    for one in inner:
        prefix = f"{one}/" if one else ""
        try:
            store = FeatureStore.begun(jobs.inside(at, one))
        except InnerjudgeError as error:
            found[f"{prefix}{STORE}"] = str(error)
            continue
        found |= {f"{prefix}{name}": why for name, why in store.look(checksums=True).values()}
        held = f"{counted(len(store), 'item')} in {counted(store.header.shards, 'shard')}"
        lines.append(f"{store.place}: {held}, all as they were written.")
    if found:
        raise damaged(folder, found)
    return lines


def damaged(folder: str, found: dict[str, str]) -> InnerjudgeError:
    """The message for files of an extraction that are not what was written -> why."""
    said = "; ".join(f"{name}: {why}" for name, why in list(found.items())[:_NAMED])
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return InnerjudgeError.of("runs.damaged-store", folder, counted(len(found), "file"), said + more)
