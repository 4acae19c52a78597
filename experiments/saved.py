"""A fitted judge as a folder: the judge, and how it was made, so that it is asked later as it was then."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..models.errors import InnerjudgeError
from ..probes import BaseJudge, storage

_MADE = "made.json"
#: The file that tells a whole judge; it is written last.
WHOLE = "judge.json"
#: What a run that was killed before it may have left.
BEGUN = frozenset({_MADE, f"{_MADE}.tmp", "judge.safetensors", f"{WHOLE}.tmp"})


@dataclass(frozen=True, slots=True)
class Made:
    """How a saved judge was made.

    Args:
        name: Name on the panel, such as ``"clue-margin"``.
        kind: Kind of the items that it was fitted on.
        scale: Lowest and highest score that ratings were asked for.
        features: Hash of the features and labels that it was fitted on; empty where it was saved from Python.
        limit: At most so many items were used.
        seed: Of their draw.
    """

    name: str
    kind: str
    scale: tuple[int, int]
    features: str = ""
    limit: int | None = None
    seed: int = 0


def save(judge: BaseJudge, made: Made, folder: Path) -> None:
    """Write ``made.json`` and then the judge, whose header stands for the whole."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{_MADE}.tmp"
    temporary.write_text(json.dumps(asdict(made)), encoding="utf-8")
    temporary.replace(folder / _MADE)
    storage.save(judge, folder)


def load(folder: Path) -> tuple[BaseJudge, Made]:
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
        more = {name: data[name] for name in ("features", "limit", "seed") if name in data}
        return judge, Made(str(data["name"]), str(data["kind"]), (int(low), int(high)), **more)
    except (ValueError, TypeError, KeyError):
        raise InnerjudgeError(
            f"given {path}, which is damaged, expected what `innerjudge fit` wrote: fit again"
        ) from None


def require_kind(made: Made, kind: str, scale: tuple[int, int], source: str) -> None:
    """Refuse items of another kind, or on another scale, than a judge was fitted on.

    Responses of pairs and rated responses are read alike, and count as one kind.

    Raises:
        InnerjudgeError: Names both.
    """
    alike = {"pair": "rating"}
    if made.kind and alike.get(made.kind, made.kind) != alike.get(kind, kind):
        raise InnerjudgeError(
            f"given {source} with {kind} items for the judge {made.name}, which was fitted on {made.kind} items, "
            f"expected {made.kind} items: name others, or fit a judge on {kind} items"
        )
    if made.kind and kind in ("rating", "pair") and scale != made.scale:
        theirs, mine = ("{}-{}".format(*s) for s in (scale, made.scale))
        raise InnerjudgeError(
            f"given {source} on the scale {theirs} for the judge {made.name}, which was fitted on {mine}, expected "
            f"features on {mine}: extract with --scale {mine}"
        )


def identity(judge: BaseJudge) -> str:
    """Hash of a judge's parameters and of what it learned: verdicts of two fits are told apart by it."""
    digest = hashlib.sha256(repr(judge).encode())
    if judge.provenance_ is not None:
        digest.update(judge.provenance_.fingerprint.encode())
    for name in judge.fitted:
        value = getattr(judge, name, None)
        digest.update(name.encode() + (value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()))
    return digest.hexdigest()[:12]
