"""What the README says to paste works, and its table is written by the script."""

from __future__ import annotations

import json
import re
from pathlib import Path

import innerjudge
import pytest
from innerjudge.experiments.bench.documents.readme import marks, tables_section, update

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLES = ROOT / "experiments" / "bench" / "documents" / "demo.md"
BEGIN, END = marks("demo")


def test_python_blocks_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert capsys.readouterr().out.count("\n") == 2
    assert (tmp_path / "runs" / "my-judge" / "judge.json").is_file()


def test_every_command_and_file_that_it_names_exists() -> None:
    from innerjudge.experiments.cli.main import app

    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    commands |= {group.name for group in app.registered_groups}
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    typed = {name for language, block in fences if not language for name in re.findall(r"innerjudge +(\w+) ", block)}
    assert {"compare", "extract", "fit", "score", "rank", "models", "sample"} <= typed <= commands
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_it_takes_two_minutes() -> None:
    assert len(README.splitlines()) <= 120


def test_kinds_table_names_the_fields() -> None:
    page = (ROOT / "docs" / "pages" / "how-to" / "compare.md").read_text(encoding="utf-8")
    for kind in (innerjudge.Trace, innerjudge.Rating, innerjudge.Choice, innerjudge.Pair):
        for name in kind.__dataclass_fields__:
            assert name == "extra" or f"`{name}`" in page


def test_demo_table_holds_the_figures_of_the_results(tmp_path: Path) -> None:
    row = {
        "data": "d",
        "part": "accuracy",
        "judge": "clue",
        "metric": "AUROC",
        "against": None,
        "value": 0.625,
        "low": 0.5,
        "high": 0.75,
        "n": 9,
        "unscored": 2,
    }
    none = row | {"judge": "text", "value": None, "low": None, "high": None}
    gap = row | {"against": "text", "value": 0.125}
    spec = {"seeds": {"data": 3}}
    results = {"command": "innerjudge compare", "spec": spec, "versions": {"torch": "2.13.0"}}
    results |= {"figures": [row, none, gap], "summary": {"d": ["First.", "Second.", "Third.", "Fourth."]}}
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold 0.999\n{END}\nafter\n", encoding="utf-8")
    update(tmp_path / "results.json", readme)
    text = readme.read_text(encoding="utf-8")
    assert "- **d**: First. Second. Third.\n" in text
    assert "0.999" not in text
    tables = (tmp_path / "experiments" / "bench" / "documents" / "demo.md").read_text(encoding="utf-8")
    assert "| clue | 0.62 [0.50, 0.75] | 2 |" in tables
    assert "| text | - | 2 |" in tables
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    update(tmp_path / "results.json", readme)
    assert readme.read_text(encoding="utf-8") == text
    readme.write_text("no marks", encoding="utf-8")
    with pytest.raises(innerjudge.InnerjudgeError, match="without"):
        update(tmp_path / "results.json", readme)


def test_committed_table_has_the_form_of_the_script() -> None:
    assert README.partition(BEGIN)[2].partition(END)[0].strip().startswith("- **builtin:solve**: ")
    section = TABLES.read_text(encoding="utf-8")
    assert "Written by a script from `innerjudge compare" in section
    judges = re.findall(r"^\| ([\w-]+)", section, flags=re.MULTILINE)
    assert {"clue", "lager", "qk-score", "text", "token-log-probability", "length", "question-only"} <= set(judges)
    assert tables_section({"command": "c", "spec": {"seeds": {"data": 0}}, "versions": {}, "figures": []}).startswith(
        "Written by a script"
    )
