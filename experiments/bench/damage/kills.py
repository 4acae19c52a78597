"""Commands killed at any moment and typed again: the same files, and nothing left behind."""

import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .artefacts import KILLED, MADE, TIMED
from .typed import Typist


@dataclass(slots=True)
class Killed:
    """What came of the kills of one command: those that came in time, and the rounds that ended otherwise."""

    command: str
    kills: int = 0
    ended_first: int = 0
    same: int = 0
    lost: list[str] = field(default_factory=list)


def kill(name: str, base: Path, scratch: Path, typist: Typist, kills: int, seed: int) -> Killed:
    """Kill a command so many times, each in a folder of its own, and type it again there."""
    whole = _folder(scratch / "whole", base, KILLED[name])
    ended = typist.run(whole, MADE[name])
    if ended.code:
        raise SystemExit(f"{name}: {ended.err}")
    wanted, found = _files(whole), Killed(name)
    draw = random.Random(f"{seed} {name}")
    while found.kills < kills and found.ended_first < 10 * kills:
        folder = _folder(scratch / "killed", base, KILLED[name])
        first = typist.run(folder, MADE[name], kill_after=draw.random() * ended.seconds)
        if first.code >= 0:
            found.ended_first += 1  # by itself: no kill
        else:
            found.kills += 1
            again = typist.run(folder, MADE[name])
            now = _files(folder)
            if again.code:
                found.lost.append(f"refused: {again.err.strip()[-300:]}")
            elif now != wanted:
                odd = sorted(k for k in now.keys() | wanted.keys() if now.get(k) != wanted.get(k))
                found.lost.append(f"other files: {', '.join(odd[:5])}")
            else:
                found.same += 1
        shutil.rmtree(folder)
    shutil.rmtree(whole)
    return found


def _folder(folder: Path, base: Path, needed: tuple[str, ...]) -> Path:
    folder.mkdir(parents=True)
    for name in needed:
        (folder / name).symlink_to(base / name)
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    """The files that a run leaves, whatever it is, but for kept steps; nothing half-written may stay."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        half = path.name.startswith(".") or path.name.endswith((".tmp", ".part"))
        if path.is_file() and (half or not {*TIMED, "kept"} & {*name.parts}):
            found[str(name)] = b"" if half else path.read_bytes()
    return found
