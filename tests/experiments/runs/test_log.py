"""What a night's run says: lines with the time, JSON on request, and a summary of what was done and what was not."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from innerjudge.experiments.runs.log import Lines
from innerjudge.extraction.store import FeatureStore


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "t.jsonl"
    rows = [
        {
            "question_id": f"q{k // 2}",
            "candidate_id": f"{k % 2}",
            "prompt": "1+1?",
            "response": "<think>1+1=2</think>2" if k % 4 else "no markers",
            "correct": bool(k % 2),
        }
        for k in range(12)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_plain_lines_and_the_summary(cli, tmp_path: Path, data: Path) -> None:
    said = cli("extract", "--data", data, "--store-dtype", "int8", "--out", tmp_path / "f")
    assert said.code == 0
    lines = said.err.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in lines)
    assert any("reading traces (of=12)" in line for line in lines)
    assert any(re.search(r"12 items and [\d,]+ tokens in .* items/s$", line) for line in lines)
    assert any("stored as int8: relative error 0.0" in line for line in lines)
    assert any("3 of 12 items without hidden/reasoning_end: no </think> in the response" in line for line in lines)


def test_json_on_request(cli, tmp_path: Path, data: Path) -> None:
    said = cli("extract", "--data", data, "--log", "json", "--out", tmp_path / "f")
    rows = [json.loads(line) for line in said.err.splitlines()]
    assert all({"time", "level", "event"} <= row.keys() for row in rows)
    assert any({"event": "reading traces", "done": 12, "of": 12}.items() <= row.items() for row in rows)


def test_progress_is_said_now_and_then(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with caplog.at_level("INFO", logger="innerjudge"):
        advance = Lines().begin("reading", 100)
        for _ in range(10):
            now[0] += 10
            advance(10)
    # at the begin; after 30, 60 and 90 seconds; at the end, after 100
    assert [getattr(record, "done", 0) for record in caplog.records] == [0, 30, 60, 90, 100]
    assert caplog.records[1].seconds_left == 70  # 30 items in 30 seconds: 70 more


def test_a_step_that_does_not_get_on_is_told_of(monkeypatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("innerjudge.experiments.runs.log.EVERY", 0.0)
    with caplog.at_level("INFO", logger="innerjudge"):
        lines = Lines("here")
        with lines.beating():
            advance = lines.begin("writing", 2)
            _wait(lambda: len(caplog.records) > 1)
            advance(2)
            _wait(lambda: caplog.records[-1].getMessage() == "computing, after writing")
    first, second, *_ = caplog.records
    assert (first.of, first.kept, second.done, second.of) == (2, "here", 0, 2)


def _wait(until: Callable[[], bool]) -> None:
    for _ in range(200):
        if until():
            return
        time.sleep(0.05)
    raise AssertionError("nothing was said")


def test_plan(cli, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = cli("plan", "--data", data, "--out", tmp_path / "f")
    assert said.code == 0, said.err
    assert "items: 12 (measured on 12)" in said.out
    assert "about 25% without hidden/reasoning_end: no </think> in the response" in said.out
    assert not (tmp_path / "f").exists()
    assert cli("extract", "--data", data, "--store-dtype", "bfloat16", "--out", tmp_path / "f").code == 0
    held = sum(entry.size for entry in FeatureStore.open(tmp_path / "f").entries.values())
    planned = float(re.search(r"│ all +│ [^│]+│ ([\d.]+) kB", said.out)[1])  # type: ignore[index]
    assert planned * 1000 == pytest.approx(held, rel=0.05)
    assert re.search(r"free on disk: .+ of .+", said.out)
    assert re.search(r"room for [\d.]+ kB as float32: yes\n", said.out)
    need = float(re.search(r"│ all +│ ([\d.]+) kB", said.out)[1])  # type: ignore[index]
    for free, expected in ((need + 1, "yes, but it leaves too little: `extract` will ask"), (1, "no")):
        usage = SimpleNamespace(free=int(1000 * free), total=10**9)
        monkeypatch.setattr("shutil.disk_usage", lambda _path, usage=usage: usage)
        close = cli("plan", "--data", data, "--out", tmp_path / "g")
        assert f"as float32: {expected}" in close.out
        assert close.code == (2 if expected == "no" else 0)
    assert re.search(r"about [\d.]+ kB are to be written and 1\.0 kB of 1\.0 GB are free", close.err)


def test_one_of_a_thing_is_said_as_one(cli, tmp_path: Path, data: Path) -> None:
    said = cli("extract", "--data", data, "--limit", 1, "--out", tmp_path / "a")
    assert said.out.strip() == f"1 item is in {tmp_path / 'a'}."
    again = cli("extract", "--data", data, "--limit", 1, "--out", tmp_path / "a")
    assert again.out.strip() == f"{tmp_path / 'a'} is complete already: 1 item."
    assert "1 item in 1 shard, all as they were written" in cli("store", "verify", tmp_path / "a").out
    (tmp_path / "a" / "shards" / "000000.safetensors").unlink()
    assert "with 1 file missing or damaged" in cli("store", "verify", tmp_path / "a").err


def test_a_share_of_a_gpu_is_for_ray(cli, tmp_path: Path, data: Path) -> None:
    said = cli("extract", "--data", data, "--out", tmp_path / "f", "--gpus-per-worker", 0.5)
    assert said.code == 2
    assert "given --gpus-per-worker 0.5 without --ray" in said.err
    assert not (tmp_path / "f").exists()


def test_store_commands(cli, tmp_path: Path, data: Path) -> None:
    for seed, name in enumerate("ab"):
        rows = [
            json.loads(line) | {"question_id": f"{name}{k}"} for k, line in enumerate(data.read_text().splitlines())
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert cli("extract", "--data", tmp_path / f"{name}.jsonl", "--out", tmp_path / name, "--seed", seed).code == 0
    assert cli("extract", "--data", data, "--read", "qk/step_end.after[prompt]", "--out", tmp_path / "qk").code == 0
    assert "qk/step_end.after[prompt]  " in cli("store", "info", tmp_path / "qk").out
    assert "12 items without" not in cli("store", "info", tmp_path / "a").out
    assert "3 items without hidden/reasoning_end" in cli("store", "info", tmp_path / "a").out
    assert "all as they were written" in cli("store", "verify", tmp_path / "a").out
    merged = cli("store", "merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "ab")
    assert (merged.code, merged.out.strip()) == (0, f"24 items are in {tmp_path / 'ab'}.")
    assert cli("fit", "--features", tmp_path / "ab", "--judge", "clue", "--out", tmp_path / "judge").code == 0
    assert cli("store", "merge", tmp_path / "a", tmp_path / "a", "--out", tmp_path / "aa").code == 2
    assert cli("store", "export", tmp_path / "ab", "--out", tmp_path / "x.npz").code == 0
    shard = tmp_path / "a" / "shards" / "000000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    for command in ("info", "verify"):
        broken = cli("store", command, tmp_path / "a")
        assert broken.code == 2
        assert "shards/000000.safetensors" in broken.err
    assert cli("store", "info", tmp_path / "nothing").code == 2
