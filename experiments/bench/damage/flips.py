"""One byte of a file changed: what those who read it say, and what the command that wrote it does."""

import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .artefacts import MADE, Artefact, content_of, matching
from .typed import Ended, Typist

#: How a round may end.
OUTCOMES = ("healed", "noticed", "harmless", "silent")
_Tree = dict[str, bytes]


@dataclass(slots=True)
class Flipped:
    """What came of the flips of one kind of artefact: files, flips, the rounds by outcome, and the worst of them."""

    artefact: str
    files: int = 0
    flips: int = 0
    rounds: Counter[str] = field(default_factory=Counter)
    worst: list[str] = field(default_factory=list)


def flip(artefact: Artefact, base: Path, typist: Typist, flips: int, seed: int) -> Flipped:
    """Flip each file of an artefact so many times.

    A round is *healed* where the same command made what was lost again, *noticed* where one line says what is wrong and
    nothing wrong came of it, *harmless* where all came out as without the flip, and else *silent*.
    """
    unbroken = _tree(base)
    wanted = _read(artefact, base, typist)
    finals = _finals(artefact, base)
    found = Flipped(artefact.name)
    if artefact.begun:
        output = artefact.begun.split("/")[0].removesuffix(".part").removesuffix(".drafts")
        for path in (base / output, base / f"{output}.sha256"):
            if path.exists():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        typist.run(base, MADE[artefact.made], once=artefact.begun)
    before = _tree(base)
    files = [str(path.relative_to(base)) for path in matching(base, artefact.files)]
    if not files:
        raise SystemExit(f"{artefact.name}: nothing to flip, {artefact.files}")
    found.files = len(files)
    groups = [files] if artefact.at_once else [[one] for one in files]
    for number, group in enumerate(groups):
        draw = random.Random(f"{seed} {artefact.name} {number}")
        for _ in range(flips):
            _restore(base, before)
            places = [_flip(base / name, draw) for name in group]
            found.flips += sum(place is not None for place in places)
            outcome, why = _round(artefact, base, typist, group, wanted, finals)
            found.rounds[outcome] += 1
            if outcome == "silent" and len(found.worst) < 20:
                found.worst.append(f"{', '.join(group[:2])} at {places[0]}: {why}")
    _restore(base, unbroken)
    return found


def _round(
    artefact: Artefact, base: Path, typist: Typist, files: list[str], wanted: list[object], finals: _Tree
) -> tuple[str, str]:
    flipped = {name: (base / name).read_bytes() for name in files}
    first = _read(artefact, base, typist)
    said = [*first]
    ended, whole = None, True
    if artefact.again:
        ended = typist.run(base, MADE[artefact.made])
        if ended.code and not ended.refused:
            return "silent", f"the command: {ended.err.strip()[-300:]}"
        if not ended.code and _finals(artefact, base) != finals:
            return "silent", "the command ended well, with other results"
        last = _read(artefact, base, typist)
        said += last
        whole = not ended.code and last == wanted
    for one, right in zip(said, wanted * 2, strict=False):
        if one != right and not (isinstance(one, Ended) and one.refused):
            return "silent", f"read otherwise: {_last_line(one)}"
    if any(isinstance(one, Ended) for one in first) or (ended is not None and ended.code):
        return ("healed" if ended is not None and whole else "noticed"), ""
    now = {name: (base / name).read_bytes() if (base / name).is_file() else b"" for name in files}
    return ("harmless" if now == flipped else "healed"), ""


def _last_line(one: object) -> str:
    return one.err.strip()[-300:] if isinstance(one, Ended) else "another result"


def _read(artefact: Artefact, base: Path, typist: Typist) -> list[object]:
    """What each reader says and writes; how it ended, where it did not end well."""
    found: list[object] = []
    for typed in artefact.readers:
        shutil.rmtree(base / "read", ignore_errors=True)
        (base / "read").mkdir()
        ended = typist.run(base, typed)
        plain = {k: v for k, v in _tree(base / "read").items() if "/index/" not in k}
        found.append(ended if ended.code else (ended.out, plain))
    shutil.rmtree(base / "read", ignore_errors=True)
    return found


def _finals(artefact: Artefact, base: Path) -> _Tree:
    return {str(path.relative_to(base)): content_of(path) for path in matching(base, artefact.outcome)}


def _flip(path: Path, draw: random.Random) -> int | None:
    """Change one byte; the place, or nothing where the file has none."""
    raw = bytearray(path.read_bytes())
    if not raw:
        return None
    place = draw.randrange(len(raw))
    raw[place] ^= draw.randrange(1, 256)
    path.write_bytes(bytes(raw))
    return place


def _tree(folder: Path) -> _Tree:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _restore(folder: Path, tree: _Tree) -> None:
    now = _tree(folder)
    for name in now.keys() - tree.keys():
        (folder / name).unlink()
    for name, content in tree.items():
        if now.get(name) != content:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
