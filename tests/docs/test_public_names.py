"""What readers are shown is imported from ``innerjudge`` itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import innerjudge
import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOWN = [
    ROOT / "README.md",
    *sorted((ROOT / "docs" / "pages").rglob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]
#: Module -> why it is reached by its own path.
ALLOWED = {
    "experiments.adapters.vllm": "vLLM loads it by its path",
    "experiments.adapters.service.app": "needs the extra `serve`; an application server is given its path",
    "experiments.adapters.lm_eval": "needs the extra `lm-eval`; a task's YAML names functions by their path",
}


def code_of(path: Path) -> str:
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return "\n".join("".join(cell["source"]) for cell in cells)
    return path.read_text(encoding="utf-8")


def deep_imports(text: str) -> Iterator[str]:
    for found in re.finditer(r"(?:from|import) innerjudge\.([\w.]+)", text):
        yield found.group(1)


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.name)
def test_no_deep_import_is_shown(path: Path) -> None:
    assert [module for module in deep_imports(code_of(path)) if module not in ALLOWED] == []


def test_a_deep_import_would_be_seen() -> None:
    assert list(deep_imports("from innerjudge.probes import CLUE")) == ["probes"]


def test_names_that_are_shown_are_public() -> None:
    for path in SHOWN:
        for names in re.findall(r"^\s*from innerjudge import ([\w, ]+)$", code_of(path), flags=re.MULTILINE):
            assert set(names.replace(" ", "").split(",")) <= set(innerjudge.__all__), path.name
