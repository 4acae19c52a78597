"""The files of a run: whole, finite, and never in the place of something else."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from innerjudge.experiments.compare.report import files as writing
from innerjudge.experiments.compare.report.files import check_folder, write_run
from innerjudge.experiments.compare.results import Run
from innerjudge.models.errors import InnerjudgeError

FILES = ["plots", "report.html", "report.md", "results.json", "verdicts.jsonl"]


@pytest.fixture
def small(fake_run: Run) -> Run:
    """One comparison, the one that draws fastest."""
    return replace(fake_run, comparisons=fake_run.comparisons[3:4])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refuse_nan(word: str) -> float:
    raise AssertionError(f"{word} in a JSON file")


def test_files_hold_what_was_found(small: Run, tmp_path: Path) -> None:
    write_run(small, tmp_path / "new" / "run")
    assert names(tmp_path / "new") == ["run"], "a temporary folder was left behind"
    folder = tmp_path / "new" / "run"
    assert names(folder) == FILES
    results = json.loads((folder / "results.json").read_text("utf-8"), parse_constant=refuse_nan)
    assert results == small.results_json()
    lines = (folder / "verdicts.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line, parse_constant=refuse_nan) for line in lines] == list(small.comparisons[0].verdicts)
    for path in (folder / "plots").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert f"plots/{path.name}" in (folder / "report.md").read_text("utf-8")


def test_our_own_folder_is_replaced_and_old_plots_go(small: Run, tmp_path: Path) -> None:
    write_run(small, tmp_path)
    (tmp_path / "plots" / "9-old-scores.png").write_bytes(b"old")
    (tmp_path / "features").mkdir()
    write_run(replace(small, seed=7), tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["seed"] == 7
    assert names(tmp_path / "plots") == ["1-builtin-pair-scores.png"]
    assert (tmp_path / "features").is_dir()


def test_a_folder_of_something_else_is_refused(small: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InnerjudgeError, match=r"holds files but no results\.json"):
        write_run(small, tmp_path)
    assert names(tmp_path) == ["thesis.tex"]
    with pytest.raises(InnerjudgeError, match="is a file"):
        check_folder(tmp_path / "thesis.tex")
    with pytest.raises(InnerjudgeError, match="could not be written"):
        write_run(small, tmp_path / "thesis.tex" / "run")


@pytest.mark.parametrize("where", ["rows", "verdicts", "model"])
def test_a_value_that_is_not_finite_leaves_nothing_behind(small: Run, tmp_path: Path, where: str) -> None:
    nan = float("nan")
    found = small.comparisons[0]
    row = replace(found.rows[0], value=nan)
    broken = {
        "rows": replace(small, comparisons=(replace(found, rows=(row,)),)),
        "verdicts": replace(small, comparisons=(replace(found, verdicts=({"judge": "j", "score": nan},)),)),
        "model": replace(small, model={"rope": nan}),
    }[where]
    with pytest.raises(InnerjudgeError, match="JSON cannot hold"):
        write_run(broken, tmp_path / "run")
    assert names(tmp_path) == []


def test_a_failure_before_the_moves_leaves_the_old_run(
    small: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(small, tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "html", full)
    with pytest.raises(InnerjudgeError, match="No space left"):
        write_run(replace(small, seed=8), tmp_path / "run")
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    assert names(tmp_path) == ["run"]


def test_every_file_arrives_by_a_rename_and_results_last(
    small: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = []
    rename = os.replace

    def record(source: Path, target: Path) -> None:
        moved.append(Path(target).name)
        rename(source, target)

    monkeypatch.setattr(writing.os, "replace", record)
    write_run(small, tmp_path / "run")
    assert moved[-1] == "results.json"
    arrived = [name for name in moved if name != "verdicts.jsonl"] + ["verdicts.jsonl"]
    assert sorted(arrived) == sorted(p.name for p in (tmp_path / "run").rglob("*") if p.is_file())
