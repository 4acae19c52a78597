"""The citation file names this version, and the paper of every judge that comes from one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def test_version_licence_and_papers() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    papers = {re.sub(r".*/", "", one["url"]) for one in cited["references"]}
    for name in ("clue", "lager", "heads"):
        (first, *_) = re.findall(r"arXiv (\d{4}\.\d{5})", (ROOT / "probes" / f"{name}.py").read_text(encoding="utf-8"))
        assert first in papers


def test_the_changelog_has_the_coming_version() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
