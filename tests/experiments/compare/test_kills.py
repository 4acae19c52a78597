"""A comparison that is killed and typed again: the same bytes, and what was read is not read again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

#: The one file that differs from run to run.
TIMED = "timings.json"
#: Imports everything once; then, for each folder that it is told, a process of its own runs the command there, and
#: notes in ``log`` every pass of the model: what was read. It says the process, and then how it ended.
SCRIPT = """
import os, sys, zlib
from innerjudge.experiments.compare import judging, turns
from innerjudge.experiments.compare import compare, report, run
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
typed = sys.argv[1:]
for line in sys.stdin:
    child = os.fork()
    if not child:
        os.chdir(line.strip())
        sys.stdout = sys.stderr = open(os.devnull, "w")
        sys.argv = ["innerjudge", *typed]
        try:
            main()
        except SystemExit as end:
            os._exit(end.code or 0)
        except BaseException:
            os._exit(1)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
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


class Typed:
    """Types the command in a folder, and may kill it."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", SCRIPT, "compare", *ARGS, "--out", "run"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, **pipes)

    def run(self, folder: Path, kill_after: float | None = None) -> int:
        """How the command ended in ``folder``."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        write_items(folder)
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):  # it may have ended by itself
                os.kill(pid, signal.SIGKILL)
        return int(self.process.stdout.readline())


def passes(folder: Path) -> list[str]:
    return (folder / "log").read_text("utf-8").splitlines() if (folder / "log").is_file() else []


def files(folder: Path) -> dict[str, bytes]:
    kept = folder / "run" / "kept"
    every = (path for path in (folder / "run").rglob("*") if path.is_file() and not path.is_relative_to(kept))
    return {str(path.relative_to(folder)): path.read_bytes() for path in every if path.name != TIMED}


@pytest.fixture(scope="module")
def typed() -> Iterator[Typed]:
    found = Typed()
    yield found
    assert found.process.stdin is not None
    found.process.stdin.close()
    found.process.wait()


@pytest.fixture(scope="module")
def unbroken(typed: Typed, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A run that nobody killed, and its seconds."""
    folder = tmp_path_factory.mktemp("unbroken")
    begun = time.monotonic()
    assert typed.run(folder) == 0
    return folder, time.monotonic() - begun


@pytest.mark.parametrize("seed", range(int(os.environ.get("INNERJUDGE_KILLS", "4"))))
def test_a_killed_run_goes_on(typed: Typed, tmp_path: Path, unbroken: tuple[Path, float], seed: int) -> None:
    whole, seconds = unbroken
    every = passes(whole)
    assert len(set(every)) == len(every), "nothing is read twice"
    assert {line.split()[0] for line in every} == {"read", "pair_features", "rating_features", "ask"}
    assert len(every) > 20, "each data set is read in parts"
    ended = typed.run(tmp_path, random.Random(seed).uniform(0.0, 0.9) * seconds)
    assert ended in (-signal.SIGKILL, 0)
    before = passes(tmp_path)
    assert typed.run(tmp_path) == 0
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
    assert typed.run(folder) == 0
    assert files(folder) == before
    assert passes(folder) == read
