"""Measure the feature store and the runs that write it, and write the numbers into ``large_runs.md`` beside this file.

    python -m innerjudge.experiments.benchmarks.large_runs [--gigabytes 6] [--items 100000] [--keep FOLDER]

What is compared is measured interleaved, several times, and quoted as the median of the ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from ...extraction.features import Features
from ...extraction.provenance import Provenance, versions
from ...extraction.store import FeatureStore
from ...extraction.store.header import StoreHeader
from ...extraction.store.shard import shard_name
from ...models.items import Trace
from ...models.loading import load
from ..jsonl import write_jsonl
from ..kinds import item_to_row
from ..passes import HIDDEN_NEEDS, Passes
from ..runs.extract import extract_job
from ..runs.filling import fill
from ..runs.interrupt import Interrupt
from ..views import read

_LAYERS = 26
_SHARD = 512
_ORIGIN = Provenance("made up", None, "0", "float32", "sdpa", "none", versions=versions())


def main() -> None:
    """Measure all of it."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--gigabytes", type=float, default=6.0)
    options.add_argument("--items", type=int, default=100_000)
    options.add_argument("--folder", type=Path, default=None, help="Where to write; it is emptied afterwards.")
    options.add_argument("--traces", type=int, default=3000, help="Most items that a model reads.")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        rows = [
            *read_speed(folder, given.gigabytes, given.items),
            *extraction_speed(folder),
            *memory(folder, given.items, given.traces),
            *processes(folder, given.traces),
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    write(rows, shlex_of(sys.argv))


def read_speed(folder: Path, gigabytes: float, items: int) -> Iterator[tuple[str, str, str]]:
    """A store of states of random numbers, read by layer, against safetensors alone on the same bytes."""
    width = int(gigabytes * 1e9 / items / _LAYERS / 4) // 8 * 8
    random = np.random.default_rng(0)
    states = random.normal(size=(_SHARD, _LAYERS, width)).astype(np.float32)
    store = FeatureStore.create(folder / "large", StoreHeader(_ORIGIN, items=items, shard_items=_SHARD))
    started = time.perf_counter()
    for number in store.missing():
        start, stop = store.header.span(number)
        ids = tuple(f"i{k}" for k in range(start, stop))
        arrays = {"hidden/a": states[: stop - start]}
        store.write(number, Features(ids=ids, groups=ids, provenance=_ORIGIN, arrays=arrays))
    wrote = time.perf_counter() - started
    size = sum(entry.size for entry in store.entries.values())
    files = [folder / "large" / shard_name(k) for k in range(store.header.shards)]

    def ours(layer: int) -> None:
        store.layer("hidden/a", layer)

    def cool() -> None:
        store.close()  # what is mapped stays in the cache
        forget(files)

    def alone(layer: int) -> None:
        out, at = np.empty((items, width), np.float32), 0
        for path in files:
            with safe_open(path, framework="pt") as file:
                part = file.get_slice("hidden/a")[layer].numpy()
            out[at : at + len(part)] = part
            at += len(part)

    cold = ratios(ours, alone, 7, before=cool)
    warm = ratios(ours, alone, 9)
    layer_bytes = items * width * 4
    yield "store", f"{items:,} items, {size / 1e9:.2f} GB (fp32, {_LAYERS} layers of width {width})", ""
    yield "writing it (serialised, hashed, synced)", f"{size / 1e6 / wrote:,.0f} MB/s", ""
    yield (
        "one layer of all items, from the page cache: speed by that of safetensors alone",
        f"{warm[0]:.2f} ({layer_bytes / 1e6 / warm[1]:,.0f} MB/s)",
        "at least 0.8",
    )
    yield (
        "the same, read from the disk",
        f"{cold[0]:.2f} ({layer_bytes / 1e6 / cold[1]:,.0f} MB/s)",
        "at least 0.8",
    )
    shutil.rmtree(folder / "large")


def extraction_speed(folder: Path) -> Iterator[tuple[str, str, str]]:
    """The same items read into memory and into a store."""
    lm, passes = load("reference"), Passes(batch_size=16, needs=HIDDEN_NEEDS, reasoning_tokens=0)
    traces = made_up(512)

    def in_memory(_k: int) -> None:
        Features.concat([read(lm, traces[at : at + 128], passes) for at in range(0, len(traces), 128)])

    def to_store(k: int) -> None:
        from ...extraction.provenance import provenance

        store = FeatureStore.create(folder / f"e{k}", StoreHeader(provenance(lm), items=len(traces)))
        with Interrupt() as interrupt:
            fill(store, store.missing(), lambda a, b: read(lm, traces[a:b], passes), interrupt=interrupt)
        shutil.rmtree(folder / f"e{k}")

    in_memory(0)
    ratio, seconds = ratios(in_memory, to_store, 5)
    yield (
        "extraction to the store by extraction to memory, time (built-in model, 512 traces)",
        f"{ratio:.2f} ({len(traces) / seconds * ratio:.0f} items/s in memory)",
        "at most 1.1",
    )


def memory(folder: Path, most: int, traces: int) -> Iterator[tuple[str, str, str]]:
    """Peak memory of processes that extract, iterate and fit, by number of items."""
    for what in ("iterate", "fit from the store", "fit while the model runs", "extract"):
        peaks: list[tuple[int, float]] = []
        runs_model = what in ("fit while the model runs", "extract")
        for many in (traces // 4, traces) if runs_model else (most // 100, most // 10, most):
            code = f"from {__spec__.name} import peak; peak({what!r}, {str(folder)!r}, {many})"
            ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            peaks.append((many, float(ended.stdout)))
        said = ", ".join(f"{peak:,.0f} MB at {items:,}" for items, peak in peaks)
        yield f"peak memory: {what}", said, "flat"


def peak(what: str, folder: str, items: int) -> None:
    """Do ``what`` on so many items and print the peak of anonymous memory, in MB (mapped files are the disk's)."""
    import threading

    from ...probes import CLUE, MiniBatchLogistic
    from ..streaming import fit_store, fit_stream

    torch.set_num_threads(1)
    most, over = 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.02):
            fields = Path("/proc/self/status").read_text().split("RssAnon:")[1].split()
            most = max(most, int(fields[0]) / 1000)

    at = Path(folder) / f"m{items}"
    width, layers = 64, 9
    if what in ("iterate", "fit from the store") and not (at / "store.json").is_file():
        store = FeatureStore.create(at, StoreHeader(_ORIGIN, items=items, dtype="bfloat16", shard_items=500))
        random = np.random.default_rng(0)
        for number in range(store.header.shards):
            ids = tuple(f"{k}" for k in range(*store.header.span(number)))
            states = random.normal(size=(2, len(ids), layers, width)).astype(np.float32)
            arrays = {"hidden/reasoning_start": states[0], "hidden/reasoning_end": states[1]}
            store.write(number, Features(ids=ids, groups=ids, provenance=_ORIGIN, arrays=arrays))
    watcher = threading.Thread(target=watch)
    watcher.start()
    if what == "iterate":
        for part in FeatureStore.open(at).parts():
            part["hidden/reasoning_end"].sum()
    elif what == "fit from the store":
        fit_store(MiniBatchLogistic(), FeatureStore.open(at), [k % 2 == 0 for k in range(items)])
    elif what == "fit while the model runs":
        fit_stream(CLUE(), load("reference"), (t for t in made_up_lazily(items)), (k % 2 == 0 for k in range(items)))
    else:
        lm = load("reference")
        job = {"data": "d", "kind": "trace", "items": "x", "limit": None, "seed": 0, "scale": [1, 5], "abstain": True}
        job |= {"text": False, "store_dtype": "bfloat16", "shard_items": 128}
        needs = frozenset({"hidden/reasoning_start", "hidden/reasoning_end"})
        extract_job(
            lm,
            lambda: made_up_lazily(items),
            str(at / "extracted"),
            job=job,
            passes=Passes(batch_size=64, needs=needs, reasoning_tokens=0),
        )
    over.set()
    watcher.join()
    sys.stdout.write(f"{most}\n")


def processes(folder: Path, traces: int) -> Iterator[tuple[str, str, str]]:
    """Two Ray workers against two plain processes, by the time between their first and last shard."""
    path = folder / "traces.jsonl"
    write_jsonl(path, map(item_to_row, made_up_lazily(traces)))
    found: dict[str, list[float]] = {"one": [], "plain": [], "ray": []}
    whole: dict[str, list[float]] = {"one": [], "plain": [], "ray": []}
    more: dict[str, list[str]] = {"one": [], "plain": ["--workers", "2"], "ray": ["--workers", "2", "--ray"]}
    for k in range(2):
        for way, extra in more.items():
            out = folder / f"{way}{k}"
            command = [sys.executable, "-m", "innerjudge.experiments.cli", "extract", "--data", str(path)]
            command += ["--out", str(out), "--shard-items", "32", *extra]
            started = time.time()
            env = os.environ | {"OMP_NUM_THREADS": "1"}
            subprocess.run(command, capture_output=True, check=True, env=env)
            whole[way].append(time.time() - started)
            stamps = sorted(p.stat().st_mtime for p in out.glob("index/*"))
            found[way].append(stamps[-1] - stamps[0])
            shutil.rmtree(out)
    work = {way: statistics.median(times) for way, times in found.items()}
    all_of_it = {way: statistics.median(times) for way, times in whole.items()}
    yield (
        "two Ray workers by two plain processes, from the first shard to the last, time",
        f"{statistics.median(a / b for a, b in zip(found['ray'], found['plain'], strict=True)):.2f} "
        f"({work['ray']:.0f} s, {work['plain']:.0f} s)",
        "at most 1.15",
    )
    yield (
        "the same, the whole command with its start",
        f"{statistics.median(a / b for a, b in zip(whole['ray'], whole['plain'], strict=True)):.2f} "
        f"({all_of_it['ray']:.0f} s, {all_of_it['plain']:.0f} s)",
        "",
    )
    yield "two plain processes by one, from the first shard to the last, time", f"{work['plain'] / work['one']:.2f}", ""


def ratios(
    one: Callable[[int], None], two: Callable[[int], None], times: int, before: Callable[[], None] | None = None
) -> tuple[float, float]:
    """Median of ``seconds of two / seconds of one``, measured in turn, and the median seconds of ``one``."""
    found, seconds = [], []
    for k in range(times):
        took = []
        for act in (one, two) if k % 2 == 0 else (two, one):
            if before is not None:
                before()
            started = time.perf_counter()
            act(k)
            took.append(time.perf_counter() - started)
        first, second = took if k % 2 == 0 else took[::-1]
        found.append(second / first)
        seconds.append(first)
    return statistics.median(found), statistics.median(seconds)


def forget(files: list[Path]) -> None:
    """Drop files from the page cache."""
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def made_up(n: int) -> list[Trace]:
    """Traces of a few dozen to a few hundred tokens."""
    return list(made_up_lazily(n))


def made_up_lazily(n: int) -> Iterator[Trace]:
    """The same, one after another."""
    for k in range(n):
        steps = ";".join(f"{j}+{k % 9}={j + k % 9}" for j in range(2 + k % 12))
        response = f"<think>{steps}</think>{k}"
        yield Trace(question_id=f"q{k // 4}", candidate_id=str(k), prompt=f"{k}?", response=response)


def write(rows: list[tuple[str, str, str]], command: str) -> None:
    """The document."""
    known = ", ".join(f"{name} {one}" for name, one in versions())
    lines = ["# Large runs, measured", "", "| what | measured | bar |", "| --- | --- | --- |"]
    lines += [f"| {what} | {measured} | {bar} |" for what, measured, bar in rows]
    lines += ["", f"Written by `{command}` on {platform.machine()} with {os.cpu_count()} cores ({known}).", ""]
    Path(__file__).with_suffix(".md").write_text("\n".join(lines), encoding="utf-8")


def shlex_of(argv: list[str]) -> str:
    """The command as it would be typed, without the folder that it wrote into."""
    kept = [one for k, one in enumerate(argv[1:]) if one != "--folder" and argv[k] != "--folder"]
    return " ".join(["python -m innerjudge.experiments.benchmarks.large_runs", *kept])


if __name__ == "__main__":
    main()
