"""A data set into a store, by one process or by several; a run that was killed resumes where it stopped."""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ....extraction.features import Features
from ....extraction.provenance import provenance
from ....extraction.store import FeatureStore
from ....extraction.store.lock import locked
from ....extraction.store.place import LocalPlace, Place, place
from ....models.errors import InnerjudgeError
from ....models.items import Item
from ....models.loading import LanguageModel
from ...data.datasets import Dataset, hash_data, is_file, open_data
from ...data.outputs import writing
from ...drawing.style import are_in, counted
from ...reading.passes import Passes
from ...reading.progress import whole
from ...reading.read import read
from ..job import Job, claim
from ..job_files import FILE_HASH, HEADER, ITEMS, inside, is_damaged, read_job
from ..log import log
from .disk import bytes_to_come, disk_of, fill, require_room
from .interrupt import Interrupt
from .ranks import Ranks
from .summary import Meter, Speed, summary


def extract_job(
    lm: LanguageModel,
    get_items: Callable[[], Iterable[Item]],
    out: str,
    *,
    job: dict[str, Any],
    passes: Passes,
    ranks: Ranks | None = None,
    yes: bool = False,
) -> str:
    """Features of a data set into the folder ``out``; a killed run resumes where it stopped.

    Args:
        lm: The model.
        get_items: Loads or samples the items; not called where ``out`` holds them already.
        out: Becomes ``job.json``, ``items.jsonl`` and a store (and a second one in ``permuted/`` for choices).
        job: What identifies the run, the content of its data included, with the ``store_dtype`` and ``shard_items`` of
            the store; a folder begun by another job is refused.
        passes: How the model is run.
        ranks: The processes that do it together.
        yes: Fill the disk unasked.

    Raises:
        InnerjudgeError: If the folder is another job's, is written by another run, or cannot be written, or the items
            cannot be read, or the disk has no room and there is no terminal to ask on.
        DeclinedError: If it was asked, and the answer was no.
        KeyboardInterrupt: If the run was asked to stop; the shard at hand is written by then.
    """
    ranks = ranks or Ranks()
    at = place(out)
    job = job | {"provenance": provenance(lm).to_json()}
    new = at.size(HEADER) is None
    existed = isinstance(at, LocalPlace) and at.folder.is_dir()
    with writing(out), Interrupt() as interrupt, locked(at) if ranks.first else nullcontext():
        try:
            return _filled(lm, get_items, at, job, passes, ranks, interrupt, yes)
        except InnerjudgeError:
            if new and ranks.first and isinstance(at, LocalPlace):
                forget(at, keep_folder=existed)  # it would fail the same way again: leave nothing behind
            raise


def _filled(
    lm: LanguageModel,
    get_items: Callable[[], Iterable[Item]],
    at: Place,
    header: dict[str, Any],
    passes: Passes,
    ranks: Ranks,
    interrupt: Interrupt,
    yes: bool,
) -> str:
    def prepare() -> dict[str, list[int]]:
        job = claim(at, header, get_items)
        lacking = {inner: job.store(inner).missing() for inner in job.stores}
        if any(lacking.values()) and not yes and disk_of(str(at)) is not None:
            require_room(bytes_to_come(lm, job, lacking, passes), str(at))
        return lacking

    lacking: dict[str, list[int]] = ranks.told(prepare)
    job = Job.begun(at, read_job(str(at)))
    stores = {inner: FeatureStore(place(inside(at, inner)), job.store_header()) for inner in lacking}
    spans = [stores[inner].header.span(k) for inner in lacking for k in ranks.mine(lacking[inner])]
    mine = sum(stop - start for start, stop in spans)
    if not any(lacking.values()):
        return f"{at} is complete already: {counted(len(job.items), 'item')}."
    total = sum(store.header.shards for store in stores.values())
    left = sum(map(len, lacking.values()))
    if left < total:
        log.info("going on", extra={"out": str(at), "shards_done": total - left, "shards": total})
    passes = replace(passes, steps=whole(passes.steps, mine))
    started = time.perf_counter()
    with Meter(lm) as meter:
        for inner, items in job.stores.items():

            def read_part(start: int, stop: int, items: Any = items) -> Features:
                return read(lm, items[start:stop], passes)

            fill(stores[inner], ranks.mine(lacking[inner]), read_part, interrupt=interrupt)
    items_done, tokens = ranks.sums(mine, meter.tokens)
    seconds = time.perf_counter() - started
    if ranks.first:
        floor = 0.0 if header["text"] else meter.floor() * tokens / ranks.world
        speed = Speed(items=int(items_done), tokens=int(tokens), seconds=seconds, floor=floor)
        for line in summary(FeatureStore.open(str(at)), speed):
            log.info(line)
    return are_in(len(job.items), "item", at)


def forget(at: LocalPlace, *, keep_folder: bool) -> None:
    """Remove a folder that this run began, unless a shard is in it."""
    if list(at.folder.glob("**/shards/*")):
        return
    for path in at.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not keep_folder:
        at.folder.rmdir()


@dataclass(frozen=True, slots=True)
class Source:
    """The data of a run, identified by a hash of their content, and by that of their file where they are one.

    ``sampled`` says whether the items are still to be sampled from the model. What ``open`` returns is checked, but not
    held, where it is a file.
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

    What cannot be loaded is refused as by :func:`..datasets.load_data`.
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
