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


def test_the_addresses_of_the_package_are_those_of_the_papers() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    assert list(urls) == ["CLUE", "LAGER", "QK-score"]
    for name, url in urls.items():
        [paper] = [one for one in cited["references"] if one["url"] == url]
        assert name.replace("-s", "S") in paper["notes"]


def test_the_changelog_has_the_coming_version() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
