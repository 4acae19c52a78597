"""Fixtures for every test."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Workers side by side, and the processes that they start, share the cores: with several threads each they would wait
# for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from innerjudge.models.loading import LanguageModel, load

# The same examples in every run of one commit, so that a red run can be repeated; `--hypothesis-profile default` draws.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real data, models and tokenizers: ``$INNERJUDGE_SHARED``, else ``shared`` beside the repository."""
    given = os.environ.get("INNERJUDGE_SHARED")
    folder = Path(given) if given else Path(__file__).resolve().parents[1].parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder} with real data: set INNERJUDGE_SHARED to one")
    return folder


@pytest.fixture(scope="session")
def real_models() -> Path:
    """Folder with models of 135 million parameters and more, as GGUF files and as folders: ``$INNERJUDGE_MODELS``."""
    given = os.environ.get("INNERJUDGE_MODELS")
    if not given:
        pytest.skip("no real models: set INNERJUDGE_MODELS to a folder that experiments/bench/real/fetch.py filled")
    return Path(given)


@pytest.fixture(scope="session")
def reference() -> LanguageModel:
    """The built-in model."""
    return load("reference")


@pytest.fixture(scope="session")
def tinystories(shared: Path) -> LanguageModel:
    """A real small chat model of another architecture: absolute positions, no reasoning markers."""
    return load(str(shared / "models" / "tinystories-chat-3M"))


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_installed() -> Iterator[None]:
    """TransformerLens runs pip by itself for models with a vision tower, and with torchvision comes another torch."""

    def refuse(command: object, *_args: object, **_options: object) -> None:
        raise OSError(f"no test starts {command}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("subprocess.check_call", refuse)
        yield


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> list[str]:
        """What was said of an error: all lines but the first where that says how the model is run."""
        lines = self.err.splitlines()
        return lines[1:] if lines and "(OMP_NUM_THREADS sets another number)" in lines[0] else lines


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run `innerjudge ARGS` in this process, entry point and all."""
    from innerjudge.experiments.cli.main import main

    def run(*args: object) -> Said:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["innerjudge", *map(str, args)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return Said(int(end.value.code or 0), said.out, said.err)

    return run
