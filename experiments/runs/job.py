"""An extraction as a folder: its identity, its items, and the stores to fill."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Self, cast

from ...extraction.provenance import WITHOUT_ABSTAIN, Provenance
from ...extraction.store import FeatureStore
from ...extraction.store.index import HEADER as STORE, StoreHeader
from ...extraction.store.place import ASIDE, LocalPlace, Place, place
from ...extraction.store.store import LOCK
from ...models.errors import InnerjudgeError
from ...models.foreign import digest_of_parts, dump_sealed
from ...models.items import Choice, Item, Pair
from ...models.loading import LanguageModel
from ..data.datasets import Dataset
from ..data.item_lines import ItemLines
from ..data.jsonl import jsonl_lines
from ..data.kinds import item_to_row
from ..data.outputs import check_new
from ..data.variants import Responses, permutations
from ..reading.judge_prompt import JudgePrompt
from ..reading.passes import Passes
from ..reading.sampling import sample_traces
from .job_files import (
    FILE_HASH,
    FILES,
    HEADER,
    ITEMS,
    PERMUTED,
    inside,
    is_damaged,
    is_whole,
    items_file,
    job_digest,
    read_job,
)
from .log import log

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

    ``stores`` has the items, read when they are asked for, by the folder of the store inside that of the job; choices
    have a permuted one, first.
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
        """The store in that folder, begun or gone on with. Hold the lock of the job meanwhile."""
        return FeatureStore.create(inside(self.place, inner), self.store_header())

    def store_header(self) -> StoreHeader:
        """Header of each of the stores. The provenance tells choices without the abstain lines, and a prompt."""
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
        half = {path.name for path in at.folder.glob(f"{ASIDE}*")}
        check_new(at.folder, ours=HEADER, begun={LOCK, *half})


def claim(at: Place, header: dict[str, Any], get_items: Callable[[], Iterable[Item]]) -> Job:
    """Begin the folder of a job, or go on with it. Hold its lock meanwhile.

    ``header`` identifies the run, the content of its data and its ``provenance`` included. ``get_items`` loads or
    samples the items, which are written one after another; it is not called where the folder holds them already.

    Raises:
        InnerjudgeError: If another job began the folder; if damaged files of it cannot be made again from these items.
    """
    header, files = json.loads(json.dumps(header)), {}
    if (at.size(HEADER) or 0) and not is_damaged(at):
        _require_same(at, header)
        files = read_job(str(at)).get(FILES, {})
    elif at.size(HEADER) is None:
        at.write(HEADER, [dump_sealed(header)])
    names = [ITEMS, *([items_file(PERMUTED)] if header["kind"] == "choice" else [])]
    if not all(is_whole(at, name, files) for name in names):
        items = get_items()
        again = (lambda: items) if isinstance(items, Sequence) else get_items  # an iterator is begun anew
        if files or at.size(STORE) is not None:
            _require_again(at, header, files, digest_of_parts(_lines(again(), header, ITEMS)))
            log.info("%s or its items are damaged: they are made again", HEADER, extra={"out": str(at)})
        files = {name: _written(at, name, _lines(again(), header, name)) for name in names}
        at.write(HEADER, [dump_sealed(header | {FILES: files})])
    return Job.begun(at, header | {FILES: files})


def _written(at: Place, name: str, lines: Iterable[bytes]) -> str:
    """Write lines, and say their digest."""
    digest = hashlib.sha256()

    def passing() -> Iterator[bytes]:
        for line in lines:
            digest.update(line)
            yield line

    at.write(name, passing())
    return digest.hexdigest()


def _lines(items: Iterable[Item], header: dict[str, Any], name: str) -> Iterator[bytes]:
    """The items of one of the stores of a job, as lines."""
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
        raise InnerjudgeError(
            f"given --out {at}, where {HEADER} or {ITEMS} is damaged and this command makes other items than those "
            "that the features are of, expected the command that began it: give that, or delete the folder"
        )


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
        raise InnerjudgeError(
            f"given --out {at}, begun by another job (other {', '.join(_SAID.get(k, k) for k in differing)}), "
            "expected the same job or a new folder: choose another --out or delete it"
        )
