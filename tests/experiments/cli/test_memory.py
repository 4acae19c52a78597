"""Peak memory of commands that read and write stays within `--memory`, whatever batch size and longest item."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from innerjudge.experiments.study.spec import parse

PEAKS = Path(__file__).with_name("peaks.py")
#: The budget, and what the process may take beside its batches (rows of tables, plots, what the allocator keeps).
BUDGET, BESIDE = 50e6, 25e6


COMMANDS = ("compare", "sample", "study")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are counted by Linux")
def test_the_peak_is_within_the_budget(tmp_path: Path) -> None:
    typed = [sys.executable, str(PEAKS), str(tmp_path), str(BUDGET / 1e9), *COMMANDS]
    env = os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    ended = subprocess.run(typed, capture_output=True, text=True, env=env)
    assert ended.returncode == 0, ended.stderr[-2000:]
    told = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"command"')]
    assert tuple(one["command"] for one in told) == COMMANDS
    assert [one for one in told if one["bounded"] >= BUDGET + BESIDE] == []
    # The control: without the bound the long item is read, 4,000 tokens of 4 * (64 + 2048) * 4 bytes, and the same
    # assertion fails.
    assert [one for one in told if one["unbounded"] <= BUDGET + BESIDE + 25e6] == []


def test_a_study_says_its_budget_in_its_file() -> None:
    study = parse("data: [{source: builtin:rate}]\nmodel: {memory: 1.5}")
    assert study.model.memory == 1.5


@pytest.mark.parametrize("command", COMMANDS)
def test_the_option_is_told_and_checked(cli, command: str) -> None:
    told = " ".join(cli(command, "--help").out.replace("│", " ").split())
    assert "left out, half of what is free" in told
    assert cli(command, "--memory", "0").code == 2
