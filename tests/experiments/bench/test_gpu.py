"""The suite of a GPU runs whole on the processor with tiny shapes; what fails or takes too long is a row, and said."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from innerjudge.experiments.bench.gpu import __main__ as child, document, engine, held, passes, suite
from innerjudge.experiments.bench.gpu.parts import PARTS, SECONDS, Part, Row, Sizes
from innerjudge.experiments.reading.progress import silent
from innerjudge.extraction import HiddenStates, LabelLogits
from innerjudge.models.errors import InnerjudgeError

TINY = Sizes("cpu", True)


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Row]]:
    """What the kinds of parts that time something give, in this process; 8B is as tiny as 7B."""
    pytest.importorskip("nnsight")
    keys = ("passes-7b-sdpa", "passes-8b-flash", "lens-7b", "grid")
    return {key: list(child.measure(key, TINY)) for key in keys}


def test_it_takes_ten_minutes_at_most_and_has_all_that_is_asked() -> None:
    assert SECONDS == sum(part.seconds for part in PARTS) == 600
    assert len({part.key for part in PARTS}) == len(PARTS)
    real = Sizes("cuda", False)
    assert real.lengths == ((4, 1024), (1, 8192))
    assert real.prompts == (64, 8192)
    assert (real.grid[1][0], real.grid[1][-1]) == (16, 512)
    assert (real.shape("8b"), real.dtype, TINY.shape("8b"), TINY.dtype) == ("8b", "bfloat16", "tiny", "float32")


@pytest.mark.parametrize("key", ["passes-7b-sdpa", "lens-7b", "grid"])
def test_every_way_runs_with_tiny_shapes(rows: dict[str, list[Row]], key: str) -> None:
    found = rows[key]
    assert all(value > 0 for row in found for value in row.figures.values())
    assert [row for row in found if row.reason] == []
    if key.startswith("passes"):
        assert len(found) == 2 * (1 + 10 + 4)  # two lengths: the bare pass, ours, and four of other libraries
        assert sum("nnsight" in row.what for row in found) == 2


def test_a_kernel_and_an_engine_that_are_not_there_are_rows(
    rows: dict[str, list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    [flash] = rows["passes-8b-flash"]
    assert flash.what == "attention by flash_attention_2"
    assert "flash" in flash.reason.lower()
    monkeypatch.setattr(engine, "find_spec", lambda _name: None)
    [vllm] = child.measure("vllm", TINY)
    assert vllm.reason == "vllm is not installed"


def test_a_way_without_room_is_a_row_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_work: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 128.00 GiB")

    monkeypatch.setattr(passes, "_OWN", (replace(passes.OURS, prepare=full), passes.BASE_MODEL))
    monkeypatch.setattr(passes, "NNSIGHT", replace(passes.NNSIGHT, package="no_such_package"))
    found = list(passes.passes("7b", "sdpa", TINY))
    assert [row.reason for row in found[:6]] == [
        "",
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 128.00 GiB",
        "",
        "",
        "",
        "no_such_package is not installed",
    ]


def test_a_text_that_was_not_read_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A readout that no text has takes no time, which would look like a fast one."""
    there = passes.in_steps

    def without_end(items: Any) -> Any:
        return tuple(replace(one, missing={"reasoning_end": "no end"}, positions={
            role: at for role, at in one.positions.items() if role != "reasoning_end"
        }) for one in there(items))  # fmt: skip

    monkeypatch.setattr(passes, "in_steps", without_end)
    monkeypatch.setattr(
        passes, "_OWN", (replace(passes.OURS, prepare=passes.reading([HiddenStates("reasoning_end"), LabelLogits()])),)
    )
    monkeypatch.setattr(passes, "FLOOR", replace(passes.FLOOR, prepare=lambda _work: lambda: None))
    ours = list(passes.passes("7b", "sdpa", TINY))[1]
    assert (ours.figures, ours.reason) == ({}, "a text was not read: no end")


