"""One artefact or command of the damage test, so that several can be tried at a time."""

import tempfile
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from .artefacts import ARTEFACTS, inputs_of, make, typed_of
from .flips import OUTCOMES, flip
from .kills import kill
from .typed import Typist


def work(free: "SimpleQueue[Typist]", where: str, name: str, flips: int, kills: int, seed: int) -> dict[str, Any]:
    """Flip the artefact, or kill the command, of that name, in a folder of its own, typed by one who is free."""
    typist = free.get()
    try:
        with tempfile.TemporaryDirectory() as room:
            base = Path(room, "base")
            if where == "kills":
                make(base, typist, inputs_of(typed_of(name)))
                return asdict(kill(name, base, Path(room, "kills"), typist, kills, seed))
            artefact = next(one for one in ARTEFACTS if one.name == name)
            make(base, typist, [artefact.made, *(given for typed in artefact.readers for given in inputs_of(typed))])
            found = flip(artefact, base, typist, flips, seed)
        return asdict(replace(found, rounds=Counter())) | {"rounds": {name: found.rounds[name] for name in OUTCOMES}}
    finally:
        free.put(typist)
