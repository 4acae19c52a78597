"""Every notebook runs from top to bottom, and its committed outputs hide no error."""

from __future__ import annotations

import ast
import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
_MOST_BYTES = 3_000_000
#: Sizes as committed -> as they are run here, so that each takes seconds; as committed where ``INNERJUDGE_NOTEBOOKS=whole``.
SMALLER = {
    "01-first-look": {"problems(30,": "problems(12,", "choices(120,": "choices(48,", "[:80], asked[80:]": "[:32], asked[32:]"},
    "02-clue-from-scratch": {"problems(120,": "problems(40,"},
    "04-select-and-copy-heads": {"draws=5,": "draws=2,", "real[100:150]": "real[100:115]"},
    "05-reranking": {"problems(70,": "problems(40,", "[25, 33]": "[16, 22]", "n_orders=50": "n_orders=10"},
    "06-training-probes": {"problems(70,": "problems(30,", "range(20)": "range(4)"},
    "07-your-own-model-and-data": {"problems(80,": "problems(40,"},
    "08-judging-while-generating": {"problems(40,": "problems(20,"},
    "09-labels-that-you-really-have": {"problems(160,": "problems(60,"},
    "10-where-does-it-go-wrong": {"limit=240": "limit=80"},
}


def code_of(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def kernel() -> Iterator[AsyncKernelManager]:
    """One for all notebooks: most of a short one would go into importing what all of them import."""
    found = AsyncKernelManager(kernel_name="python3")
    run_sync(found.start_kernel)()
    yield found
    run_sync(found.shutdown_kernel)(now=True)


def run(notebook: nbformat.NotebookNode, folder: Path, kernel: AsyncKernelManager) -> None:
    """In ``folder``, without the names of those before it, and with the number 1 for its first cell."""
    fresh = (
        f"%reset -f\nimport os\nos.chdir({str(folder)!r})\ndel os\nimport matplotlib\nmatplotlib.rcdefaults()\n"
        "del matplotlib\nget_ipython().execution_count = 0"
    )
    NotebookClient(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(fresh)]), km=kernel).execute()
    NotebookClient(notebook, km=kernel, timeout=300).execute()
    code = code_of(notebook)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))


def test_the_lessons_are_numbered_without_a_gap_and_lead_on() -> None:
    assert [int(path.name[:2]) for path in NOTEBOOKS] == list(range(1, len(NOTEBOOKS) + 1))
    for path in NOTEBOOKS:
        text = path.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:\"]+)\)", text):
            assert (FOLDER / link).exists(), (path.name, link)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_runs_from_top_to_bottom(path: Path, tmp_path: Path, kernel: AsyncKernelManager) -> None:
    notebook = nbformat.read(path, as_version=4)
    for committed, here in SMALLER.get(path.stem, {}).items():
        assert any(committed in cell.source for cell in code_of(notebook)), (committed, "is gone: take it off the list")
        if os.environ.get("INNERJUDGE_NOTEBOOKS") != "whole":
            for cell in code_of(notebook):
                cell.source = cell.source.replace(committed, here)
    run(notebook, tmp_path, kernel)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_is_committed_with_its_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    outputs = [output for cell in code_of(notebook) for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert [cell.execution_count for cell in code_of(notebook)] == list(range(1, len(code_of(notebook)) + 1))
    assert 10 <= len(notebook.cells) <= 24, "a lesson of ten to twenty cells"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_cell_hides_an_error(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in code_of(notebook):
        assert not [o for o in cell.outputs if o.output_type == "error"]
        assert not [o.text for o in cell.outputs if o.get("name") == "stderr"]
        assert "raises-exception" not in cell.metadata.get("tags", [])
        assert not re.search(r"^\s*[%!]", cell.source, flags=re.MULTILINE), "no magic: what is seen is what runs"
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ExceptHandler):  # only our own refusals, and what they say is shown
                assert isinstance(node.type, ast.Attribute) and node.type.attr == "InnerjudgeError"
                assert node.name is not None
                assert node.name in {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_one_line_changes_the_model(path: Path) -> None:
    source = "\n".join(cell.source for cell in code_of(nbformat.read(path, as_version=4)))
    names = re.findall(r"^(?:lm = ij\.load\(|MODEL = )\"reference\"", source, flags=re.MULTILINE)
    assert len(names) == 1
    assert "a hub name such as" in source


def test_together_they_are_small_enough_to_read_on_a_code_host() -> None:
    assert sum(path.stat().st_size for path in NOTEBOOKS) < _MOST_BYTES


@pytest.mark.slow
def test_the_last_but_one_takes_another_model_and_a_csv_of_ones_own(
    shared: Path, tmp_path: Path, kernel: AsyncKernelManager
) -> None:
    """Without chat template and reasoning markers, with an empty answer and labels in several spellings."""
    path = tmp_path / "mine.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "question", "response", "correct"])
        for k in range(16):
            thing, other = ("ball", "cat") if k % 2 else ("dog", "cake")
            question = f"Once upon a time, Lily had a {thing}. What did Lily have? ({k})"
            rows.writerow([k, question, f"Lily had a {thing}.", ("yes", "TRUE", "1")[k % 3]])
            rows.writerow([k, question, f"Lily had a {other}, and it was red.", ("no", "false", "0")[k % 3]])
        rows.writerow([99, "An empty one?", "", "maybe"])
    notebook = nbformat.read(FOLDER / "07-your-own-model-and-data.ipynb", as_version=4)
    first = notebook.cells[1]
    first.source = first.source.replace('MODEL = "reference"', f"MODEL = {str(shared / 'models' / 'stories260K')!r}")
    first.source = re.sub(r"^CSV = None", f"CSV = {str(path)!r}", first.source, flags=re.MULTILINE)
    assert str(path) in first.source
    run(notebook, tmp_path, kernel)
    assert (tmp_path / "my-judge" / "judge.json").is_file()
    shown = str([cell.outputs for cell in code_of(notebook)])
    assert "prompt_end response_end" in shown
    assert "the response is empty" in shown
