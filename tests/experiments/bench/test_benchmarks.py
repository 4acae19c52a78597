"""The benchmark runs, compares in turn, says what was not run, and its variants read the same."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.experiments.bench.documents.sections import EVERYTHING, FILTERED, ITEMS, NNSIGHT, SECTIONS
from innerjudge.experiments.bench.documents.speed import BEGIN, END, speed_section, update
from innerjudge.experiments.bench.passes import run as running
from innerjudge.experiments.bench.passes.run import Benchmark, Options, markdown, run_section, write
from innerjudge.experiments.bench.passes.section import (
    CORE,
    Section,
    Spread,
    Times,
    Variant,
    Work,
    peak_of,
    random_model,
    texts,
    timed,
)
from innerjudge.experiments.bench.passes.variants import BASE_MODEL, CAUSAL_LM, EAGER
from innerjudge.experiments.reading.progress import silent
from innerjudge.extraction import extract
from innerjudge.models.errors import InnerjudgeError

QUICK = Options(shape="tiny", rounds=2, quick=True)


@pytest.fixture(scope="module")
def work() -> Work:
    lm = random_model("tiny", device="cpu", dtype="float32")
    return Work(lm, texts(lm, [24, 31, 24]), "tiny", "float32")


@pytest.mark.parametrize(
    "variant", [BASE_MODEL, CAUSAL_LM, EAGER, NNSIGHT, FILTERED, EVERYTHING], ids=lambda v: v.name.split(":")[0]
)
def test_peers_read_the_same_states(variant: Variant, work: Work) -> None:
    if not variant.installed:
        pytest.skip(f"{variant.package} is not installed")
    ours = extract(work.lm, work.items, CORE)
    (kept,) = variant.prepare(work)()  # type: ignore[misc]
    for k, role in enumerate(("reasoning_start", "reasoning_end")):
        states = ours[f"hidden/{role}"]
        if variant in (BASE_MODEL, CAUSAL_LM, EAGER):  # h[0..L-1] and the normed one
            theirs = (kept[0] if variant is EAGER else kept)[:, :, k]
            rows = [0, 1, 2, 3, 5]
        elif variant is NNSIGHT:
            theirs, rows = torch.stack([layer[2][:, k] for layer in kept], dim=1), [1, 2, 3, 4]
        else:
            theirs, rows = kept[:, :, k], [1, 2, 3, 4]
        np.testing.assert_allclose(theirs.numpy(), states[:, rows], atol=1e-4)
    if variant is EAGER:
        ends = [item.positions["option_end"] for item in work.items]
        for n, end in enumerate(ends):
            np.testing.assert_allclose(kept[1][n, :, :, list(end)].numpy(), ours["attention"][n], atol=1e-4)


def test_the_command_writes_its_tables(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def fake(run: Callable[[], object], device: torch.device) -> float:
        asked.append(1e6 * (len(asked) + 1))
        return asked[-1]

    monkeypatch.setattr(running, "peak_of", fake)
    only = [arg for key in ("early-stop", "candidates", "lengths", "tokens", "items") for arg in ("--only", key)]
    said = cli("bench", "--quick", "--shape", "tiny", "--rounds", 2, "--out", tmp_path, *only)
    assert said.code == 0, said.err
    found = json.loads((tmp_path / "benchmark.json").read_text("utf-8"))
    assert [table["key"] for table in found["tables"]] == ["early-stop", "candidates", "lengths", "tokens", "items"]
    assert found["command"].startswith("innerjudge bench --quick")
    for table in found["tables"]:
        for line in table["lines"]:
            assert not line["reason"], line
            assert 0 < line["cpu"]["low"] <= line["cpu"]["median"] <= line["cpu"]["high"]
            assert line["expected"] is None  # a quick run shows nothing of cost
            if line["name"] == line["against"]:
                assert line["cpu"] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert len(asked) == 3  # of the texts' numbers alone
    assert [line["memory"] for line in found["tables"][-1]["lines"]] == [1.0, 2.0, 3.0]
    text = (tmp_path / "benchmark.md").read_text("utf-8")
    assert "says nothing about cost" in text
    assert "## Answers that share their prompt" in text
    assert "The tables are in" in said.out


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("--only", "speed"), "given --only speed, expected some of passes, early-stop"),
        (("--shape", "3b"), "given --shape '3b', expected one of tiny, 10m, 135m, 1b, 7b, 8b"),
        (("--dtype", "int8"), "given --dtype 'int8', expected float32, bfloat16 or float16"),
        (("--device", "cuda"), "one of this machine's"),
        (("--rounds", 0), "greater than or equal to 1"),
    ],
)
def test_bad_options(cli: Callable[..., Any], tmp_path: Path, typed: tuple[Any, ...], message: str) -> None:
    if typed[-1] == "cuda" and torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    said = cli("bench", "--quick", "--shape", "tiny", "--out", tmp_path / "new", *typed)
    assert said.code == 2
    assert message in said.err
    assert not (tmp_path / "new").exists()


def test_what_cannot_run_is_named_and_the_rest_is_timed() -> None:
    def broken(_work: Work) -> Any:
        raise RuntimeError("no compiler\nhere")

    section = Section(
        key="x",
        title="X",
        about="",
        make_items=lambda lm, quick: texts(lm, [24]),
        make_variants=lambda _work: (
            Variant(name="plain", prepare=lambda _work: lambda: sum(range(2000))),
            Variant(name="peer", prepare=broken, package="no_such_package"),
            Variant(name="broken", prepare=broken),
            Variant(name="beside it", prepare=lambda _work: lambda: None, against="broken"),
        ),
    )
    plain, peer, wrong, beside = run_section(section, QUICK, silent).lines
    assert plain.cpu == Spread(1.0, 1.0, 1.0)
    assert peer.reason == "no_such_package is not installed"
    assert wrong.reason == "RuntimeError: no compiler here"
    assert beside.reason == "broken was not run"
    assert beside.cpu is None


def test_rounds_take_turns() -> None:
    order: list[int] = []
    runs = [lambda k=k: order.append(k) for k in range(3)]
    done: list[int] = []
    found = timed(runs, 3, device=torch.device("cpu"), on_run=done.append)
    assert order == [0, 1, 2, 1, 2, 0, 2, 0, 1]
    assert len(done) == 9
    assert all(len(one.cpu) == len(one.wall) == 3 for one in found)


def test_ratios_are_of_one_round() -> None:
    # 2/1, 3/2 and 8/2: median 2, though the ratio of the medians is 3/2.
    ours, base = Times((2.0, 3.0, 8.0), (1.0, 1.0, 1.0)), Times((1.0, 2.0, 2.0), (2.0, 4.0, 1.0))
    cpu, wall = ours.against(base)
    assert cpu == Spread(median=2.0, low=1.5, high=4.0)
    assert wall == Spread(median=0.5, low=0.25, high=1.0)


def test_peak_is_of_what_lives_at_once() -> None:
    kept = torch.ones(1000)  # was there before: not counted

    def run() -> None:
        a = torch.ones(500)  # 2000 bytes
        b = torch.cat((a, kept))  # 6000 more: 8000
        del a  # 6000
        c = b.double()  # 12000 more: 18000
        del b, c
        torch.ones(4000)  # 16000

    assert [peak_of(run, torch.device("cpu")) for _ in range(3)] == [18000.0] * 3


def test_memory_does_not_grow_with_the_number_of_texts() -> None:
    lm = random_model("tiny", device="cpu", dtype="float32")
    work = Work(lm, ITEMS.make_items(lm, True), "tiny", "float32")
    peaks = []
    for variant in ITEMS.make_variants(work):
        run = variant.prepare(work)
        run()
        peaks.append(peak_of(run, lm.device))
    assert len(set(peaks)) == 1


def test_documents_quote_what_was_found(tmp_path: Path) -> None:
    spread = Spread(1.2, 1.0, 1.4)

    def line(name: str, **more: Any) -> running.Line:
        found = {"cpu": spread, "wall": Spread(1.5, 1.5, 1.5), "seconds": 2.0, "expected": 1.05, **more}
        return running.Line(name=name, keeps="rows", against="floor", **found)

    absent = running.Line(name="peer", keeps="", against="floor", reason="peer is not installed")
    tables = (
        running.Table(key="passes", title="P", about="a", lines=(line("ours", peak=5e6, memory=1.25), absent)),
        running.Table(key="early-stop", title="E", about="", lines=tuple(line(f"stop {k}") for k in range(6))),
        running.Table(key="tokens", title="T", about="", lines=(line("long"),)),
    )
    about = {"command": "innerjudge bench", "machine": {"cores": "2"}, "versions": {"torch": "2"}, "tables": tables}
    found = Benchmark(options=Options(), **about)
    text = markdown(found)
    assert "| ours | 1.20 (1.00 to 1.40) | 1.05, NOT met | 2.00 | 1.25 (5 MB) |  | rows |" in text
    assert "| peer | not run: peer is not installed |" in text
    write(found, tmp_path)
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\n9.99\n{END}\nafter\n", encoding="utf-8")
    update(readme, [tmp_path / "benchmark.json"])
    quoted = readme.read_text("utf-8")
    assert "| ours | 1.20 (1.00 to 1.40) | 1.05 | 1.25 |" in quoted
    assert "stop 2" in quoted
    assert "stop 3" not in quoted
    assert "long" not in quoted
    assert "9.99" not in quoted
    on_gpu = asdict(Benchmark(options=Options(device="cuda", dtype="bfloat16"), **about))
    assert "| ours | 1.50 (1.50 to 1.50) |" in speed_section(on_gpu)
    quick = asdict(Benchmark(options=QUICK, **about))
    with pytest.raises(InnerjudgeError, match="given a quick benchmark"):
        speed_section(quick)


def test_sections_have_names_of_their_own(work: Work) -> None:
    assert len({section.key for section in SECTIONS}) == len(SECTIONS)
    written = (Path(__file__).parents[3] / "Makefile").read_text("utf-8")
    assert {section.key for section in SECTIONS} == {*re.findall(r"--only (\S+)", written)}
    for section in SECTIONS:
        items = section.make_items(work.lm, True)
        variants = section.make_variants(Work(work.lm, items, "tiny", "float32"))
        names = [variant.name for variant in variants]
        assert len(set(names)) == len(names)
        assert all(variant.against is None or variant.against in names for variant in variants)


def test_without_a_checkout_the_command_says_what_to_do(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "innerjudge.experiments.bench.documents.sections", None)
    ended = cli("bench", "--quick")
    assert ended.code == 2
    assert "given an installation without the benchmarks, expected a checkout" in ended.err
