"""A comparison that is killed and typed again: the same bytes, and what was read is not read again."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

#: The one file that differs from run to run.
TIMED = "timings.json"
#: Runs the command that stands behind it, and notes in ``log`` every pass of the model: what was read. To print plots
#: takes as long as all the rest, so that a plot is here what its lines and bars are drawn from.
SCRIPT = """
import zlib
from innerjudge.experiments.compare import judging, turns
from innerjudge.experiments.compare.report import page
from innerjudge.experiments.cli.main import main
def counted(read):
    def noted(lm, items, *args, **more):
        found = read(lm, items, *args, **more)
        with open("log", "a") as file:
            how = [more.get("swapped"), *(one for one in args if isinstance(one, str))]
            file.write(f"{read.__name__} {how} {zlib.crc32(repr(items).encode())}\\n")
        return found
    return noted
for module, name in (
    (judging, "read"), (judging, "pair_features"), (judging, "rating_features"), (turns, "ask")
):
    setattr(module, name, counted(getattr(module, name)))
def drawn(figure):
    lines = [line.get_xydata().tolist() for panel in figure.axes for line in panel.lines]
    bars = [bar.get_extents().bounds for panel in figure.axes for bar in panel.patches]
    dots = [(c.get_offsets().tolist(), c.get_facecolor().tolist()) for panel in figure.axes for c in panel.collections]
    maps = [image.get_array().tolist() for panel in figure.axes for image in panel.images]
    words = [(panel.get_title(loc), *(text.get_text() for text in panel.texts)) for panel in figure.axes
             for loc in ("left", "center", "right")]
    return repr((lines, bars, dots, maps, words)).encode()
page.png = drawn
main()
"""
#: All four kinds of item, in small parts, so that a killed run has some of them behind it.
ARGS = ("--data", "builtin:choose", "--data", "builtin:rate", "--data", "pairs.jsonl", "--data", "traces.jsonl",
        "--limit", "16", "--batch-size", "2", "--reasoning-tokens", "0",
        "--judges", "qk-score,lager,clue,text,length")  # fmt: skip


def write_items(folder: Path) -> None:
    """Pairs, and right and wrong answers with their reasoning."""
    pairs = [
        {"pair_id": f"p{k}", "prompt": f"Say {k}.", "response_a": f"{k + k % 2}", "response_b": f"{k + 1 - k % 2}",
         "preference": "ab"[k % 2]}
        for k in range(16)
    ]  # fmt: skip
    traces = [
        {"question_id": f"q{k}", "candidate_id": f"{c}", "prompt": f"What is {k} plus 1?",
         "response": f"<think>{k} plus 1 is {k + 1 + c}.</think>{k + 1 + c}", "answer": f"{k + 1 + c}",
         "correct": c == 0}
        for k in range(8) for c in range(2)
    ]  # fmt: skip
    for name, rows in (("pairs", pairs), ("traces", traces)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


Typed = Callable[..., int]


@pytest.fixture(scope="module")
def typed(forks: Any) -> Typed:
    """Types the command in a folder, and may kill it; says how it ended."""

    def run(folder: Path, kill_after: float | None = None) -> int:
        write_items(folder)
        args = ["innerjudge", "compare", *ARGS, "--out", "run"]
        with forks.begin(f"import sys\nsys.argv = {args!r}\n{SCRIPT}", folder) as process:
            if kill_after is not None:
                time.sleep(kill_after)
                process.send_signal(signal.SIGKILL)  # it may have ended by itself
        return int(process.returncode)

    return run


def passes(folder: Path) -> list[str]:
    return (folder / "log").read_text("utf-8").splitlines() if (folder / "log").is_file() else []


def files(folder: Path) -> dict[str, bytes]:
    kept = folder / "run" / "kept"
    every = (path for path in (folder / "run").rglob("*") if path.is_file() and not path.is_relative_to(kept))
    return {str(path.relative_to(folder)): path.read_bytes() for path in every if path.name != TIMED}


@pytest.fixture(scope="module")
def unbroken(typed: Typed, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A run that nobody killed, and its seconds."""
    folder = tmp_path_factory.mktemp("unbroken")
    begun = time.monotonic()
    assert typed(folder) == 0
    return folder, time.monotonic() - begun


@pytest.mark.parametrize("seed", range(int(os.environ.get("INNERJUDGE_KILLS", "4"))))
def test_a_killed_run_goes_on(typed: Typed, tmp_path: Path, unbroken: tuple[Path, float], seed: int) -> None:
    whole, seconds = unbroken
    every = passes(whole)
    assert len(set(every)) == len(every), "nothing is read twice"
    assert {line.split()[0] for line in every} == {"read", "pair_features", "rating_features", "ask"}
    assert len(every) > 20, "each data set is read in parts"
    ended = typed(tmp_path, random.Random(seed).uniform(0.0, 0.9) * seconds)
    assert ended in (-signal.SIGKILL, 0)
    before = passes(tmp_path)
    assert typed(tmp_path) == 0
    assert files(tmp_path) == files(whole)
    again = passes(tmp_path)[len(before) :]
    # Only a part whose pass had ended and whose shard was not yet written may be read twice.
    assert set(before) & set(again) <= set(before[-1:])
    assert len(again) == len(set(again))
    assert set(before) | set(again) == set(every)
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".tmp") or path.name.startswith(".inner")]


def test_a_finished_run_reads_nothing_again(typed: Typed, unbroken: tuple[Path, float]) -> None:
    folder, _ = unbroken
    before, read = files(folder), passes(folder)
    assert typed(folder) == 0
    assert files(folder) == before
    assert passes(folder) == read
