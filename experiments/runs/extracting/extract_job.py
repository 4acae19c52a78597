"""A data set into a store, by one process or by several; a run that was killed resumes where it stopped."""

import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Self

from ....extraction.features import Features
from ....extraction.provenance import provenance
from ....extraction.store import FeatureStore
from ....extraction.store.place import LocalPlace, Place, place
from ....extraction.store.store import locked
from ....models.errors import InnerjudgeError
from ....models.foreign import digest_of_file
from ....models.items import Item
from ....models.loading import LanguageModel
from ...data.datasets import Dataset, hash_data, is_file, open_data
from ...data.jsonl import writing
from ...drawing.style import are_in, counted
from ...reading.passes import Passes
from ...reading.progress import whole
from ...reading.read import read
from ...reading.state_files import StateFiles, encoded_traces, features_from
from ..job import FILE_HASH, HEADER, ITEMS, STATES, Job, claim, inside, is_damaged, read_items_of, read_job
from ..log import log
from .ranks import Ranks
from .summary import Meter, bytes_to_come, disk_of, log_summary, require_room


def extract_job(
    lm: LanguageModel, get_items: Callable[[], Iterable[Item]], out: str, *, job: dict[str, Any], passes: Passes,
    ranks: Ranks | None = None, yes: bool = False, states: StateFiles | None = None
) -> str:  # fmt: skip
    """Features of a data set into the folder ``out``; a killed run resumes where it stopped.

    The folder gets ``job.json``, ``items.jsonl`` and a store (and a second one in ``permuted/`` for choices).
    ``get_items`` loads or samples the items; it is not called where they are there already. ``job`` is what identifies
    the run, the content of its data included, with the ``store_dtype`` and ``shard_items`` of the store. ``ranks`` are
    the processes that share the work. ``yes`` fills the disk without asking. ``states`` take the place of the pass.

    ``InnerjudgeError`` if the folder is another job's, is written by another run, or cannot be written, or the items
    cannot be read, or the disk has no room and there is no terminal to ask on; ``DeclinedError`` if it asked whether to
    fill the disk, and the answer was no; ``KeyboardInterrupt`` if the run was asked to stop: the shard at hand is
    written by then.
    """
    ranks, at = ranks or Ranks(), place(out)
    known = provenance(lm) if states is None else states.provenance(lm)
    reading = read if states is None else partial(features_from, states=states)
    header = job | {"provenance": known.to_json()}

    def prepare() -> dict[str, list[int]]:
        held = claim(at, header, get_items)
        lacking = {inner: held.store(inner).missing() for inner in held.stores}
        if any(lacking.values()) and not yes and disk_of(str(at)) is not None:
            require_room(bytes_to_come(lm, held, lacking, passes, reading), str(at))
        return lacking

    with writing(out), Interrupt() as interrupt, holding(at) if ranks.first else nullcontext():
        lacking: dict[str, list[int]] = ranks.told(prepare)
        held = Job.begun(at, read_job(str(at)))
        if not any(lacking.values()):
            return f"{at} is complete already: {counted(len(held.items), 'item')}."
        stores = {inner: FeatureStore(place(inside(at, inner)), held.store_header()) for inner in lacking}
        spans = [stores[inner].header.span(k) for inner in lacking for k in ranks.mine(lacking[inner])]
        mine = sum(stop - start for start, stop in spans)
        total, left = sum(store.header.shards for store in stores.values()), sum(map(len, lacking.values()))
        if left < total:
            log.info("going on", extra={"out": str(at), "shards_done": total - left, "shards": total})
        passes = replace(passes, steps=whole(passes.steps, mine))
        started = time.perf_counter()
        with Meter(lm) as meter:
            for inner, items in held.stores.items():

                def read_part(start: int, stop: int, items: Any = items) -> Features:
                    return reading(lm, items[start:stop], passes)

                fill(stores[inner], ranks.mine(lacking[inner]), read_part, interrupt=interrupt)
        items_done, tokens = ranks.sums(mine, meter.tokens)
        seconds = time.perf_counter() - started
        if ranks.first:
            log_summary(FeatureStore.open(str(at)), int(items_done), int(tokens), seconds)
    return are_in(len(held.items), "item", at)


