"""Libraries of an extra: there, missing, or too old."""

from __future__ import annotations

import importlib
import sys
from importlib import metadata
from pathlib import Path

import pytest
from innerjudge import InnerjudgeError
from innerjudge.models.extra import _wanted, require


def test_a_library_that_is_there() -> None:
    assert require("uvicorn", "serve").__name__ == "uvicorn"


def test_a_missing_module_names_all_that_the_extra_brings() -> None:
    with pytest.raises(InnerjudgeError) as caught:
        require("no_such_module", "serve")
    for word in ("without no_such_module", "fastapi>=", "uvicorn>=", 'pip install "innerjudge[serve]"'):
        assert word in str(caught.value)


def test_an_old_version_is_named_beside_the_one_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.1.2" if name == "uvicorn" else version(name))
    with pytest.raises(InnerjudgeError, match=r"given uvicorn 0\.1\.2, expected .*uvicorn>=0"):
        require("uvicorn", "serve")


def test_a_library_that_is_not_installed_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def missing(name: str) -> str:
        if name == "uvicorn":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(InnerjudgeError, match="without uvicorn"):
        require("fastapi", "serve")


def test_innerjudge_that_was_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_name: str) -> list[str]:
        raise metadata.PackageNotFoundError("innerjudge")

    monkeypatch.setattr(metadata, "requires", nothing)
    _wanted.cache_clear()
    assert require("uvicorn", "serve").__name__ == "uvicorn"
    with pytest.raises(InnerjudgeError, match="expected no_such_module: pip install"):
        require("no_such_module", "serve")


def test_names_of_a_package_are_those_that_it_imports_for_type_checkers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lazily"
    package.mkdir()
    (package / "home.py").write_text("ONE, TWO = 1, 2\n")
    (package / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "from innerjudge.models.extra import lazy_names\n"
        "if TYPE_CHECKING:\n"
        "    from . import home as home\n"
        "    from .home import ONE as ONE\n"
        "    from .home import TWO\n"
        "    SECOND = TWO\n"
        "__all__, __getattr__ = lazy_names(__name__)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = importlib.import_module("lazily")
    assert found.__all__ == ["ONE", "SECOND", "home"]
    assert "lazily.home" not in sys.modules
    assert (found.ONE, found.SECOND, found.home.TWO) == (1, 2, 2)
    with pytest.raises(AttributeError, match="module 'lazily' has no attribute 'TWO'"):
        found.TWO  # noqa: B018
