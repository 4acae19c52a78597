"""A model that tensor parallelism spreads over processes is read as the whole one: states, logits and all heads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_two_processes_read_what_one_reads() -> None:
    script = Path(__file__).with_name("sharded.py")
    ended = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
