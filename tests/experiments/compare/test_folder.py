"""The files of a run: whole, finite, and never in the place of something else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from innerjudge.experiments.compare.findings import Report
from innerjudge.experiments.compare.report import folder as writing
from innerjudge.experiments.compare.report.folder import check_folder, claim, read_results, withdraw, write
from innerjudge.experiments.data.verdict_files import read_table
from innerjudge.experiments.data.verdict_table import Row
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.foreign import TRIAL

FILES = ["plots", "report.html", "report.md", "results.json", "timings.json", "verdicts.jsonl", "verdicts.jsonl.sha256"]
ROWS = [Row(question="q", candidate="0", judge="j", score=0.5, label=True, truth=False)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refuse_nan(word: str) -> float:
    raise AssertionError(f"{word} in a JSON file")


def test_files_hold_what_was_found(pairs_report: Report, tmp_path: Path) -> None:
    write(tmp_path / "new" / "run", pairs_report, ROWS)
    assert names(tmp_path / "new") == ["run"], "a temporary file was left behind"
    folder = tmp_path / "new" / "run"
    assert names(folder) == FILES
    results = json.loads((folder / "results.json").read_text("utf-8"), parse_constant=refuse_nan)
    assert {k: v for k, v in results.items() if k != "sha256"} == json.loads(json.dumps(pairs_report.results_json()))
    assert list(read_table(folder / "verdicts.jsonl")) == ROWS
    timings = json.loads((folder / "timings.json").read_text("utf-8"))
    assert timings["seconds_per_item"]["d<b>"]["good"] == 0.00123
    assert "0.00123" not in (folder / "results.json").read_text("utf-8")
    for path in (folder / "plots").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert f"plots/{path.name}" in (folder / "report.md").read_text("utf-8")


def test_our_own_folder_is_replaced_and_old_plots_go(pairs_report: Report, tmp_path: Path) -> None:
    write(tmp_path, pairs_report, ROWS)
    before = names(tmp_path / "plots")
    (tmp_path / "plots" / "9-old-scores.png").write_bytes(b"old")
    (tmp_path / "features").mkdir()
    write(tmp_path, replace(pairs_report, name="other"), ROWS)
    assert read_results(tmp_path)["name"] == "other"
    assert names(tmp_path / "plots") == before
    assert (tmp_path / "features").is_dir()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    for refused in (check_folder, lambda folder: claim(folder, {})):
        with pytest.raises(InnerjudgeError, match="holds other files"):
            refused(tmp_path)
        with pytest.raises(InnerjudgeError, match="is a file"):
            refused(tmp_path / "thesis.tex")
        with pytest.raises(InnerjudgeError, match="could not be written"):
            refused(tmp_path / "thesis.tex" / "run")
    assert names(tmp_path) == ["thesis.tex"]


def test_what_a_killed_run_left_goes(tmp_path: Path) -> None:
    claim(tmp_path / "run", {"seed": 0})
    (tmp_path / "run" / "results.json.tmp").touch()
    (tmp_path / "run" / "plots").mkdir()
    (tmp_path / "run" / "plots" / "x.png.tmp").touch()
    (tmp_path / "run" / TRIAL).mkdir()
    claim(tmp_path / "run", {"seed": 1})
    assert sorted(p.name for p in (tmp_path / "run").rglob("*")) == ["compare.json", "plots"]
    assert json.loads((tmp_path / "run" / "compare.json").read_text()) == {"seed": 1}


def test_a_run_that_was_refused_leaves_nothing(tmp_path: Path) -> None:
    claim(tmp_path / "run", {})
    withdraw(tmp_path / "run")
    assert names(tmp_path) == []
    kept = claim(tmp_path / "run", {})
    (kept / "steps").mkdir(parents=True)
    withdraw(tmp_path / "run")
    assert names(tmp_path / "run") == ["compare.json", "kept"]


@pytest.mark.parametrize("where", ["figures", "model", "seconds"])
def test_a_value_that_is_not_finite_leaves_nothing_behind(pairs_report: Report, tmp_path: Path, where: str) -> None:
    nan = float("nan")
    part = pairs_report.parts[0]
    section = part.sections[0]
    grid = section.grids[0]
    cells = grid.rows[0][0], replace(grid.figures[0], high=nan)
    odd = replace(section, grids=(replace(grid, columns=grid.columns[:2], rows=(cells,)),), plots=())
    broken = {
        "figures": replace(pairs_report, parts=(replace(part, sections=(odd,)),)),
        "model": replace(pairs_report, model={"rope": nan}),
        "seconds": replace(pairs_report, seconds={"judging": nan}),
    }[where]
    with pytest.raises(InnerjudgeError, match="JSON cannot hold"):
        write(tmp_path / "run", broken, ROWS)
    assert names(tmp_path) == []


def test_a_failure_while_it_is_made_leaves_the_old_run(
    pairs_report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "run", pairs_report, ROWS)
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "html", full)
    with pytest.raises(InnerjudgeError, match="No space left"):
        write(tmp_path / "run", replace(pairs_report, name="other"), ROWS)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    assert names(tmp_path) == ["run"]


def test_every_file_arrives_by_a_rename_and_results_last(
    pairs_report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = []
    rename = Path.replace

    def record(source: Path, target: Path) -> None:
        moved.append(Path(target).name)
        rename(source, target)

    monkeypatch.setattr(Path, "replace", record)
    write(tmp_path / "run", pairs_report, ROWS)
    assert moved[-1] == "results.json"
    assert sorted(moved) == sorted(p.name for p in (tmp_path / "run").rglob("*") if p.is_file())


def test_results_of_an_earlier_version_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"command": "innerjudge compare", "rows": []}')
    with pytest.raises(InnerjudgeError, match="an earlier version of innerjudge wrote") as said:
        read_results(tmp_path)
    assert "\n" not in str(said.value)
