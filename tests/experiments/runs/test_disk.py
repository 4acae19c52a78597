"""A disk that a store would fill: asked about on a terminal, refused elsewhere, filled where that was said."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from innerjudge.experiments.reading.passes import HIDDEN_NEEDS, Passes
from innerjudge.experiments.runs.extracting.summary import bytes_to_come, disk_of
from innerjudge.experiments.runs.job import Job, read_job
from innerjudge.extraction.store import FeatureStore
from innerjudge.extraction.store.place import place
from innerjudge.models.loading import LanguageModel


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "r.jsonl"
    rows = [{"item_id": f"r{k}", "prompt": "Say hi.", "response": "hi " * k} for k in range(12)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Sets what is free, and how large the disk is."""

    def setting(free: int, total: int) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=free, total=total))

    return setting


def size_of(folder: Path) -> int:
    return sum(entry.size for entry in FeatureStore.open(folder).entries.values())


def test_without_a_terminal_it_refuses_and_leaves_nothing(
    cli, tmp_path: Path, data: Path, disk: Callable[[int, int], None]
) -> None:
    args = ("extract", "--data", data, "--shard-items", 4, "--out")
    assert cli(*args, tmp_path / "a").code == 0
    size = size_of(tmp_path / "a")
    # A shard has a header of less than 2 kB beside its numbers: 3 of them bound the estimate from both sides.
    disk(size - 6000, 10 * size)
    refused = cli(*args, tmp_path / "b")
    assert refused.code == 2
    assert "are to be written and" in refused.err
    assert "expected room for it and 5% of the disk to spare" in refused.err
    assert not (tmp_path / "b").exists()
    disk(size + size // 2 - 6000, 10 * size)  # fits, but leaves less than half of its size: 5 % of ten times that
    assert cli(*args, tmp_path / "b").code == 2
    disk(size + size // 2, 10 * size)
    assert cli(*args, tmp_path / "b").code == 0
    disk(1, 10 * size)
    assert cli(*args, tmp_path / "c", "--yes").code == 0


@pytest.mark.parametrize("answer", [True, False])
def test_on_a_terminal_it_asks(
    cli, tmp_path: Path, data: Path, disk: Callable[[int, int], None], monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("rich.prompt.Confirm.ask", lambda text, **_: asked.append(text) or answer)
    disk(1000, 10**9)
    said = cli("extract", "--data", data, "--out", tmp_path / "a")
    assert len(asked) == 1
    assert "1.0 kB of 1.0 GB are free" in asked[0]
    assert said.code == (0 if answer else 130)
    assert (tmp_path / "a").exists() == answer


def test_what_is_to_come_is_what_comes(cli, tmp_path: Path, data: Path, reference: LanguageModel) -> None:
    args = ("extract", "--data", data, "--shard-items", 4, "--store-dtype", "int8", "--out")
    assert cli(*args, tmp_path / "a").code == 0
    size = size_of(tmp_path / "a")
    at = place(tmp_path / "a")
    job = Job.begun(at, read_job(str(at)))
    passes = Passes(needs=HIDDEN_NEEDS, reasoning_tokens=0)
    # One shard is there: two more of its size, which is 4 of 12 items. The states are of one size, whatever the text.
    shard = job.store("")
    shard.missing()
    one = shard.entries[0].size
    for number in (1, 2):
        (tmp_path / "a" / "shards" / f"00000{number}.safetensors").unlink()
    assert bytes_to_come(reference, job, {"": [1, 2]}, passes) == 2 * one
    (tmp_path / "a" / "shards" / "000000.safetensors").unlink()
    assert bytes_to_come(reference, job, {"": [0, 1, 2]}, passes) == pytest.approx(size, abs=6000)
    assert bytes_to_come(reference, job, {"": []}, passes) == 0


def test_nobody_knows_how_much_an_object_store_takes(tmp_path: Path) -> None:
    assert disk_of("s3://bucket/x") is None
    found = disk_of(str(tmp_path / "not" / "there"))
    assert found is not None
    assert 0 < found.free <= found.total
