"""Kill every command where it leaves something half-written, and type it again: `python left.py FOLDER [COMMAND...]`.

Each run is a fork of this process, which has loaded everything. Prints one JSON object: command -> how often it was
killed, and the names that its second run left which an undisturbed one does not (and those that it lacks).
"""

from __future__ import annotations

import json
import os
import pkgutil
import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch
from innerjudge import load
from innerjudge.experiments.cli.main import main
from innerjudge.models.foreign import HALF, TRIAL

_SOLVE = ("--data", "builtin:solve", "--limit", "6")
_CHOOSE = ("--data", "builtin:choose", "--limit", "16", "--reasoning-tokens", "0")
_JUDGES = ("--judges", "qk-score,letter-logits")
STUDY = "data: [{source: builtin:choose, limit: 24}]\njudges: [qk-score, letter-logits]\nreasoning_tokens: 0\n"
#: What is made first, and what is killed; every command writes into ``out``.
MADE = {
    "store": ("extract", "--data", "builtin:solve", "--limit", "24", "--candidates", "4", "--out", "store"),
    "judge": ("fit", "--features", "store", "--judge", "clue", "--out", "judge"),
    "verdicts": ("score", "--features", "store", "--judge", "judge", "--out", "verdicts.jsonl"),
}
KILLED = {
    "extract": ("extract", *_SOLVE, "--candidates", "2", "--shard-items", "6", "--out", "out"),
    "fit": ("fit", "--features", "store", "--judge", "clue", "--out", "out"),
    "score features": ("score", "--features", "store", "--judge", "judge", "--out", "out/v.jsonl"),
    "score items": ("score", *_SOLVE, "--candidates", "2", "--judge", "judge", "--out", "out/v.jsonl"),
    "rank": ("rank", "--features", "store", "--judge", "judge", "--out", "out/r.jsonl"),
    "sample": (*("sample", *_SOLVE, "--judge", "judge", "--n", "2", "--max-new-tokens", "8"),
               *("--batch-size", "1", "--out", "out/s.jsonl")),
    "sweep": ("sweep", "--features", "store", "--splits", "2", "--out", "out"),
    "select": ("select", "--scores", "verdicts.jsonl", "--out", "out/p.jsonl"),
    "curves": ("curves", "--scores", "verdicts.jsonl", "--orders", "2", "--out", "out"),
    "export": ("store", "export", "store", "--out", "out/x.npz"),
    "merge": ("store", "merge", "store", "--out", "out"),
    "compare": ("compare", *_CHOOSE, *_JUDGES, "--out", "out"),
    "study": ("study", "study.yaml", "--out", "out"),
}  # fmt: skip


class Dying:
    """Ends the process at the ``at``-th rename of a file, or, where that is ``None``, in the trial of a place."""

    def __init__(self, at: int | None, count: Callable[[int], None] = lambda _n: None) -> None:
        self._at, self._count, self.seen = at, count, 0
        self._own = {name: getattr(Path, name) for name in ("replace", "rmdir")}
        Path.replace = lambda path, target: self._replace(path, target)  # type: ignore[method-assign,assignment]
        Path.rmdir = lambda path: self._rmdir(path)  # type: ignore[method-assign,assignment]

    def _replace(self, path: Path, target: Path) -> Path:
        if self.seen == self._at:
            os._exit(9)
        self.seen += 1
        self._count(self.seen)
        return self._own["replace"](path, target)

    def _rmdir(self, path: Path) -> None:
        if self._at is None and path.name == TRIAL and path.is_dir():
            os._exit(9)
        self._own["rmdir"](path)


def run(typed: tuple[str, ...], at: int | None = -1) -> tuple[int, int]:
    """The command in a fork: how it ended, and the files that it renamed."""
    told = Path("renamed")
    child = os.fork()
    if not child:
        with open(os.devnull, "w") as nothing, open("said", "w") as said:
            os.dup2(nothing.fileno(), 1), os.dup2(said.fileno(), 2)
            Dying(at, lambda n: told.write_text(str(n)) and None)
            sys.argv = ["innerjudge", *typed]
            code = 1
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    seen = int(told.read_text()) if told.is_file() else 0
    told.unlink(missing_ok=True)
    return os.WEXITSTATUS(status), seen


def names() -> set[str]:
    """What stands beside and in the output; the files of an index have names that times are part of."""
    every = [path for path in Path().rglob("*") if path.parent.name != "index" or path.name.startswith(".")]
    return {path.as_posix() for path in every} - {"said"}


def left(name: str) -> dict[str, object]:
    """Kill a command in its trial of the place and at its first and last rename; type it again each time."""
    code, renames = run(KILLED[name])
    if code:
        raise SystemExit(f"{name}: {Path('said').read_text()}")
    whole, kills, odd = names(), 0, list[str]()
    for at in (None, *sorted({0, renames - 1} if renames else ())):
        shutil.rmtree("out", ignore_errors=True)
        if run(KILLED[name], at)[0] != 9:
            continue  # it tries no place
        kills += 1
        halves = names() - whole
        assert at is None or any(one.endswith(HALF) or "/.aside-" in one for one in halves), (name, at, halves)
        code, _ = run(KILLED[name])
        said = Path("said").read_text()[-300:] if code else ""
        odd += [f"{at}: {one}" for one in sorted(names() ^ whole)] + ([f"{at}: {said}"] if said else [])
    shutil.rmtree("out", ignore_errors=True)
    return {"kills": kills, "odd": odd}


def import_all() -> None:
    """What commands import when they are typed, which each fork would do again."""
    for room in ("compare", "runs", "selection", "study"):
        package = import_module(f"innerjudge.experiments.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)


if __name__ == "__main__":
    torch.set_num_threads(1)
    import_all()
    os.chdir(sys.argv[1])
    Path("study.yaml").write_text(STUDY)
    load("reference")
    for made in MADE.values():
        if run(made)[0]:
            raise SystemExit(Path("said").read_text())
    print(json.dumps({name: left(name) for name in sys.argv[2:] or KILLED}))  # noqa: T201
