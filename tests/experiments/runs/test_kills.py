"""A run killed at any moment loses nothing; Ctrl-C ends at a shard; two runs do not write into one store."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from innerjudge.extraction.store import FeatureStore

KILLED = Path(__file__).with_name("killed.py")


def test_fifty_random_kills(forks: Any, tmp_path: Path) -> None:
    with forks.script(KILLED, tmp_path, "50", "7") as ended:
        said, errors = ended.communicate()
    assert ended.returncode == 0, errors[-2000:]
    found = json.loads(said.splitlines()[-1])
    assert found["killed"] >= 50
    assert found["finished"] >= 1
    assert found["shards_at_kills"] >= 4, "the kills came at different stages"


#: An extraction that says when its third part begins, and then waits for what happens to it.
SLOW = """
import sys, time
from innerjudge.experiments.cli.main import main
from innerjudge.experiments.runs.extracting import extract_job as run
read, done = run.read, 0
def slow(*args):
    global done
    done += 1
    if done == 3:
        print("now", flush=True)
        time.sleep({wait})
    return read(*args)
run.read, run.bytes_to_come = slow, lambda *_: 0  # which reads some texts to measure them
main()
"""


Begin = Callable[..., Any]


@pytest.fixture
def begin(forks: Any) -> Begin:
    """Begins such an extraction: ``begin(out, data, wait)``, with code that is run before."""

    def begun(out: Path, data: Path, wait: float, before: str = "") -> Any:
        args = ["extract", "--data", str(data), "--shard-items", "4", "--out", str(out)]
        return forks.begin(f"import sys\nsys.argv[1:] = {args!r}\n{before}{SLOW.format(wait=wait)}", out.parent)

    return begun


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "r.jsonl"
    rows = [{"item_id": f"r{k}", "prompt": "Say hi.", "response": "hi " * k} for k in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_ctrl_c_finishes_the_shard_and_a_second_run_is_refused(cli, begin: Begin, tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out"
    with begin(out, data, 2) as process:
        assert process.readline() == "now\n"
        refused = cli("extract", "--data", data, "--shard-items", 4, "--out", out)
        assert refused.code == 2
        assert "into which another run writes just now" in refused.err
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130, said
    assert "finishing the current shard" in said
    assert "type the same command again, and it goes on" in said
    assert len(list(out.glob("index/*"))) == 3, "the third shard was finished"
    assert cli("extract", "--data", data, "--shard-items", 4, "--out", out).code == 0
    assert len(FeatureStore.open(out, check="checksums")) == 20


def test_the_lock_of_a_killed_run_holds_nobody_up(cli, begin: Begin, tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out"
    with begin(out, data, 600) as process:
        assert process.readline() == "now\n"
        process.send_signal(signal.SIGKILL)
    assert cli("extract", "--data", data, "--shard-items", 4, "--out", out).code == 0


def test_a_disk_that_takes_no_more(cli, begin: Begin, tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out"
    assert cli("extract", "--data", data, "--shard-items", 4, "--out", out).code == 0
    whole = FeatureStore.open(out).content_hash
    for path in out.glob("*/00000[34]*"):
        path.unlink()
    sizes = max(path.stat().st_size for path in out.glob("shards/*"))

    # Files beyond half a shard cannot be written, as on a disk without room.
    limited = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({sizes // 2}, {sizes // 2}))\n"
    with begin(out, data, 0, limited) as process:
        _, said = process.communicate()
    assert process.returncode == 2, said
    assert "could not be written (File too large)" in said
    assert not list(out.glob("**/.aside-*"))
    assert len(list(out.glob("index/*"))) == 3
    assert cli("extract", "--data", data, "--shard-items", 4, "--out", out).code == 0
    assert FeatureStore.open(out, check="checksums").content_hash == whole


def test_a_damaged_shard_is_made_up_for(cli, tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out"
    args = ("extract", "--data", data, "--shard-items", 4, "--out", out)
    assert cli(*args).code == 0
    whole = FeatureStore.open(out).content_hash
    shard = out / "shards" / "000002.safetensors"
    raw = bytearray(shard.read_bytes())
    raw[-1] ^= 1
    shard.write_bytes(raw)
    fitted = cli("score", "--judge", out, "--features", out, "--out", tmp_path / "v.jsonl")
    assert fitted.code == 2
    again = cli(*args)
    assert again.code == 0
    assert "going on (" in again.err
    assert "shards_done=4 shards=5" in again.err
    assert FeatureStore.open(out, check="checksums").content_hash == whole
