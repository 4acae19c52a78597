"""The rules of the house: imports run downward, one public surface, nothing on disk is a pickle."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import innerjudge
import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOOR = {"models": 1, "extraction": 2, "probes": 3, "experiments": 4}
FILES = sorted(path for room in FLOOR for path in (ROOT / room).rglob("*.py"))


def _rooms_imported(path: Path) -> set[str]:
    depth = len(path.relative_to(ROOT).parts)
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            rooms |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("innerjudge."):
            rooms.add(str(node.module).split(".")[1])
    return rooms & FLOOR.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_downward(path: Path) -> None:
    here = FLOOR[path.relative_to(ROOT).parts[0]]
    assert all(FLOOR[room] <= here for room in _rooms_imported(path))


def test_an_upward_import_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Path, "read_text", lambda *_a, **_k: "from ..probes import CLUE\nfrom ..models.errors import E\n"
    )
    assert _rooms_imported(ROOT / "extraction" / "features.py") == {"probes", "models"}


def test_public_names_exist() -> None:
    for name in innerjudge.__all__:
        assert getattr(innerjudge, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        innerjudge.nonsense  # noqa: B018


def test_no_pickles_are_tracked() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git here, or no checkout: nothing is tracked")
    tracked = listed.stdout.split()
    assert "pyproject.toml" in tracked
    assert not [name for name in tracked if Path(name).suffix in {".pkl", ".pickle", ".pt", ".pth", ".joblib"}]
