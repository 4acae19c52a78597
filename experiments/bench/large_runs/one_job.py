"""One job, and the peak of its anonymous memory in MB: ``python -m ...large_runs.peak WHAT FOLDER ITEMS``."""

import runpy
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ....extraction.store import FeatureStore
from ....models.loading import load
from ....probes import CLUE, MiniBatchLogistic
from ...data.jsonl import write_jsonl
from ...data.kinds import item_to_row
from ...judges.fitting import fit_store, fit_stream
from .made_up import random_store, traces

#: Readouts of a store of random numbers, and its states in one item: nine layers of width 64.
_NAMES, _SHAPE = ("hidden/reasoning_start", "hidden/reasoning_end"), (9, 64)
#: Most sums of a trace, less one: short ones, for there are many.
_STEPS = 2


def iterate(folder: Path, items: int) -> None:
    """Look at every item of a store once."""
    for part in _random(folder, items).parts():
        part[_NAMES[1]].sum()


def fit_from_store(folder: Path, items: int) -> None:
    """Fit by mini-batches from a store."""
    fit_store(MiniBatchLogistic(), _random(folder, items), [k % 2 == 0 for k in range(items)])


def fit_while_running(_folder: Path, items: int) -> None:
    """Fit without a store."""
    fit_stream(CLUE(), load("reference"), traces(items, _STEPS), (k % 2 == 0 for k in range(items)))


def extract(folder: Path, items: int) -> None:
    """What the command does."""
    data = folder.with_suffix(".jsonl")
    if not data.exists():
        write_jsonl(data, map(item_to_row, traces(items, _STEPS)))
    _command("extract", "--data", str(data), "--out", f"{folder}-extracted", "--store-dtype", "bfloat16")


def fit(folder: Path, _items: int) -> None:
    """What the command does, on what ``extract`` wrote."""
    _command("fit", "--features", f"{folder}-extracted", "--judge", "clue", "--out", f"{folder}-judge")


JOBS: dict[str, Callable[[Path, int], None]] = {
    "iterate": iterate,
    "fit-store": fit_from_store,
    "fit-stream": fit_while_running,
    "extract": extract,
    "fit": fit,
}


def _random(folder: Path, items: int) -> FeatureStore:
    if not (folder / "store.json").is_file():
        random_store(folder, items, _SHAPE, _NAMES, dtype="bfloat16", shard_items=500)
    return FeatureStore.open(folder)


def _command(*words: str) -> None:
    """Run ``innerjudge WORDS`` in this process, as the shell does."""
    sys.argv = ["innerjudge", *words]
    try:
        runpy.run_module("innerjudge.experiments.cli.main", run_name="__main__")
    except SystemExit as ended:
        if ended.code:
            raise


def _anonymous() -> float:
    """Anonymous memory of this process, in MB."""
    return int(Path("/proc/self/status").read_text(encoding="ascii").split("RssAnon:")[1].split()[0]) / 1000


def main(what: str, folder: Path, items: int) -> None:
    """Do it, watched."""
    most, over = _anonymous(), threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.02):
            most = max(most, _anonymous())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    JOBS[what](folder, items)
    over.set()
    watcher.join()
    sys.stdout.write(f"\n{most}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
