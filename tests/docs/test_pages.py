"""Every code block of the documentation pages runs, and what they name exists."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("no_pixels")

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "pages").rglob("*.md"))
#: A page whose blocks go on from files that another page's commands wrote stands alone all the same: each has its own.
_BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_there_are_pages_of_every_sort() -> None:
    folders = {page.parent.name for page in PAGES}
    assert {"pages", "how-to", "explanation"} <= folders
    assert len(PAGES) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT / "docs" / "pages").with_suffix("")))
def test_blocks_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from innerjudge.experiments.cli.main import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("r\nw\nq\n"))  # of `label`
    names: dict[str, object] = {}
    opened = re.findall(r"^```.*$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[::2]
    assert all(re.match(r"```\w", fence) for fence in opened), "a block without a language is not run"
    for language, title, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if title:
            (tmp_path / title).write_text(block, encoding="utf-8")
        elif language == "python":
            exec(compile(block, str(page), "exec"), names)
        else:
            assert language == "sh", f"a block of {language!r} is neither run nor written to a file"
            for line in block.splitlines():
                program, *arguments = shlex.split(line, comments=True) or ["innerjudge"]
                assert program == "innerjudge", line
                if arguments:
                    assert not app(arguments, prog_name="innerjudge", standalone_mode=False), line


def test_navigation_names_every_page() -> None:
    listed = (ROOT / "docs" / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES:
        assert str(page.relative_to(ROOT / "docs" / "pages")) in listed


def test_nothing_is_fetched_from_elsewhere() -> None:
    settings = (ROOT / "docs" / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in settings
    for page in (*PAGES, ROOT / "docs" / "pages" / "style.css"):
        assert not re.search(r"(src|href)=\"https?:|@import|url\(https?:", page.read_text(encoding="utf-8"))
