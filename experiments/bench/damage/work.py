"""One artefact or command of the damage test, so that several can be tried at a time."""

import tempfile
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .artefacts import ARTEFACTS, KILLED, make
from .flips import OUTCOMES, flip
from .kills import kill
from .typed import Typist


def work(where: str, number: int, flips: int, kills: int, seed: int) -> dict[str, Any]:
    """Flip the artefact, or kill the command, of that number, in a folder and with a process of its own."""
    with tempfile.TemporaryDirectory() as room, Typist() as typist:
        base = Path(room, "base")
        make(base, typist)
        if where == "kills":
            return asdict(kill([*KILLED][number], base, Path(room, "kills"), typist, kills, seed))
        found = flip(ARTEFACTS[number], base, typist, flips, seed)
    return asdict(replace(found, rounds=Counter())) | {"rounds": {name: found.rounds[name] for name in OUTCOMES}}
