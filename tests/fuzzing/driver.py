"""Bytes that atheris makes up, led by the branches that they reach: `python driver.py TARGET FOLDER RUNS SEED`.

What reads files either gives what it should or raises our error; anything else ends the run with the bytes that did it.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["innerjudge.extraction.store", "innerjudge.experiments.data.jsonl", "innerjudge.experiments.data.records"]
):
    import numpy as np
    from innerjudge.experiments.data.item_lines import ItemLines, scan
    from innerjudge.experiments.data.jsonl import read_items
    from innerjudge.extraction import Features, Provenance
    from innerjudge.extraction.store import FeatureStore
    from innerjudge.extraction.store.index import StoreHeader, read_entry, read_rows
    from innerjudge.extraction.store.shards import OpenShard
from innerjudge.models.errors import InnerjudgeError

LINES = b'{"item_id": "r", "prompt": "?", "response": "!", "scores": [1]}\n\n{"question_id": "q", "options": ["x"]}\n'


def whole(folder: Path) -> FeatureStore:
    """A small store in which every kind of readout stands."""
    states = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    some = Features(
        ids=("a", "b"),
        groups=("q", "q"),
        provenance=Provenance("m", None, "f", "float32", "sdpa", "none"),
        arrays={"hidden/score": states, "labels": np.ones(2, np.float32)},
        texts={"direct": ("yes", "no")},
        missing={"hidden/score": {"b": "no marker"}},
    )
    return FeatureStore.save(some, folder, dtype="int8")


def targets(folder: Path) -> dict[str, tuple[Callable[[bytes], object], bytes]]:
    """Name -> what reads the bytes, and bytes that are as they should be."""
    store = whole(folder / "store")
    (index,), (shard,) = (list((folder / "store" / name).iterdir()) for name in ("index", "shards"))

    def read_index(raw: bytes) -> None:
        name = f"000000-{hashlib.sha256(raw).hexdigest()[:16]}.parquet"  # the checksum keeps accidents out: go past it
        path = index.with_name(name)
        path.write_bytes(raw)
        try:
            read_rows(store.place, read_entry(store.place, 0, name))
        finally:
            path.unlink()

    def read_shard(raw: bytes) -> None:
        path = folder / "x.safetensors"
        path.write_bytes(raw)
        opened = OpenShard(path, store.entries[0])
        for name, shape in store.entries[0].shapes.items():
            if opened.read(name).shape != shape:
                raise AssertionError(f"{name} of another shape")

    def read_lines(raw: bytes) -> None:
        path = folder / "items.jsonl"
        path.write_bytes(raw)
        held = read_items(path)
        if list(scan(path).items) != held or list(ItemLines(path, scan(path).items.starts)) != held:
            raise AssertionError("read otherwise line by line")

    return {
        "header": (lambda raw: StoreHeader.parse(raw, "h"), (folder / "store" / "store.json").read_bytes()),
        "index": (read_index, index.read_bytes()),
        "shard": (read_shard, shard.read_bytes()),
        "lines": (read_lines, LINES),
    }


def main(target: str, folder: Path, runs: int, seed: int) -> None:
    """Fuzz one target from one good example."""
    read, good = targets(folder)[target]
    read_once(read, good)
    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "good").write_bytes(good)
    options = [f"-runs={runs}", f"-seed={seed}", "-max_len=8192", "-rss_limit_mb=8192", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda raw: read_once(read, raw))
    atheris.Fuzz()


def read_once(read: Callable[[bytes], object], raw: bytes) -> None:
    """Read, and let our own error pass."""
    with contextlib.suppress(InnerjudgeError):
        read(raw)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
