"""Every dotted name and every path of the repository that a page, a notebook or a docstring names is there."""

from __future__ import annotations

import importlib
import json
import re
from functools import cache
from pathlib import Path

import innerjudge
import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("models", "extraction", "probes", "experiments")
#: Of the results, ``overhead.md`` is left out: it names functions as they were called when they were measured.
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile", "docs/mkdocs.yml")),
    *sorted((ROOT / "docs" / "pages").rglob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
    *sorted(page for page in (ROOT / "experiments" / "bench").rglob("*.md") if page.name != "overhead.md"),
    *sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")),
]
#: ``innerjudge.x.y`` anywhere, and ``experiments.x.y`` where it is code.
_DOTTED = re.compile(
    rf"(?<![\w./\-]){innerjudge.__name__}\.([a-z_]\w*(?:\.\w+)*)|`~?((?:{'|'.join(FLOORS)})(?:\.\w+)+)"
)
_PATH = re.compile(
    rf"(?<![\w./\-])(?:\.\./)?((?:{'|'.join(FLOORS)}|docs|tests|notebooks|\.ci)/[\w./\-]*\w|[\w./\-]*\w\.py)(?![\w*/])"
)
#: What such a name may be without being there: the group of entry points, files of readers, files that runs write.
ELSEWHERE = frozenset(
    {"judges", "json", "state_norm.py", "notebooks/index.md", "root/pyproject.toml", "worlds.py", "locustfile.py"}
)


def text_of(path: Path) -> str:
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return "\n".join("".join(cell["source"]) for cell in cells)
    return path.read_text(encoding="utf-8")


@cache
def names_something(dotted: str) -> bool:
    """Whether ``innerjudge.dotted`` is a module, or an attribute of one."""
    parts = dotted.split(".")
    for k in range(len(parts), -1, -1):
        try:
            found = importlib.import_module(".".join([innerjudge.__name__, *parts[:k]]))
        except ModuleNotFoundError as error:
            if error.name == "vllm":
                return True  # the module is there; vLLM has an environment of its own
            continue
        for part in parts[k:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@cache
def files() -> frozenset[str]:
    inside = (ROOT / name for name in (*FLOORS, "docs", "tests", "notebooks", ".ci"))
    return frozenset(str(path.relative_to(ROOT)) for folder in inside for path in folder.rglob("*"))


def is_there(path: str) -> bool:
    """Whether a path of the repository, or the end of one (``stats/auroc.py``), is that of a file or folder."""
    page = path.removesuffix(".md") + ".ipynb"  # the site has a page of each notebook
    return path in files() or page in files() or (ROOT / path).exists() or any(f.endswith(f"/{path}") for f in files())


def strangers(text: str) -> list[str]:
    """Names and paths in a text that are not there."""
    dotted = {one or other for one, other in _DOTTED.findall(text)}
    paths = set(_PATH.findall(text))
    missing = [name for name in dotted if not names_something(name)] + [path for path in paths if not is_there(path)]
    return sorted(set(missing) - ELSEWHERE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_named_is_there(page: Path) -> None:
    assert strangers(text_of(page)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`python -m innerjudge.experiments.bench.nonsense`", ["experiments.bench.nonsense"]),
        ("in `experiments.streaming`, or `probes.clue.CLUE`", ["experiments.streaming"]),
        ("see experiments/stats/nonsense.py and `tests/test_house.py`", ["experiments/stats/nonsense.py"]),
        ("the file `nonsense.py` beside `storage.py`", ["nonsense.py"]),
    ],
)
def test_a_name_of_nothing_would_be_seen(text: str, found: list[str]) -> None:
    assert strangers(text) == found
