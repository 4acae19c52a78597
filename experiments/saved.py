"""A fitted judge as a folder: the judge, and how it was made, so that it is asked later as it was then."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..models.errors import InnerjudgeError
from ..probes import Judge, storage

_MADE = "made.json"


@dataclass(frozen=True, slots=True)
class Made:
    """How a saved judge was made.

    Args:
        name: Name on the panel, such as ``"clue-margin"``.
        kind: Kind of the items that it was fitted on.
        scale: Lowest and highest score that ratings were asked for.
    """

    name: str
    kind: str
    scale: tuple[int, int]


def save(judge: Judge, made: Made, folder: Path) -> None:
    """Write the judge and beside it ``made.json``."""
    storage.save(judge, folder)
    (folder / _MADE).write_text(json.dumps(asdict(made)), encoding="utf-8")


def load(folder: Path) -> tuple[Judge, Made]:
    """Inverse of :func:`save`; without ``made.json`` (saved from Python) it goes by its class, scale 1 to 5.

    Raises:
        InnerjudgeError: If the folder holds no judge, or ``made.json`` is damaged.
    """
    judge = storage.load(folder)
    path = folder / _MADE
    if not path.is_file():
        return judge, Made(type(judge).__name__, "", (1, 5))
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        low, high = data["scale"]
        return judge, Made(str(data["name"]), str(data["kind"]), (int(low), int(high)))
    except (ValueError, TypeError, KeyError):
        raise InnerjudgeError(
            f"given {path}, which is damaged, expected what `innerjudge fit` wrote: fit again"
        ) from None


def identity(judge: Judge) -> str:
    """Hash of a judge's parameters and of what it learned: verdicts of two fits are told apart by it."""
    digest = hashlib.sha256(repr(judge).encode())
    if judge.provenance_ is not None:
        digest.update(judge.provenance_.fingerprint.encode())
    for name in judge.fitted:
        value = getattr(judge, name, None)
        digest.update(name.encode() + (value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()))
    return digest.hexdigest()[:12]
