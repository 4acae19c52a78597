"""An extraction as a folder: whose it is, its items, and the stores that are to be filled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

from ...extraction.provenance import WITHOUT_ABSTAIN, Provenance
from ...extraction.store import FeatureStore
from ...extraction.store.header import StoreHeader
from ...extraction.store.lock import LOCK
from ...extraction.store.place import ASIDE, LocalPlace, Place, place
from ...models.errors import InnerjudgeError
from ...models.items import Choice, Item, Pair
from ...models.loading import LanguageModel
from ..data.datasets import Dataset
from ..data.item_lines import ItemLines
from ..data.jsonl import jsonl_lines
from ..data.kinds import item_to_row
from ..data.outputs import check_new
from ..data.variants import Responses, permutations
from ..reading.passes import Passes
from ..reading.sampling import sample_traces

HEADER, ITEMS = "job.json", "items.jsonl"
#: Bytes that a header has at most.
_HEADER_LIMIT = 1 << 20
#: Folder, inside that of choices, of the same ones with their options permuted.
PERMUTED = "permuted"
#: What a header says beside what identifies a run: the SHA-256 of the data file, by which it is known again unread.
FILE_HASH = "data_sha256"
#: Words for what may differ between two jobs, where its name in the header says too little.
_SAID = {"items": "items: the data were edited"}


def items_of(lm: LanguageModel, data: Dataset, *, candidates: int, seed: int, passes: Passes) -> Sequence[Item]:
    """Items of a data set: sampled for ``builtin:solve``, both responses of every pair as items of their own."""
    if data.problems:
        return sample_traces(
            lm,
            data.problems,
            n_candidates=candidates,
            seed=seed,
            batch_size=8 * passes.batch_size,
            steps=passes.steps,
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

    Args:
        place: The folder.
        header: What identifies the run.
        stores: Folder of a store, inside that of the job -> the items that it holds, read when they are asked for;
            choices have a permuted one, first.
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
        """Header of each of the stores. Choices without the abstain lines are told by their provenance."""
        known = Provenance.from_json(self.header["provenance"])
        if self.header["kind"] == "choice" and not self.header["abstain"]:
            known = replace(known, prompt=WITHOUT_ABSTAIN)
        return StoreHeader(known, len(self.items), self.header["store_dtype"], self.header["shard_items"])


def items_file(inner: str) -> str:
    """Name of the items of a store of a job.

    Example:
        >>> items_file("permuted"), items_file("")
        ('permuted/items.jsonl', 'items.jsonl')
    """
    return f"{inner}/{ITEMS}" if inner else ITEMS


def inside(at: Place, inner: str) -> str:
    """The folder ``inner`` of a folder, as a path or URI."""
    return f"{at}/{inner}" if inner else str(at)


def check_extraction(out: str) -> None:
    """Refuse a folder that holds anything but an extraction, before the model is loaded."""
    at = place(out)
    if isinstance(at, LocalPlace):
        half = {path.name for path in at.folder.glob(f"{ASIDE}*")}
        check_new(at.folder, ours=HEADER, begun={LOCK, *half})


def claim(at: Place, header: dict[str, Any], get_items: Callable[[], Iterable[Item]]) -> Job:
    """Begin the folder of a job, or go on with it. Hold its lock meanwhile.

    Args:
        at: The folder.
        header: What identifies the run, the content of its data and its ``provenance`` included.
        get_items: Loads or samples the items, which are written one after another; not called where the folder holds
            them already.

    Raises:
        InnerjudgeError: If another job began the folder.
    """
    header = json.loads(json.dumps(header))
    if at.size(HEADER) is not None:
        _require_same(at, header)
    else:
        at.write(HEADER, [json.dumps(header, indent=1).encode()])
    if at.size(ITEMS) is None:
        at.write(ITEMS, jsonl_lines(map(item_to_row, get_items()), ITEMS))
    name = items_file(PERMUTED)
    if header["kind"] == "choice" and at.size(name) is None:
        choices = cast(Iterable[Choice], ItemLines(at.local(ITEMS)))
        moved = permutations(choices, seed=int(header["seed"]))
        at.write(name, jsonl_lines((item_to_row(item) for item, _ in moved), name))
    return Job.begun(at, header)


def read_job(folder: str | Path) -> dict[str, Any]:
    """The header of an extraction: ``kind``, ``scale`` and ``seed`` of its items, and what else identifies it.

    Raises:
        InnerjudgeError: If the folder has no header, or a damaged one.
    """
    at = place(folder)
    path = f"{at}/{HEADER}"
    if at.size(HEADER) is None:
        raise InnerjudgeError(f"given {str(at)!r} without {HEADER}, expected features: run `innerjudge extract`")
    try:
        job = json.loads(at.read(HEADER, _HEADER_LIMIT))
        low, high = job["scale"]
        return dict(job) | {"kind": str(job["kind"]), "scale": (int(low), int(high)), "seed": int(job["seed"])}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InnerjudgeError(
            f"given {path}, which is damaged, expected what `innerjudge extract` wrote: delete it, extract again"
        ) from None


def _require_same(at: Place, header: dict[str, Any]) -> None:
    begun = json.loads(json.dumps(read_job(str(at))))
    differing = sorted(k for k in (header.keys() | begun.keys()) - {FILE_HASH} if header.get(k) != begun.get(k))
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
