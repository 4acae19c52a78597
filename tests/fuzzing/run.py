"""Fuzz every public reader, or those of some groups or beginnings of names: `python run.py RUNS SEED FOLDER [NAME...]`.

Each reader runs in a process of its own. A line of JSON says how it went; with `--traced` instead of RUNS each reads
its good input once, and the line says which functions of innerjudge were called.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from harness import CODE, Reader, apart, fuzz, tell, warm_up
from readers import GROUPS


def traced(name: str, reader: Reader) -> dict[str, Any]:
    """The functions of innerjudge that a reader calls for its good input, as ``FILE:NAME``."""
    called: set[str] = set()

    def note(frame: FrameType, event: str, _given: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(CODE):
            called.add(f"{frame.f_code.co_filename}:{frame.f_code.co_firstlineno}")

    sys.setprofile(note)
    try:
        reader.read(reader.good)
    finally:
        sys.setprofile(None)
    return {"name": name, "bad": [], "called": sorted(called)}


def main(runs: str, seed: int, folder: Path, names: list[str]) -> None:
    """Fuzz or trace."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    os.environ["HF_HUB_OFFLINE"] = "1"
    said = os.dup(1)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1), os.dup2(nothing, 2)  # what libraries print of a broken file is of no interest
    for group in [group for group in GROUPS if group.__name__ in names] or GROUPS:
        own = folder / group.__name__
        own.mkdir()
        try:
            readers = list(group(own))
            warm_up()
            for name, reader in readers:
                if names and group.__name__ not in names and not name.startswith(tuple(names)):
                    continue
                if runs == "--traced":
                    apart(name, lambda name=name, reader=reader: traced(name, reader), said)  # type: ignore[misc]
                else:
                    apart(name, lambda n=name, r=reader: fuzz(n, r, int(runs), seed, folder), said)  # type: ignore[misc]
        except Exception:  # what should be good cannot be made
            tell(said, {"name": group.__name__, "bad": [traceback.format_exc()[-1000:]]})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
