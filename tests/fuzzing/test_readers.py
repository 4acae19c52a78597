"""Every public reader on odd input: a result or our error, within limits; `readers.py` says how to go on for longer."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mutations import mutate

#: Share of 2,000 inputs for each reader, the seed, and the readers to try: all of them where none is named.
SHARE, SEED = os.environ.get("INNERJUDGE_FUZZ", "1"), os.environ.get("INNERJUDGE_FUZZ_SEED", "0")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")
def test_odd_input_is_read_or_refused(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).with_name("readers.py")), SHARE, SEED, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True)
    found: list[dict[str, Any]] = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, ended.stderr[-1000:]
    assert len(found) > 25, ended.stdout
    bad = [f"{one['name']}: {said}" for one in found for said in one["bad"]]
    assert not bad, "\n".join(bad)
    for one in found:
        assert one["clean"] + one["refused"] > 0, one["name"]


@pytest.mark.parametrize(("kind", "good"), [("json", b'{"a": [1, {"b": "c"}]}'), ("lines", b'{"a": 1}\n{"b": 2}\n')])
def test_odd_input_is_odd_and_the_same_for_the_same_seed(kind: str, good: bytes) -> None:
    made = [mutate(good, kind, random.Random(f"{seed}")) for seed in range(200)]
    assert made == [mutate(good, kind, random.Random(f"{seed}")) for seed in range(200)]
    assert len(set(made)) > 120
