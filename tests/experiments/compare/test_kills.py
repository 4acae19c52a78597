"""A comparison that is killed and typed again: the same bytes, and what was read is not read again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

#: Files of a run that are the same, killed or not; ``timings.json`` alone differs.
TIMED = "timings.json"
#: Runs the command, and notes in a file every pass of the model: what was read, and of how many items.
SCRIPT = """
import sys
from innerjudge.experiments.compare import judging
from innerjudge.experiments.cli.main import main
log = sys.argv.pop(1)
def counted(read):
    def noted(lm, items, *args, **more):
        found = read(lm, items, *args, **more)
        with open(log, "a") as file:
            file.write(f"{read.__name__} {items[0].id} {len(items)}\\n")
        return found
    return noted
for name in ("read", "pair_features", "rating_features"):
    setattr(judging, name, counted(getattr(judging, name)))
main()
"""
#: Small parts, so that a killed run has some of them behind it.
ARGS = ("--data", "builtin:choose", "--limit", "24", "--batch-size", "2", "--reasoning-tokens", "0")


def started(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SCRIPT, str(log), "compare", *ARGS, "--out", "run"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=folder, start_new_session=True, env=dict(os.environ), **quiet)


def passes(log: Path) -> list[str]:
    return log.read_text("utf-8").splitlines() if log.is_file() else []


def files(folder: Path) -> dict[str, bytes]:
    kept = folder / "kept"
    every = (path for path in folder.rglob("*") if path.is_file() and not path.is_relative_to(kept))
    return {str(path.relative_to(folder)): path.read_bytes() for path in every if path.name != TIMED}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], list[str], float]:
    """Files and passes of a run that nobody killed, and its seconds."""
    folder = tmp_path_factory.mktemp("unbroken")
    begun = time.monotonic()
    assert started(folder, folder / "log").wait() == 0
    return files(folder / "run"), passes(folder / "log"), time.monotonic() - begun


@pytest.mark.parametrize("seed", range(int(os.environ.get("INNERJUDGE_KILLS", "3"))))
def test_a_killed_run_goes_on(tmp_path: Path, unbroken: tuple[dict[str, bytes], list[str], float], seed: int) -> None:
    whole, every, seconds = unbroken
    assert len(set(every)) == len(every) == 6, "24 choices as given and permuted, in parts of 8"
    moment = random.Random(seed).uniform(0.2, 1.0) * seconds
    run = started(tmp_path, tmp_path / "log")
    try:
        run.wait(moment)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    before = passes(tmp_path / "log")
    assert started(tmp_path, tmp_path / "log").wait() == 0
    assert files(tmp_path / "run") == whole
    again = passes(tmp_path / "log")[len(before) :]
    # A part whose pass had ended and whose shard was not yet written is the one that may be read twice.
    repeated = set(before) & set(again)
    assert len(repeated) <= 1
    assert repeated <= set(before[-1:])
    assert set(before) | set(again) == set(every)
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".tmp") or path.name.startswith(".inner")]


def test_a_finished_run_reads_nothing_again(
    tmp_path: Path, unbroken: tuple[dict[str, bytes], list[str], float]
) -> None:
    for _ in range(2):
        assert started(tmp_path, tmp_path / "log").wait() == 0
        assert files(tmp_path / "run") == unbroken[0]
    assert len(passes(tmp_path / "log")) == len(unbroken[1])
