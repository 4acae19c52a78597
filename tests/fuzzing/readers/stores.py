"""A feature store and the job that made it: headers with checksums that fit, index and shard with names that do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from harness import Reader, from_file


def store_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Every file of a store; items of a job are read as those of any file."""
    from innerjudge.experiments.data.item_lines import ItemLines
    from innerjudge.experiments.runs.job import read_job
    from innerjudge.extraction import Features, Provenance
    from innerjudge.extraction.store import FeatureStore
    from innerjudge.extraction.store.index import read_entry, read_rows
    from innerjudge.extraction.store.shards import OpenShard
    from innerjudge.models.foreign import dump_sealed, parse_sealed

    some = Features(
        ids=("a", "b"), groups=("q", "q"), provenance=Provenance("m", None, "f", "float32", "sdpa", "none"),
        arrays={"hidden/score": np.arange(24, dtype=np.float32).reshape(2, 3, 4), "labels": np.ones(2, np.float32)},
        texts={"direct": ("yes", "no")}, missing={"hidden/score": {"b": "no marker"}},
    )  # fmt: skip
    home = folder / "store"
    store = FeatureStore.save(some, home, dtype="int8")
    (index,), (shard,) = (list((home / name).iterdir()) for name in ("index", "shards"))

    def sealed_file(name: str, read: Callable[[], object]) -> Callable[[bytes], object]:
        def of(raw: bytes) -> object:
            with suppress(ValueError, TypeError, RecursionError):
                raw = dump_sealed(json.loads(raw))
            (home / name).write_bytes(raw)
            return read()

        return of

    header = json.dumps(parse_sealed((home / "store.json").read_bytes())).encode()
    whole = sealed_file("store.json", lambda: FeatureStore.open(home).features())
    yield "store: header", Reader(whole, header, "json")
    job = {"kind": "trace", "scale": [1, 5], "seed": 0, "items": "h", "files": {"items.jsonl": "0" * 64}}
    yield "store: job", Reader(sealed_file("job.json", lambda: read_job(home)), json.dumps(job).encode(), "json")

    def read_index(raw: bytes) -> object:
        path = index.with_name(f"000000-{hashlib.sha256(raw).hexdigest()[:16]}.parquet")
        path.write_bytes(raw)
        try:
            return read_rows(store.place, read_entry(store.place, 0, path.name))
        finally:
            path.unlink()

    yield "store: index", Reader(read_index, index.read_bytes())
    entry = store.entries[0]

    def read_shard(path: Path) -> None:
        opened = OpenShard(path, entry)
        for name, shape in entry.shapes.items():
            assert opened.read(name).shape == shape

    yield "store: shard", Reader(from_file(folder, "x.safetensors", read_shard), shard.read_bytes(), "safetensors")
    row = json.dumps({"item_id": "r", "prompt": "?", "response": "!"}).encode()
    lines_of = from_file(folder, "items.jsonl", lambda at: list(ItemLines(at)))
    yield "store: items", Reader(lines_of, row + b"\n" + row + b"\n", "lines")
