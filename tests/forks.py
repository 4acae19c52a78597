"""Runs code in forks of this process, which has imported what nearly every command does; see the fixture `forks`.

Reads lines of JSON. One with ``code`` is run as `python -c` would, in a folder and with paths before those of Python,
and answered by the number of its process; one with ``wait`` is answered by how that process ended.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from importlib import import_module
from typing import Any, NoReturn

_HEAVY = (
    *("compare.compare", "compare.report.folder", "runs.extracting.extract_job", "runs.fit_job", "runs.score_job"),
    *("runs.sweep_job", "adapters.service.app", "cli.main"),
)


def run(code: str, folder: str, paths: list[str], out: str, err: str) -> NoReturn:
    """The code, and the end of this process."""
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in enumerate((out, err), start=1):
        os.dup2(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
    sys.path[:1] = ["", *paths]
    ended = 0
    try:
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        ended = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        ended = 1
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(ended)


def answer(asked: dict[str, Any]) -> int:
    """To one line."""
    if "wait" in asked:
        return os.waitstatus_to_exitcode(os.waitpid(asked["wait"], 0)[1])
    child = os.fork()
    if not child:
        run(**asked)
    return child


if __name__ == "__main__":
    for name in _HEAVY:
        import_module(f"innerjudge.experiments.{name}")
    with os.fdopen(os.dup(1), "w", buffering=1) as told:
        for line in sys.stdin:
            print(answer(json.loads(line)), file=told)
