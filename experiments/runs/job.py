"""An extraction as a folder: its identity, its items, the stores to fill, and the checksums of what is whole."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

from ...extraction.provenance import WITHOUT_ABSTAIN, Provenance
from ...extraction.store import FeatureStore
from ...extraction.store.index import HEADER as STORE, StoreHeader
from ...extraction.store.place import ASIDE, LocalPlace, Place, place
from ...extraction.store.store import LOCK
from ...models import foreign
from ...models.errors import InnerjudgeError
from ...models.items import Choice, Item, Pair
from ...models.loading import LanguageModel
from ..data.datasets import Dataset
from ..data.item_lines import ItemLines
from ..data.jsonl import check_new, jsonl_lines
from ..data.kinds import item_to_row
from ..data.variants import Responses, permutations
from ..reading.judge_prompt import JudgePrompt
from ..reading.passes import Passes
from ..reading.verdict_pass import sample_traces
from .log import log

HEADER, ITEMS = "job.json", "items.jsonl"
#: Folder, inside that of choices, of the same ones with their options permuted.
PERMUTED = "permuted"
#: What a header says beside what identifies a run: the SHA-256 of the data file, by which it is known again unread.
FILE_HASH = "data_sha256"
#: What identifies files of states that took the place of the pass.
STATES = "state files"
#: Files of the folder -> their SHA-256, in the header once they are there.
FILES = "files"


def items_file(inner: str) -> str:
    """Name of the file that holds the items of one store of a job."""
    return f"{inner}/{ITEMS}" if inner else ITEMS


def inside(at: Place, inner: str) -> str:
    """The folder ``inner`` of a folder, as a path or URI."""
    return f"{at}/{inner}" if inner else str(at)


def job_digest(header: dict[str, Any], items: str) -> str:
    """Digest of what identifies a job, and of its items: stores carry it."""
    return foreign.digest_of({k: v for k, v in header.items() if k not in (FILE_HASH, FILES)} | {"items file": items})


def read_job(folder: str | Path) -> dict[str, Any]:
    """The header of an extraction: ``kind``, ``scale`` and ``seed`` of its items, and what else identifies it.

    ``InnerjudgeError`` if the folder has no header, or a damaged one.
    """
    at = place(folder)
    path = f"{at}/{HEADER}"
    if at.size(HEADER) is None:
        raise InnerjudgeError(f"given {str(at)!r} without {HEADER}, expected features: run `innerjudge extract`")
    # What a disk or a network refuses is no damage: only what was read is looked at below.
    raw = at.read(HEADER, foreign.HEADER_LIMIT) if (at.size(HEADER) or 0) <= foreign.HEADER_LIMIT else b""
    with foreign.refusing(path, "what `innerjudge extract` wrote: run the same command again, it makes it again"):
        job = foreign.parse_sealed(raw)
        low, high = job["scale"]
        return dict(job) | {"kind": str(job["kind"]), "scale": (int(low), int(high)), "seed": int(job["seed"])}


def is_damaged(at: Place) -> bool:
    """Whether the header of a job is there, and is not what was written."""
    try:
        read_job(str(at))
    except InnerjudgeError:
        return True
    return False


def is_whole(at: Place, name: str, files: dict[str, str]) -> bool:
    """Whether a file is there, and is what was written."""
    return name in files and at.size(name) is not None and foreign.digest_of_file(at.local(name)) == files[name]


def read_items_of(folder: str | Path) -> ItemLines:
    """The items of an extraction.

    ``InnerjudgeError`` if they are not what was written with the features.
    """
    at = place(folder)
    if not is_whole(at, ITEMS, read_job(folder).get(FILES, {})):
        raise InnerjudgeError.of("runs.damaged-items", at, ITEMS)
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


#: Words for what may differ between two jobs, where its name in the header says too little.
_SAID = {"items": "items: the data were edited"}


def items_of(lm: LanguageModel, data: Dataset, *, candidates: int, seed: int, passes: Passes) -> Sequence[Item]:
    """Items of a data set: sampled for ``builtin:solve``, both responses of every pair as items of their own."""
    if data.problems:
        return sample_traces(
            lm, data.problems, n_candidates=candidates, seed=seed, batch_size=8 * passes.batch_size, steps=passes.steps
        )
    return pointwise(data).items


def pointwise(data: Dataset) -> Dataset:
    """The data set with both responses of every pair as items of their own."""
    if data.kind != "pair":
        return data
    return replace(data, items=Responses(cast(Sequence[Pair], data.items)))


@dataclass(frozen=True, slots=True)
class Job:
    """A folder that is claimed for one extraction.

    ``stores`` maps the folder of each store, inside that of the job, to its items, which are read when asked for;
    choices also have a permuted store, first.
    """

    place: Place
    header: dict[str, Any]
    stores: dict[str, ItemLines]

    @classmethod
    def begun(cls, at: Place, header: dict[str, Any]) -> Self:
        """The job of a folder that :func:`claim` has claimed, in this process or in another."""
        header = json.loads(json.dumps(header))
        inner = [PERMUTED, ""] if header["kind"] == "choice" else [""]
        return cls(at, header, {one: ItemLines(at.local(items_file(one))) for one in inner})

    @property
    def items(self) -> ItemLines:
        """The items as they were given."""
        return self.stores[""]

    def store(self, inner: str) -> FeatureStore:
        """The store in that folder, new or continued. Hold the lock of the job meanwhile."""
        return FeatureStore.create(inside(self.place, inner), self.store_header())

    def store_header(self) -> StoreHeader:
        """Header of each store. Its provenance records a prompt, and choices asked without the abstain lines."""
        known = Provenance.from_json(self.header["provenance"])
        told = [JudgePrompt.of(self.header["prompt"]).told] if self.header.get("prompt") is not None else []
        told += [WITHOUT_ABSTAIN] if self.header["kind"] == "choice" and not self.header["abstain"] else []
        known = replace(known, prompt="; ".join(told))
        job = job_digest(self.header, self.header[FILES][ITEMS])
        return StoreHeader(known, len(self.items), self.header["store_dtype"], self.header["shard_items"], job)


def check_extraction(out: str) -> None:
    """Refuse a folder that holds anything but an extraction, before the model is loaded."""
    at = place(out)
    if isinstance(at, LocalPlace):
        check_new(at.folder, ours=HEADER, begun={LOCK, *{path.name for path in at.folder.glob(f"{ASIDE}*")}})


def claim(at: Place, header: dict[str, Any], get_items: Callable[[], Iterable[Item]]) -> Job:
    """Begin the folder of a job, or go on with it. Hold its lock meanwhile.

    ``header`` identifies the run, the content of its data and its ``provenance`` included. ``get_items`` loads or
    samples the items, which are written one after another; it is not called where the folder holds them already.
    ``InnerjudgeError`` if another job began the folder; if damaged files of it cannot be made again from these items.
    """
    header, files = json.loads(json.dumps(header)), {}
    if (at.size(HEADER) or 0) and not is_damaged(at):
        _require_same(at, header)
        files = read_job(str(at)).get(FILES, {})
    elif at.size(HEADER) is None:
        at.write(HEADER, [foreign.dump_sealed(header)])
    names = [ITEMS, *([items_file(PERMUTED)] if header["kind"] == "choice" else [])]
    if not all(is_whole(at, name, files) for name in names):
        items = get_items()
        again = (lambda: items) if isinstance(items, Sequence) else get_items  # an iterator is begun anew
        if files or at.size(STORE) is not None:
            _require_again(at, header, files, foreign.digest_of_parts(_lines(again(), header, ITEMS)))
            log.info("%s or its items are damaged: they are made again", HEADER, extra={"out": str(at)})
        files = {name: _written(at, name, _lines(again(), header, name)) for name in names}
        at.write(HEADER, [foreign.dump_sealed(header | {FILES: files})])
    return Job.begun(at, header | {FILES: files})


def _written(at: Place, name: str, lines: Iterable[bytes]) -> str:
    digest = hashlib.sha256()

    def passing() -> Iterator[bytes]:
        for line in lines:
            digest.update(line)
            yield line

    at.write(name, passing())
    return digest.hexdigest()


def _lines(items: Iterable[Item], header: dict[str, Any], name: str) -> Iterator[bytes]:
    if name == ITEMS:
        return jsonl_lines(map(item_to_row, items), name)
    moved = permutations(cast(Iterable[Choice], items), seed=int(header["seed"]))
    return jsonl_lines((item_to_row(item) for item, _ in moved), name)


def _require_again(at: Place, header: dict[str, Any], files: dict[str, str], made: str) -> None:
    """Refuse items that are made again where those that the shards are of were others."""
    others = files.get(ITEMS, made) != made
    if at.size(STORE) is not None:
        with suppress(InnerjudgeError):
            others |= FeatureStore.begun(str(at)).header.job not in ("", job_digest(header, made))
    if others:
        raise InnerjudgeError.of("runs.other-items", at, HEADER, ITEMS)


def _require_same(at: Place, header: dict[str, Any]) -> None:
    begun = json.loads(json.dumps(read_job(str(at))))
    differing = sorted(k for k in (header.keys() | begun.keys()) - {FILE_HASH, FILES} if header.get(k) != begun.get(k))
    if {"data", "limit", "seed"}.intersection(differing):  # other items are no wonder then
        differing = [k for k in differing if k not in ("items", "kind")]
    if "provenance" in differing:
        theirs, mine = begun.get("provenance", {}), header["provenance"]
        differing += sorted(f"provenance: {k}" for k in mine if theirs.get(k) != mine[k])
        differing.remove("provenance")
    if differing:
        raise InnerjudgeError.of("runs.other-job", at, ", ".join(_SAID.get(k, k) for k in differing))
