"""Commands killed at any moment and typed again: the same files, and nothing left behind."""

import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .artefacts import MADE, SAID, TIMED, UNNAMED, content_of, inputs_of, output_of, typed_of
from .typed import Ended, Typist

#: What is printed of a plan: seconds, and the room on the disk.
_MEASURED = ("plan",)
_Left = tuple[dict[str, bytes], str]


@dataclass(slots=True)
class Killed:
    """What came of the kills of one command: those that came in time, and the rounds that ended otherwise.

    ``kills`` are by the clock; ``at_changes`` came just before a file was changed, before each of them where a command
    changes few. Both are followed by the same command: either it leaves the ``same`` files, or something is ``lost``.
    """

    command: str
    kills: int = 0
    at_changes: int = 0
    ended_first: int = 0
    same: int = 0
    lost: list[str] = field(default_factory=list)


def kill(name: str, base: Path, scratch: Path, typist: Typist, kills: int, seed: int) -> Killed:
    """Kill a command so many times by the clock and by changes of files, each in a folder of its own; type it again."""
    whole = _folder(scratch / "whole", base, name)
    ended = typist.run(whole, typed_of(name))
    if ended.code:
        raise SystemExit(f"{name}: {ended.err}")
    wanted, found, life = left_by(name, whole, ended), Killed(name), ended.seconds
    shutil.rmtree(whole)
    draw = random.Random(f"{seed} {name}")
    while found.kills < kills and found.ended_first < 10 * kills:
        folder = _folder(scratch / "killed", base, name)
        first = typist.run(folder, typed_of(name), kill_after=draw.random() * life)
        if first.code >= 0:
            found.ended_first += 1  # by itself: no kill
            life = min(life, first.seconds)  # the first time takes longer
        else:
            found.kills += 1
            _again(name, folder, typist, wanted, found, f"after {first.seconds:.3f} s")
        shutil.rmtree(folder)
    for place in sorted(draw.sample(range(1, ended.changes + 1), min(kills, ended.changes))):
        folder = _folder(scratch / "killed", base, name)
        if typist.run(folder, typed_of(name), kill_at=place).code < 0:
            found.at_changes += 1
            _again(name, folder, typist, wanted, found, f"before change {place}")
        shutil.rmtree(folder)
    return found


def _again(name: str, folder: Path, typist: Typist, wanted: _Left, found: Killed, when: str) -> None:
    again = typist.run(folder, typed_of(name))
    now = left_by(name, folder, again)
    if again.code:
        found.lost.append(f"{when}: refused: {again.err.strip()[-300:]}")
    elif now != wanted:
        odd = sorted(k for k in now[0].keys() | wanted[0].keys() if now[0].get(k) != wanted[0].get(k))
        found.lost.append(f"{when}: other files: {', '.join(odd[:5]) or 'none, but other words'}")
    else:
        found.same += 1


def _folder(folder: Path, base: Path, name: str) -> Path:
    folder.mkdir(parents=True)
    outputs = [output_of(MADE[one]) for one in inputs_of(typed_of(name))]
    ours = {output for one in outputs for output in (one, f"{one}.sha256")}
    for path in base.iterdir():
        if path.name in {"study.yaml", "scores.jsonl", "traces.jsonl", "q0_0.npy", "keys.txt"} | ours:
            (folder / path.name).symlink_to(path)
    return folder


def left_by(name: str, folder: Path, ended: Ended) -> _Left:
    """The files that a run leaves, whatever it is, but for kept steps, and what it printed if it is there to print.

    Nothing half-written may stay, be it a folder.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        at = path.relative_to(folder)
        if path.name.startswith(".") or path.name.endswith((".tmp", ".part", ".drafts")):
            found[str(at)] = b""
        elif path.is_file() and not {*UNNAMED, "kept"} & {*at.parts}:
            found[str(at)] = b"" if path.name in TIMED else content_of(path)
    return found, ended.out if name in SAID and name not in _MEASURED else ""