def test_tests_are_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "test_three.py"
    path.write_text(
        "import os, pytest\n"
        "def test_good(record_property):\n    record_property('difference', 0.5)\n"
        "def test_bad():\n    assert os.environ['INNERJUDGE_DTYPE'] == 'float64'\n"
        "def test_absent():\n    pytest.skip('no card')\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(held, "_TESTS", path)
    monkeypatch.setattr(held, "_ROOT", tmp_path)
    monkeypatch.setenv("INNERJUDGE_DEVICE", "cpu")
    monkeypatch.setenv("INNERJUDGE_DTYPE", "float32")
    good, bad, absent = held.held("float16", TINY)
    assert good == Row(what="test_good", figures={"difference": 0.5})
    assert bad.reason.startswith("FAILED: AssertionError: assert 'float16' == 'float64'")
    assert absent.reason == "skipped: no card"


def part(key: str, seconds: float) -> Part:
    return Part(key=key, title=key.title(), about="", seconds=seconds)


#: What a part's process does, as Python: without torch, so that it starts at once.
WORKS = {
    "good": "say('one', {'tokens/s': 12345.6})",
    "fails": "say('one', {'ms': 2.0}); raise RuntimeError('no kernel | here')",
    "hangs": "say('before', {'ms': 1.0}); time.sleep(60)",
    "silent": "pass",
}


def run(parts: list[Part], limit: float) -> tuple[suite.Found, list[suite.Found]]:
    kept: list[suite.Found] = []

    def start(one: Part, path: Path, _sizes: Sizes) -> list[str]:
        line = "json.dumps({'what': what, 'figures': figures, 'reason': ''})"
        say = f"say = lambda what, figures: open({str(path)!r}, 'a').write({line} + chr(10))"
        return [sys.executable, "-Ic", f"import json, time; {say}; {WORKS[one.key]}"]

    return suite.run_suite(parts, TINY, silent, kept.append, command="bench", limit=limit, start=start), kept


def test_what_fails_is_said_and_the_rest_runs(tmp_path: Path) -> None:
    found, kept = run([part(key, 60) for key in ("fails", "silent", "good")], 1000)
    fails, silent_one, good = found.parts
    assert fails.reason == "ended with 1: RuntimeError: no kernel | here"
    assert [row.what for row in fails.rows] == ["one"]
    assert silent_one.reason == "ended without a row"
    assert (good.reason, good.rows) == ("", (Row(what="one", figures={"tokens/s": 12345.6}),))
    assert kept[-1] == found
    assert [ran.part.key for ran in kept[0].parts] == ["fails"]  # kept from the first part on
    document.write(found, tmp_path)
    assert json.loads((tmp_path / "gpu.json").read_text("utf-8")) == json.loads(json.dumps(asdict(found)))
    page = (tmp_path / "gpu.md").read_text("utf-8")
    assert "| one | 12,346 |  |" in page
    assert "It ended with 1: RuntimeError: no kernel \\| here." in page
    assert "says nothing about cost" in page
    assert "torch 2" in page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gpu.json", "gpu.md"]


@pytest.mark.parametrize(
    ("key", "ran", "failed"),
    [
        ("tests-float32", {"rows": (Row(what="a"), Row(what="b", reason="skipped: no card"))}, False),
        ("tests-float32", {"rows": (Row(what="a", reason="FAILED: AssertionError"),)}, True),
        ("tests-float32", {"rows": (Row(what="a"),), "reason": "stopped after 50 s"}, True),
        ("vllm", {"reason": "ended with 1: no room"}, False),
    ],
)
def test_a_failed_test_is_an_exit_code(key: str, ran: dict[str, Any], failed: bool) -> None:
    ran_part = suite.Ran(part=part(key, 1.0), **ran)
    found = suite.Found(command="", sizes=TINY, machine={}, versions={}, limit=1.0, parts=(ran_part,))
    assert found.failed is failed


def test_a_part_over_its_limit_is_stopped_and_keeps_its_rows() -> None:
    found, kept = run([part("hangs", 3), part("good", 60)], 1000)
    hangs, good = found.parts
    assert hangs.reason == f"stopped after {hangs.seconds:.0f} s, the most that it may take"
    assert 2 < hangs.seconds < 30  # of three from the start of the run
    assert [row.what for row in hangs.rows] == ["before"]
    assert kept[0].parts[0].reason == "still running"  # its row was kept before it ended
    assert good.reason == ""


def test_nothing_runs_beyond_the_limit_of_the_whole() -> None:
    found, _ = run([part("hangs", 600), part("good", 600)], 1)
    assert found.parts[0].reason.startswith("stopped after ")
    assert found.parts[1].reason == "not run: the limit of 1 s was reached"


def test_the_command(cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One real part in its own process, by the command."""
    said = cli("bench", "--suite", "gpu", "--device", "cpu", "--only", "passes-8b-flash", "--out", tmp_path / "gpu")
    assert said.code == 0, said.err
    found = json.loads((tmp_path / "gpu" / "gpu.json").read_text("utf-8"))
    assert found["sizes"] == {"device": "cpu", "tiny": True}
    assert found["command"].startswith("innerjudge bench --suite gpu")
    assert [one["part"]["key"] for one in found["parts"]] == ["passes-8b-flash"]
    assert "flash" in found["parts"][0]["rows"][0]["reason"].lower()
    assert "The tables are in" in said.out
    refused = cli("bench", "--suite", "gpu", "--device", "cpu", "--only", "passes", "--out", tmp_path / "x")
    assert refused.code == 2
    assert "given --only passes, expected some of tests-float32" in refused.err
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for typed in ((), ("--quick",), ("--device", "cuda:0")):
        refused = cli("bench", "--suite", "gpu", *typed, "--out", tmp_path / "x")
        assert refused.code == 2
        [line] = refused.refusal
        assert "expected a CUDA card that PyTorch sees" in line
    assert not (tmp_path / "x").exists()


def test_a_card_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    suite.require_card("cpu")
    with pytest.raises(InnerjudgeError, match="given --suite gpu on cuda:1"):
        suite.require_card("cuda:1")
