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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from innerjudge.extraction.store import FeatureStore
from innerjudge.extraction.store.place import place
from innerjudge.models.errors import InnerjudgeError

pytest.importorskip("ray", reason="the extra 'ray' is not installed")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The processes that are compared sum in one order, which follows the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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


def run(*args: object, launcher: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *launcher, "-m", "innerjudge.experiments.cli.main", *map(str, args)]
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


@pytest.mark.slow
def test_two_processes_that_torchrun_starts(cli, tmp_path: Path, data: Path) -> None:
    args = ("extract", "--data", data, "--shard-items", 16, "--out")
    assert cli(*args, tmp_path / "one").code == 0
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ended = run(*args, tmp_path / "two", launcher=torchrun)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == f"240 items are in {tmp_path / 'two'}."
    one, two = (FeatureStore.open(tmp_path / name, check="checksums") for name in ("one", "two"))
    assert list(two.ids()) == [f"r{k}" for k in range(240)]
    assert one.content_hash == two.content_hash


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
    command = [
        sys.executable,
        "-m",
        "innerjudge.experiments.cli.main",
        *args,
        f"{bucket}/run",
        "--ray",
        "--workers",
        "2",
    ]
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


@pytest.mark.slow
def test_ray_on_items_that_no_file_holds(cli, tmp_path: Path) -> None:
    """Both in one process, since most of the time goes into starting one."""
    short = ("--limit", 4, "--candidates", 2, "--shard-items", 2, "--out")
    kinds = {"builtin:solve": ("",), "builtin:choose": ("", "permuted")}
    for data in kinds:
        assert cli("extract", "--data", data, *short, tmp_path / data / "one").code == 0
    commands = [
        ["innerjudge", "extract", "--data", d, *map(str, short), str(tmp_path / d / "two"), "--ray"] for d in kinds
    ]
    code = (
        "import sys\nfrom innerjudge.experiments.cli.main import main\n"
        f"for sys.argv in {commands!r}:\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert not end.code\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    for data, stores in kinds.items():
        for inner in stores:
            one, two = (FeatureStore.open(tmp_path / data / n / inner, check="checksums") for n in ("one", "two"))
            assert one.content_hash == two.content_hash
        files = [tmp_path / data / name / "items.jsonl" for name in ("one", "two")]
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.slow
def test_two_workers_share_a_gpu(tmp_path: Path) -> None:
    """Ray counts what it is told that a machine has: this one need not have a GPU."""
    import ray
    from innerjudge.experiments.runs.extracting.cluster import Cluster, pipeline

    class Telling:
        def __init__(self, word: str) -> None:
            self.word = word

        def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
            held = ray.get_runtime_context().get_assigned_resources()
            return {"said": [self.word], "gpus": [held["GPU"]], "lines": [bytes(batch["lines"][0])]}

    (tmp_path / "items.jsonl").write_bytes(b"one\ntwo\n")
    tasks = [{"inner": "", "number": 0, "first": 0, "last": 4}, {"inner": "", "number": 1, "first": 4, "last": 8}]
    ray.init(num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    try:
        import ray.data

        rows = pipeline(ray, tasks, str(tmp_path), Telling, ["hi"], Cluster(workers=2, gpus=0.5)).take_all()
    finally:
        ray.shutdown()
    assert sorted(row["lines"] for row in rows) == [b"one\n", b"two\n"]
    assert [(row["said"], row["gpus"]) for row in rows] == [("hi", 0.5)] * 2


def test_a_piece_of_a_file_in_a_bucket(bucket: str) -> None:
    at = place(f"{bucket}/x")
    at.write("a.jsonl", [b"0123", b"456789"])
    for start, stop in ((0, 4), (3, 7), (8, 99), (10, 12), (20, 22)):
        assert at.range("a.jsonl", start, stop) == b"0123456789"[start:stop]


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


def test_a_store_on_google_cloud_storage(cli, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason="gcp-storage-emulator is not installed")
    server = emulator.create_server("127.0.0.1", 0, in_memory=True, default_bucket="features")
    server.start()
    monkeypatch.setenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", f"http://127.0.0.1:{server._api._httpd.server_address[1]}")
    try:
        out = "gs://anonymous@features/a"
        args = ("extract", "--data", data, "--limit", 20, "--shard-items", 8, "--out")
        assert cli(*args, out).code == 0
        assert cli(*args, tmp_path / "a").code == 0
        whole = FeatureStore.open(tmp_path / "a").content_hash
        assert FeatureStore.open(out, check="checksums").content_hash == whole
        place(out).remove("shards/000001.safetensors")
        again = cli(*args, out)
        assert "shards_done=2 shards=3" in again.err
        assert FeatureStore.open(out, check="checksums").content_hash == whole
    finally:
        server.stop()


def test_a_file_system_of_fsspec(cli, data: Path) -> None:
    assert cli("extract", "--data", data, "--limit", 4, "--out", "memory://here/a").code == 0
    assert len(FeatureStore.open("memory://here/a", check="checksums")) == 4
    refused = cli("extract", "--data", data, "--out", "nowhere://x")
    assert refused.code == 2
    assert "which no file system answers to" in refused.err


def test_ray_refusals(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    absent = cli("extract", "--data", "builtin:rate", "--ray", "--out", tmp_path / "a")
    assert absent.code == 2
    assert "pip install 'innerjudge[ray]'" in absent.err
    assert not (tmp_path / "a").exists()
