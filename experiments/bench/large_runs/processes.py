"""Two Ray workers against two plain processes, and these against one."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ...data.jsonl import write_jsonl
from ...data.kinds import item_to_row
from ..passes.section import Spread
from .line import Line, said
from .made_up import traces

_WAYS: dict[str, list[str]] = {"one": [], "plain": ["--workers", "2"], "ray": ["--workers", "2", "--ray"]}


def processes(folder: Path, items: int, rounds: int) -> Iterator[Line]:
    """Wall seconds of the whole commands, and from their first shard to their last, in turn."""
    data = folder / "traces.jsonl"
    write_jsonl(data, map(item_to_row, traces(items)))
    work: dict[str, list[float]] = {way: [] for way in _WAYS}
    whole: dict[str, list[float]] = {way: [] for way in _WAYS}
    for k in range(rounds):
        for way, extra in _WAYS.items():
            if way == "one" and k:
                continue  # nothing is asked of it: once will do
            out = folder / f"{way}{k}"
            command = [sys.executable, "-m", "innerjudge.experiments.cli.main", "extract", "--data", str(data)]
            command += ["--out", str(out), "--shard-items", "64", *extra]
            started = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
            whole[way].append(time.perf_counter() - started)
            stamps = sorted(path.stat().st_mtime for path in out.glob("index/*"))
            work[way].append(stamps[-1] - stamps[0])
            shutil.rmtree(out)
    for took, of in ((work, "from the first shard to the last"), (whole, "the whole command")):
        ratio = _ratio(took["ray"], took["plain"])
        seconds = f"{Spread.of(took['ray']).median:.0f} against {Spread.of(took['plain']).median:.0f} s"
        what = f"two Ray workers, {items:,} traces, {of}: time, relative to two plain processes"

        yield Line(what, f"{said(ratio)}, {seconds}", "at most 1.15", ratio.median <= 1.15)
    yield Line(
        "two plain processes, from the first shard to the last: time, relative to one",
        f"{Spread.of(work['plain']).median / work['one'][0]:.2f}",
    )


def _ratio(one: list[float], other: list[float]) -> Spread:
    return Spread.of([a / b for a, b in zip(one, other, strict=True)])
