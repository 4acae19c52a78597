"""One layer of every item, read from a large store: our time over that of safetensors alone on the same bytes."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors import safe_open

from ....extraction.store.shards import shard_name
from .line import Line, in_turn, said
from .made_up import random_store

_LAYERS, _SHARD, _NAME = 26, 512, "hidden/a"


def reading(folder: Path, gigabytes: float, items: int, rounds: int) -> Iterator[Line]:
    """Write ``gigabytes`` of ``items``, and read them by layer from the page cache and from the disk."""
    width = max(8, int(gigabytes * 1e9 / items / _LAYERS / 4) // 8 * 8)
    started = time.perf_counter()
    store = random_store(folder / "large", items, (_LAYERS, width), (_NAME,), dtype="float32", shard_items=_SHARD)
    wrote = time.perf_counter() - started
    size = sum(entry.size for entry in store.entries.values())
    files = [folder / "large" / shard_name(k) for k in range(store.header.shards)]

    def ours(k: int) -> None:
        store.layer(_NAME, k % _LAYERS)

    def alone(k: int) -> None:
        out, at = np.empty((items, width), np.float32), 0
        for path in files:
            with safe_open(path, framework="pt") as file:
                part = file.get_slice(_NAME)[k % _LAYERS].numpy()
            out[at : at + len(part)] = part
            at += len(part)

    def cool() -> None:
        store.close()
        _forget(files)

    if not np.array_equal(store.layer(_NAME, 3, range(_SHARD)), _first(files[0])):
        raise AssertionError("the store and safetensors read different numbers")
    yield Line("the store", f"{items:,} items, {size / 1e9:.2f} GB (fp32, {_LAYERS} layers of width {width})")
    yield Line("writing it (serialised, hashed, synced)", f"{size / 1e6 / wrote:,.0f} MB/s")
    ways = {"from the page cache": store.close, "from the disk": cool}
    for where, before in ways.items():
        slower, seconds, theirs = in_turn(ours, alone, rounds, before)
        rates = f"{items * width * 4e-6 / seconds:,.0f} against {items * width * 4e-6 / theirs:,.0f} MB/s"
        what = f"one layer of all items {where}: speed, relative to safetensors alone"
        yield Line(what, f"{said(slower)}, {rates}", "at least 0.8", slower.median >= 0.8)
    shutil.rmtree(folder / "large")


def _first(path: Path) -> np.ndarray:
    with safe_open(path, framework="np") as file:
        return np.asarray(file.get_tensor(_NAME)[3])


def _forget(files: list[Path]) -> None:
    """Drop files from the page cache."""
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
