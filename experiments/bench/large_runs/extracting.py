"""The same items read into memory and into a store."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from ....extraction.features import Features
from ....extraction.provenance import provenance
from ....extraction.store import FeatureStore
from ....extraction.store.index import StoreHeader
from ....models.loading import load
from ...reading.passes import HIDDEN_NEEDS, Passes
from ...reading.read import read
from ...runs.extracting.extract_job import Interrupt, fill
from .line import Line, in_turn, said
from .made_up import traces

_ITEMS = 512


def extracting(folder: Path, rounds: int, *, n_items: int = _ITEMS) -> Iterator[Line]:
    """Time of ``extract`` into a store over that into memory, with the built-in model and shards of default size."""
    lm, passes = load("reference"), Passes(batch_size=16, needs=HIDDEN_NEEDS, reasoning_tokens=0)
    items = list(traces(n_items))

    def in_memory(_k: int) -> None:
        Features.concat([read(lm, items[at : at + 128], passes) for at in range(0, len(items), 128)])

    def to_store(k: int) -> None:
        store = FeatureStore.create(folder / f"e{k}", StoreHeader(provenance(lm), items=len(items)))
        with Interrupt() as interrupt:
            fill(store, store.missing(), lambda a, b: read(lm, items[a:b], passes), interrupt=interrupt)

    def clear() -> None:
        for path in folder.glob("e*"):
            shutil.rmtree(path)

    in_memory(0)
    ratio, seconds, _ = in_turn(in_memory, to_store, rounds, clear)
    clear()
    yield Line(
        f"extraction to the store: time, relative to extraction to memory (built-in model, {n_items} traces)",
        f"{said(ratio)}, {len(items) / seconds:,.0f} items/s in memory",
        "at most 1.1",
        ratio.median <= 1.1,
    )
