"""The benchmark of large runs measures what it says, and writes down what it measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from innerjudge.experiments.bench.large_runs.document import load_sections, write_all
from innerjudge.experiments.bench.large_runs.extracting import extracting
from innerjudge.experiments.bench.large_runs.line import Line, in_turn
from innerjudge.experiments.bench.large_runs.memory import memory
from innerjudge.experiments.bench.large_runs.reading import reading
from innerjudge.models.errors import InnerjudgeError


def test_the_order_changes_and_the_ratio_is_of_the_second_by_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = [0.0], []

    def act(name: str, seconds: float):
        def run(_k: int) -> None:
            calls.append(name)
            clock[0] += seconds

        return run

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    ratio, one, two = in_turn(act("a", 2.0), act("b", 3.0), 3, lambda: calls.append("-"))
    assert "".join(calls) == "-a-b-b-a-a-b"
    assert (ratio.median, one, two) == (1.5, 2.0, 3.0)  # 3 / 2


def test_reading_and_extracting_at_a_small_size(tmp_path: Path) -> None:
    lines = list(reading(tmp_path, 0.01, 1000, 1))
    assert [line.asked for line in lines] == ["", "", "at least 0.8", "at least 0.8"]
    assert "1,000 items, 0.01 GB (fp32, 26 layers of width 96)" in lines[0].measured  # 0.01e9 / 1000 / 26 / 4 = 96.2
    (line,) = extracting(tmp_path, 1, n_items=64)
    assert "64 traces" in line.what
    assert not list(tmp_path.iterdir())


def test_memory_of_a_job_that_cannot_be_done_is_no_figure(tmp_path: Path) -> None:
    (tmp_path / "m10").write_text("no folder")
    with pytest.raises(RuntimeError, match="ended with 1"):
        next(memory(tmp_path, 1000))


def test_the_document_and_its_plot(tmp_path: Path) -> None:
    points = ((1000, 300.0), (100_000, 310.0))
    flat = Line("peak memory of `x`", "300 MB", "flat", False, points)
    about = {"command": "c --items 5", "versions": "torch 2"}
    table = write_all(tmp_path, {"a": about | {"lines": [Line("what", "1")]}, "b": about | {"lines": [flat]}})
    assert table.splitlines()[2:4] == ["| what | 1 |  |", "| peak memory of `x` | 300 MB | flat: not met |"]
    assert table.count("`c --items 5` (torch 2)") == 1
    assert "memory.svg" in (tmp_path / "large_runs.md").read_text()
    assert "<svg" in (tmp_path / "memory.svg").read_text()
    assert load_sections(tmp_path / "large_runs.json")["b"]["lines"] == [flat]
    (tmp_path / "large_runs.json").write_text(json.dumps({"a": {"lines": [{"odd": 1}]}}))
    with pytest.raises(InnerjudgeError, match="expected what this benchmark wrote"):
        load_sections(tmp_path / "large_runs.json")
