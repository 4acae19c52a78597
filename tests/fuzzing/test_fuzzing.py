"""What reads files, against bytes that atheris makes up; `driver.py` says how to go on for longer."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("driver.py")
#: Of each target; some seconds each.
RUNS = 1000


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="the extra 'fuzz' is not installed")
@pytest.mark.parametrize("target", ["header", "index", "shard", "lines"])
def test_made_up_bytes(tmp_path: Path, target: str) -> None:
    ended = subprocess.run(
        [sys.executable, str(DRIVER), target, str(tmp_path), str(RUNS), "7"], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert f"Done {RUNS} runs" in ended.stderr
