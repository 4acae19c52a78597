"""The judge of CONTRIBUTING.md is a package of somebody else: installed, compared, fitted, saved and loaded."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)\n```", re.DOTALL)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the package of CONTRIBUTING.md, installed there as pip does: the module and its metadata."""
    files = dict(_BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert files.keys() == {"state_norm.py", "pyproject.toml"}
    project = tomllib.loads(files["pyproject.toml"])["project"]
    site = tmp_path / "site"
    metadata = site / f"state_norm-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    (site / "state_norm.py").write_text(files["state_norm.py"] + "\n", encoding="utf-8")
    named = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(named, encoding="utf-8")
    lines = [
        f"[{group}]" + "".join(f"\n{k} = {v}" for k, v in e.items()) for group, e in project["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return site


Run = Callable[..., SimpleNamespace]


@pytest.fixture
def run(forks: Any) -> Run:
    """Runs code in a process of its own: ``run(code, folder, *paths)``."""

    def ran(code: str, folder: Path, *paths: Path) -> SimpleNamespace:
        with forks.begin(code, folder, *paths) as process:
            out, err = process.communicate()
        return SimpleNamespace(returncode=process.returncode, stdout=out, stderr=err)

    return ran


def cli(*commands: list[str]) -> str:
    """Type commands one after the other in one process, up to the first that fails."""
    return (
        "import sys\nfrom innerjudge.experiments.cli.main import main\n"
        f"for command in {list(commands)!r}:\n"
        "    sys.argv = ['innerjudge', *command]\n"
        "    try:\n        main()\n    except SystemExit as end:\n        if end.code:\n            raise\n"
    )


def test_a_judge_of_somebody_else_is_compared_fitted_saved_and_loaded(
    run: Run, installed: Path, tmp_path: Path
) -> None:
    short = ["--limit", "6", "--candidates", "3", "--model", "reference", "--data", "builtin:solve"]
    compare = ["compare", *short, "--reasoning-tokens", "0", "--out", "out"]
    extract = ["extract", *short, "--out", "features"]
    fit = ["fit", "--features", "features", "--judge", "state-norm", "--out", "judge"]
    done = run(cli(compare, extract, fit), tmp_path, installed)
    assert done.returncode == 0, done.stderr
    assert "state-norm" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    _scored_ranked_and_served(run, installed, tmp_path)

    (tmp_path / "state_norm.py").write_text("open('imported', 'w')\n", encoding="utf-8")  # a trap beside the file
    absent = run("from innerjudge import load_judge; print(load_judge('judge'))", tmp_path)
    assert absent.returncode
    assert "'StateNorm', which is not known here" in absent.stderr
    assert "pip install 'state-norm==0.1'" in absent.stderr
    assert not (tmp_path / "imported").exists(), "loading a judge ran a module that the file names"
    assert json.loads((tmp_path / "judge" / "judge.json").read_text())["origin"]["module"] == "state_norm"


def _scored_ranked_and_served(run: Run, installed: Path, folder: Path) -> None:
    """The saved judge in ``judge`` does all that one of ours does, in one new process: most of it is starting."""
    given = ["--judge", "judge", "--features", "features", "--out"]
    serve = (
        "\nfrom innerjudge import Judge, load_judge; print(load_judge('judge'))\n"
        "from fastapi.testclient import TestClient; from pathlib import Path; "
        "from innerjudge.experiments.adapters.service.app import create_app; "
        "asked = {'model': 'norm', 'query': 'What is 2 plus 2?', 'documents': ['<think>2 + 2 = 4</think>4', '']}\n"
        "with TestClient(create_app({'norm': Judge.load(Path('judge'))})) as service:\n"
        "    print(service.post('/v1/rerank', json=asked).json())"
    )
    done = run(cli(*([name, *given, f"{name}.jsonl"] for name in ("score", "rank"))) + serve, folder, installed)
    assert done.returncode == 0, done.stderr
    assert (folder / "rank.jsonl").is_file()
    scores = [json.loads(line)["score"] for line in (folder / "score.jsonl").read_text("utf-8").splitlines()]
    assert min(scores) > 0, "norms"
    shown, served = done.stdout.splitlines()[-2:]
    assert shown == "StateNorm()"
    assert "relevance_score" in served


def test_a_learning_judge_of_somebody_else_is_swept(run: Run, tmp_path: Path) -> None:
    own = (
        "from innerjudge import LogisticProbe, register_judge\n"
        "class Theirs(LogisticProbe):\n"
        "    @classmethod\n"
        "    def sweep_presets(cls, kind):\n"
        "        return {'theirs': cls(positions=('state',))} if kind == 'trace' else {}\n"
        "register_judge(Theirs)\n"
    )
    data = ["--limit", "12", "--model", "reference", "--data", "builtin:solve"]
    commands = [["extract", *data, "--out", "features"], ["sweep", "--features", "features", "--out", "sweep"]]
    done = run(own + cli(*commands), tmp_path)
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "sweep" / "sweep.csv").read_text("utf-8").splitlines()
    cells = {
        name: {tuple(row.split(",")[1:5]) for row in rows if row.startswith(f"{name},")}
        for name in ("theirs", "nearest centroid")
    }
    ours = {cell for cell in cells["nearest centroid"] if "standardised" not in cell}  # theirs does that by itself
    assert cells["theirs"] == ours
    assert ours


def test_a_class_of_a_script_is_registered_by_hand(run: Run, installed: Path, tmp_path: Path) -> None:
    (installed / "state_norm-0.1.dist-info" / "entry_points.txt").unlink()
    save = (
        "from innerjudge import load_judge, register_judge, save_judge; from state_norm import StateNorm; "
        "register_judge(StateNorm); save_judge(StateNorm(), 'kept'); print(load_judge('kept'))"
    )
    assert run(save, tmp_path, installed).stdout.strip() == "StateNorm()"
    absent = run("from innerjudge import load_judge; load_judge('kept')", tmp_path, installed)
    assert "import the module that defines it (state_norm) and call register_judge(StateNorm) first" in absent.stderr
