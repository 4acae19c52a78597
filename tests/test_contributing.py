"""The judge of CONTRIBUTING.md is added to a copy of the package as it says, and takes part in a comparison."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("models", "extraction", "probes", "experiments")
_BLOCK = re.compile(
    r'<!-- (file|line): ([^\s,]+)(?:, before ("[^\n]*"))? -->\n( *)```(?:python|text)\n(.*?)\n *```',
    re.DOTALL,
)


def _apply(package: Path) -> set[str]:
    """Follow the steps; each place that a line goes before must exist once."""
    touched = set()
    for what, name, quoted, indent, code in _BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        path, lines = package / name, textwrap.indent(code, "").replace("\n" + indent, "\n").removeprefix(indent)
        touched.add(name)
        if what == "file":
            assert not path.exists()
            path.write_text(lines + "\n", encoding="utf-8")
            continue
        text, place = path.read_text(encoding="utf-8"), json.loads(quoted)
        assert text.count(place) == 1, (name, place)
        path.write_text(text.replace(place, f"{lines}\n{place}"), encoding="utf-8")
    return touched


def test_a_toy_judge_takes_three_files(tmp_path):
    package = tmp_path / "innerjudge"
    ignore = shutil.ignore_patterns("__pycache__")
    for room in ROOMS:
        shutil.copytree(ROOT / room, package / room, ignore=ignore)
    for name in ("__init__.py", "py.typed"):
        shutil.copy(ROOT / name, package / name)

    touched = _apply(package)
    assert touched == {"probes/state_norm.py", "probes/storage.py", "experiments/judges/panel.py"}

    arguments = ["compare", "--model", "reference", "--data", "builtin:solve", "--out", str(tmp_path / "out")]
    arguments += ["--limit", "6", "--reasoning-tokens", "0"]
    code = (
        "import sys, innerjudge; from innerjudge.experiments.cli.main import main; "
        f"assert innerjudge.__file__.startswith({str(tmp_path)!r}), innerjudge.__file__; "
        f"sys.argv = ['innerjudge', *{arguments!r}]; main()"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out" / "results.json").read_text())["figures"]
    found = {row["metric"]: row["value"] for row in rows if row["judge"] == "state-norm"}
    assert {"AUROC", "AUROC within questions"} <= found.keys()

    save = (
        "from innerjudge.probes import load, save; from innerjudge.probes.state_norm import StateNorm; "
        "save(StateNorm(), 'kept'); print(load('kept'))"
    )
    said = subprocess.run(
        [sys.executable, "-c", save], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "StateNorm()"
