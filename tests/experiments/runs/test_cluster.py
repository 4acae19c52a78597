"""One machine's processes and a Ray cluster write the store that one process writes, also onto S3 and with a worker
killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from innerjudge.extraction.store import FeatureStore
from innerjudge.extraction.store.place import place
from innerjudge.models.errors import InnerjudgeError

pytest.importorskip("ray", reason="the extra 'ray' is not installed")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "r.jsonl"
    rows = [{"item_id": f"r{k}", "prompt": "Say hi.", "response": "hi " * (1 + k % 9)} for k in range(240)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of a server on this machine that speaks S3."""
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    from pyarrow import fs

    server = moto.ThreadedMotoServer(port=0)
    server.start()
    _, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    here = {"endpoint_override": f"127.0.0.1:{port}", "scheme": "http", "region": "us-east-1"}
    fs.S3FileSystem(**here, allow_bucket_creation=True).create_dir("features")
    yield "s3://features"
    server.stop()


def run(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "innerjudge.experiments.cli", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def test_two_processes(cli, tmp_path: Path, data: Path) -> None:
    args = ("extract", "--data", data, "--shard-items", 16, "--out")
    assert cli(*args, tmp_path / "one").code == 0
    ended = run(*args, tmp_path / "two", "--workers", 2)
    assert ended.returncode == 0, ended.stderr
    assert "240 items and" in ended.stderr
    one, two = (FeatureStore.open(tmp_path / name, check="checksums") for name in ("one", "two"))
    assert one.content_hash == two.content_hash
    wrong = run("extract", "--data", "builtin:sing", "--workers", 2, "--out", tmp_path / "three")
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr


def kill_a_worker(process: subprocess.Popen[str], killed: list[int]) -> None:
    """Kill one actor of the pool as soon as it works."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None and not killed:
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                if "MapWorker" in " ".join(child.cmdline()) and "Reader" in " ".join(child.cmdline()):
                    child.kill()
                    killed.append(child.pid)
                    return
            except psutil.Error:
                continue
        time.sleep(0.05)


@pytest.mark.slow
def test_ray_writes_to_s3_what_one_process_writes_though_a_worker_is_killed(
    cli, tmp_path: Path, data: Path, bucket: str
) -> None:
    args = ["extract", "--data", str(data), "--shard-items", "8", "--out"]
    assert cli(*args, tmp_path / "one").code == 0
    command = [sys.executable, "-m", "innerjudge.experiments.cli", *args, f"{bucket}/run", "--ray", "--workers", "2"]
    killed: list[int] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as process:
        killer = threading.Thread(target=kill_a_worker, args=(process, killed))
        killer.start()
        _, said = process.communicate()
        killer.join()
    assert process.returncode == 0, said[-3000:]
    assert killed, "no worker was killed"
    one, two = FeatureStore.open(tmp_path / "one"), FeatureStore.open(f"{bucket}/run", check="checksums")
    assert one.content_hash == two.content_hash
    assert list(one.ids()) == list(two.ids())
    again = cli(*args, f"{bucket}/run", "--log", "json")
    assert (again.code, again.out.strip()) == (0, f"{bucket}/run is complete already: 240 items.")
    fit = cli("fit", "--features", f"{bucket}/run", "--judge", "e-score", "--out", tmp_path / "judge")
    assert fit.code == 0, fit.err


def test_a_store_on_s3(cli, tmp_path: Path, data: Path, bucket: str) -> None:
    args = ("extract", "--data", data, "--limit", 20, "--shard-items", 8, "--out")
    assert cli(*args, f"{bucket}/a").code == 0
    assert cli(*args, tmp_path / "a").code == 0
    remote = FeatureStore.open(f"{bucket}/a", check="checksums")
    whole = remote.content_hash
    assert whole == FeatureStore.open(tmp_path / "a").content_hash
    here = place(f"{bucket}/a")
    raw = here.read("shards/000001.safetensors", 1 << 20)
    here.write("shards/000001.safetensors", [raw[:-1], bytes([raw[-1] ^ 1])])
    with pytest.raises(InnerjudgeError, match=r"1 of 3 shards missing or damaged .*000001\.safetensors"):
        FeatureStore.open(f"{bucket}/a", check="checksums")
    again = cli(*args, f"{bucket}/a")
    assert again.code == 0
    assert "shards_done=2 shards=3" in again.err
    assert FeatureStore.open(f"{bucket}/a", check="checksums").content_hash == whole
    for name in ("../x", "x//y"):
        with pytest.raises(InnerjudgeError, match="inside its folder"):
            here.write(name, [b""])


def test_a_file_system_of_fsspec(cli, data: Path) -> None:
    assert cli("extract", "--data", data, "--limit", 4, "--out", "memory://here/a").code == 0
    assert len(FeatureStore.open("memory://here/a", check="checksums")) == 4
    refused = cli("extract", "--data", data, "--out", "nowhere://x")
    assert refused.code == 2
    assert "which no file system answers to" in refused.err


def test_ray_refusals(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampled = cli("extract", "--data", "builtin:solve", "--limit", 2, "--ray", "--out", tmp_path / "a")
    assert sampled.code == 2
    assert "sampled first" in sampled.err
    monkeypatch.setitem(sys.modules, "ray", None)
    absent = cli("extract", "--data", "builtin:rate", "--ray", "--out", tmp_path / "a")
    assert absent.code == 2
    assert "pip install 'innerjudge[ray]'" in absent.err
    assert not (tmp_path / "a").exists()
