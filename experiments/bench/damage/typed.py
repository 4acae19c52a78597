"""Commands typed in a process that has everything imported; those that may be killed run in one of their own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

#: Reads a folder and what is typed there; says the process, and then how it ended. What may be killed has its own.
_SERVER = """
import gc, json, os, pkgutil, signal, sys, traceback
from importlib import import_module
for room in ("cli", "compare", "runs", "selection", "study"):
    package = import_module(f"innerjudge.experiments.{room}")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        import_module(module.name)
import_module("innerjudge").load("reference")
how = import_module("innerjudge.extraction.writing.drafts").Drafts.__init__.__kwdefaults__
main = import_module("innerjudge.experiments.cli.main").main
CHANGES = {"open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate"}
told = os.fdopen(os.dup(1), "w", buffering=1)
asked = os.fdopen(os.dup(0))
often = how["seconds"]
seen = {"folder": None, "changes": 0, "last": -1}
def look(event, args):
    if seen["folder"] is None or event not in CHANGES or isinstance(args[0], int) or not args[0]:
        return
    if event == "open" and not (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return
    if os.path.abspath(os.fsdecode(args[0])).startswith(seen["folder"]):
        seen["changes"] += 1
        if seen["changes"] == seen["last"]:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(look)
gc.freeze()
def typed(folder, out, err, last, argv):
    os.chdir(folder)
    for name, number in ((out, 1), (err, 2)):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number), os.close(file)
    if os.path.exists("keys.txt"):
        file = os.open("keys.txt", os.O_RDONLY)
        os.dup2(file, 0), os.close(file)
        sys.stdin = os.fdopen(0, closefd=False)
    how["seconds"] = 0.0 if "drafted.jsonl" in argv else often
    sys.argv, code = ["innerjudge", *argv], 0
    seen.update(folder=os.getcwd() + os.sep, changes=0, last=last)
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 70
    seen["folder"] = None
    sys.stdout.flush(), sys.stderr.flush()
    return code
for line in asked:
    apart, *given = json.loads(line)
    child = os.fork() if apart else os.getpid()
    if not child:
        os._exit(typed(*given))
    print(child, file=told)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if apart else typed(*given), seen["changes"], file=told)
"""
#: Bytes that the first line of a file of parts has at most.
_HEADER = 200


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its code (negative where it was killed), what it said, its seconds and changes of files.

    A change is a file that is opened to be written, renamed or deleted, or a folder that is made or deleted, in the
    folder where the command is typed. They are counted only for a command that could not be killed.
    """

    code: int
    out: str
    err: str
    seconds: float
    changes: int = 0

    @property
    def refused(self) -> bool:
        """Whether it said in one line what is wrong, as it should."""
        return self.code == 2 and len(self.err.strip().splitlines()) == 1


class Typist:
    """Types commands; use it in a ``with`` block."""

    def __enter__(self) -> Self:
        self._said = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._said.cleanup()

    def run(
        self,
        folder: Path,
        typed: Sequence[str],
        *,
        kill_after: float | None = None,
        kill_at: int | None = None,
        once: str = "",
    ) -> Ended:
        """Type a command in a folder.

        Args:
            folder: Where.
            typed: What follows ``innerjudge``.
            kill_after: Seconds after which it is killed.
            kill_at: Number, from 1, of the change of a file before which it is killed; instead of ``kill_after``.
            once: Pattern of a file that must be there, with more than a header, before it is killed; instead of both.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # both are pipes
        assert stdout is not None
        out, err = (Path(self._said.name, name) for name in ("out", "err"))
        begun = time.monotonic()
        apart = bool(once) or kill_after is not None or kill_at is not None
        stdin.write(json.dumps([apart, str(folder), str(out), str(err), kill_at or -1, list(typed)]) + "\n")
        stdin.flush()
        child = int(stdout.readline())
        if once:
            _wait(folder, once, child)
        elif kill_after is not None:
            time.sleep(kill_after)
        if apart and kill_at is None:
            with suppress(ProcessLookupError):  # it may have ended by itself
                os.kill(child, signal.SIGKILL)
        code, changes = map(int, stdout.readline().split())
        said = [path.read_text("utf-8", "replace") for path in (out, err)]
        return Ended(code, said[0], said[1], time.monotonic() - begun, changes)


def _wait(folder: Path, once: str, child: int) -> None:
    """Wait until a file is there, or the process is gone."""
    while Path(f"/proc/{child}").exists():
        with suppress(FileNotFoundError):  # it may be renamed just now
            if any(path.stat().st_size > _HEADER for path in folder.glob(once)):
                return
        time.sleep(0.002)
