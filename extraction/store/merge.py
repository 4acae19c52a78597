"""Several stores as one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...models.errors import InnerjudgeError
from ..features import Features
from .place import place
from .store import FeatureStore, locked


def merge(parts: Sequence[str | Path], into: str | Path, *, job: str = "") -> FeatureStore:
    """Write the items of several stores below one another as a new store; the parts stay as they are.

    Every shard of the parts is checked before it is read. A merge that was killed goes on when it is called again.

    Raises:
        InnerjudgeError: If there are none, an id is in two of them, or their provenances, types or readouts differ.
    """
    if not parts:
        raise InnerjudgeError("given no stores to merge, expected at least one")
    stores = [FeatureStore.open(part, check="checksums") for part in parts]
    first = stores[0]
    seen: dict[str, str] = {}
    for store in stores:
        first.provenance.require(store.provenance, f"merging {store.place} with {first.place}")
        if store.header.dtype != first.header.dtype:
            raise InnerjudgeError(
                f"given {store.place} of {store.header.dtype} and {first.place} of {first.header.dtype}, expected one "
                "type: extract one of them again"
            )
        if odd := sorted({*store.shapes, *store.ragged_names} ^ {*first.shapes, *first.ragged_names}):
            raise InnerjudgeError(f"given {odd} in one of {store.place} and {first.place} only, expected the same")
        for one in store.ids():
            if one in seen:
                raise InnerjudgeError(
                    f"given the item {one!r} in {seen[one]} and in {store.place}, expected it in one of them"
                )
            seen[one] = str(store.place)
    with locked(place(into)):
        merged = FeatureStore.create(into, replace(first.header, items=len(seen), job=job))
        lacking = merged.missing()
        for number, features in enumerate(_spans(stores, first.header.shard_items)):
            if number in lacking:
                merged.write(number, features)
    return FeatureStore.open(into)


def _spans(stores: Sequence[FeatureStore], size: int) -> Iterator[Features]:
    """Items of all stores, ``size`` at a time."""
    held: list[Features] = []
    for store in stores:
        for part in store.parts():
            held.append(part)
            while sum(map(len, held)) >= size:
                whole = Features.concat(held)
                yield whole.take(range(size))
                held = [whole.take(range(size, len(whole)))] if len(whole) > size else []
    if held:
        yield Features.concat(held)
