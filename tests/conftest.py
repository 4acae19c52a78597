"""Fixtures for every test."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Workers side by side, and the processes that they start, share the cores: with several threads each they would wait
# for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import innerjudge
import pytest
from hypothesis import settings
from innerjudge.models.loading import LanguageModel, load

# The same examples in every run of one commit, so that a red run can be repeated; `--hypothesis-profile default` draws.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: else one process would still work on some when the other has none left."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


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


@pytest.fixture(scope="module")
def no_pixels() -> Iterator[None]:
    """Plots of reports are made, but not turned into pixels, which takes half of a small comparison.

    For modules that look at no plot; those of real data, ``study/test_study.py`` and the notebooks turn them.
    """
    from innerjudge.experiments.compare.report import page
    from matplotlib.figure import Figure

    blank = io.BytesIO()
    Figure(figsize=(1, 1)).savefig(blank, format="png", dpi=10)

    def unpainted(drawing: Figure) -> bytes:
        assert drawing.axes
        return blank.getvalue()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "png", unpainted)
        yield


class Forks:
    """Processes that have imported what they need when they begin: most of a short one would go into that."""

    def __init__(self, folder: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(Path(innerjudge.__path__[0]).parent)}
        typed = [sys.executable, str(Path(__file__).with_name("forks.py"))]
        pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
        self._server = subprocess.Popen(typed, env=environment, text=True, **pipes)
        self._folder, self._begun = folder, 0

    def ask(self, **asked: object) -> int:
        """What the server says."""
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def begin(self, code: str, folder: Path, *paths: Path) -> Fork:
        """Run the code as ``python -c`` would in ``folder``, with ``paths`` before those of Python."""
        self._begun += 1
        out, err = (self._folder / f"{self._begun}-{name}" for name in ("out", "err"))
        given = {"folder": str(folder), "paths": [*map(str, paths)], "out": str(out), "err": str(err)}
        return Fork(self, self.ask(code=code, **given), out, err)

    def script(self, path: Path, folder: Path, *more: str) -> Fork:
        """Run a script with a folder and what else stands behind it, in that folder."""
        typed = [str(path), str(folder), *more]
        code = f"import runpy, sys\nsys.argv = {typed!r}\nrunpy.run_path({str(path)!r}, run_name='__main__')"
        return self.begin(code, folder)

    def close(self) -> None:
        """End the server."""
        self._server.kill()
        self._server.communicate()


@dataclass
class Fork:
    """One of them; used in a ``with`` block, it is over at its end."""

    forks: Forks
    pid: int
    out: Path
    err: Path
    returncode: int | None = None

    def __enter__(self) -> Fork:
        return self

    def __exit__(self, *_: object) -> None:
        self.communicate()

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        if self.returncode is not None:
            return True
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"

    def readline(self) -> str:
        """The first line that it prints, once it has."""
        while not (self.out.is_file() and "\n" in self.out.read_text("utf-8")):
            assert not self.over, self.err.read_text("utf-8")
            time.sleep(0.01)
        return self.out.read_text("utf-8").splitlines(keepends=True)[0]

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def communicate(self, timeout: float = float("inf")) -> tuple[str, str]:
        """Wait for its end, for so many seconds; what it printed, and what it said of errors."""
        until = time.monotonic() + timeout
        while not self.over:
            assert time.monotonic() < until, f"it goes on after {timeout} s"
            time.sleep(0.01)
        if self.returncode is None:
            self.returncode = self.forks.ask(wait=self.pid)
        return self.out.read_text("utf-8"), self.err.read_text("utf-8")


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Where short processes begin."""
    if sys.platform != "linux":
        pytest.skip("runs are forks")
    found = Forks(tmp_path_factory.mktemp("forks"))
    yield found
    found.close()


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