def before_cleaning(out: str, states: list[Any]) -> list[Any]:
    """The identity that ``states`` had when the run into ``out`` began, if only files of it were removed since.

    What was removed cannot be read again: ``InnerjudgeError`` if the store is not whole then.
    """
    at = place(out)
    before = None if at.size(HEADER) is None or is_damaged(at) else read_job(out).get(STATES)
    if before in (None, states) or before[:-1] != states[:-1] or {*map(tuple, states[-1])} - {*map(tuple, before[-1])}:
        if not states[-1]:
            raise InnerjudgeError(f"given no files of states for {out}, expected some, or the store that has them")
        return states
    FeatureStore.open(out, check="checksums")
    return list(before)


def clean_states(lm: LanguageModel, out: str, passes: Passes, states: StateFiles) -> str:
    """Remove the files of states that a whole store holds, and say how many."""
    encoded = encoded_traces(lm, read_items_of(out), passes)
    return f"{counted(states.clean(encoded, FeatureStore.open(out).reasons()), 'file')} of states removed."


@contextmanager
def holding(at: Place) -> Iterator[None]:
    """Hold the lock of a folder; a run that began it and fails before its first shard would fail the same way again.

    So such a run leaves nothing behind.
    """
    new, existed = at.size(HEADER) is None, isinstance(at, LocalPlace) and at.folder.is_dir()
    with locked(at):
        try:
            yield
        except InnerjudgeError:
            if new and isinstance(at, LocalPlace) and not list(at.folder.glob("**/shards/*")):
                for path in at.folder.iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                if not existed:
                    at.folder.rmdir()
            raise


class Interrupt(AbstractContextManager["Interrupt"]):
    """While open, ``asked`` says whether the run was asked to stop: a first Ctrl-C asks, a second one stops at once."""

    #: What a cluster or a person sends to ask a run to stop.
    signals = (signal.SIGINT, signal.SIGTERM)
    #: Seconds after which a second Ctrl-C is one: a launcher that passes it on lets one reach a process twice.
    again = 0.5

    def __init__(self) -> None:
        self.asked = False
        self._when = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # elsewhere signals do not arrive
            self._before = {number: signal.signal(number, self._ask) for number in self.signals}
        return self

    def __exit__(self, *_raised: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.asked:
            if number == signal.SIGINT and now - self._when > self.again:
                raise KeyboardInterrupt
            return
        self.asked, self._when = True, now
        log.warning("asked to stop: finishing the current shard; ask again to stop at once")


def fill(
    store: FeatureStore, numbers: Sequence[int], read_part: Callable[[int, int], Features], *, interrupt: Interrupt
) -> None:
    """Write the shards ``numbers``; ``read_part`` gives the features of the items from one place up to another.

    At most one shard waits for the disk while the model computes the next, so that memory holds two.
    ``KeyboardInterrupt`` if the run was asked to stop; what was read is written by then.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="writer") as writer:  # leaving it waits for the last shard
        waiting: Future[None] | None = None
        for number in numbers:
            if interrupt.asked:
                break
            features = read_part(*store.header.span(number))
            if waiting is not None:
                waiting.result()
            waiting = writer.submit(store.write, number, features)
        if waiting is not None:
            waiting.result()
    if interrupt.asked:
        raise KeyboardInterrupt


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


def find_source(
    spec: str, out: str, *, limit: int | None, seed: int, columns: Mapping[str, str] | None = None
) -> Source:
    """The data of a run into ``out``; a file that ``out`` was begun with is known by its bytes, and not parsed.

    What cannot be loaded is refused as by :func:`..datasets.load_data`.
    """
    file_hash = digest_of_file(Path(spec)) if is_file(spec) else None
    at = place(out)
    if file_hash is not None and at.size(HEADER) is not None and at.size(ITEMS) is not None:
        begun = {} if is_damaged(at) else read_job(out)
        same = {FILE_HASH: file_hash, "data": spec, "limit": limit, "seed": seed, "columns": columns or None}
        if all(begun.get(name) == value for name, value in same.items()):
            again = partial(open_data, spec, limit=limit, seed=seed, columns=columns)
            return Source(begun["kind"], begun["items"], file_hash, False, again)
    data = open_data(spec, limit=limit, seed=seed, columns=columns)
    return Source(data.kind, hash_data(data), file_hash, bool(data.problems), lambda: data)
