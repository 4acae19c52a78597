"""Fit one judge of the panel on extracted features, from folder to folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from ..models.items import Choice
from ..probes import Judge, LearningJudge, storage
from . import saved
from .cli_options import bounds
from .datasets import take_groups
from .fitting import fit_seat
from .jobs import check_new
from .jsonl import read_items
from .kinds import kind_of
from .labels import label_to_fit
from .panel import panel
from .saved import Made
from .variants import permuted


def fit_job(
    features_folder: Path, name: str, out: Path, *, between: tuple[str, str], limit: int | None = None, seed: int = 0
) -> str:
    """Fit the judge called ``name`` on labelled items of a features folder, and save it as the folder ``out``.

    Args:
        features_folder: What ``extract`` wrote.
        name: Name on the panel of the items' kind.
        out: Folder of the judge.
        between: Positions that CLUE and the probes read.
        limit: At most so many items, whole questions drawn at random; ``None`` for all.
        seed: Of that draw.
    """
    features = Features.load(features_folder)
    items = read_items(features_folder / "items.jsonl")
    job = json.loads((features_folder / "job.json").read_text(encoding="utf-8"))
    low, high = bounds(job["scale"])
    scale = (low, high)
    seats = panel(kind_of(items[0]), between=between, scale=scale)
    if name not in seats:
        raise InnerjudgeError(
            f"given the judge {name!r}, expected one for {kind_of(items[0])} items: {', '.join(seats)}"
        )
    judge = seats[name].judge
    check_new(out, ours="judge.json")
    if (out / "judge.json").is_file():
        return _already_fitted(judge, name, features, out)
    turned = None
    if (features_folder / "permuted" / "features.json").is_file():
        moved, _ = permuted(cast(Sequence[Choice], items), seed=int(job["seed"]))
        turned = (Features.load(features_folder / "permuted"), [item.answer for item in moved])
    labels = [label_to_fit(item, scale) for item in items]
    chosen = {item.id for item in (items if limit is None else take_groups(items, limit, seed=seed))}
    rows = np.array([k for k, item in enumerate(items) if item.id in chosen], dtype=np.intp)
    note = fit_seat(name, judge, features, labels, rows, permuted=turned)
    if isinstance(judge, LearningJudge) and judge.provenance_ is None:
        raise InnerjudgeError(f"{note} Expected labelled items that the judge can read: see features.json, 'missing'")
    if not isinstance(judge, LearningJudge):
        judge.provenance_ = features.provenance
        note = note or f"{name}: learns nothing from labels; set to these settings."
    saved.save(judge, Made(name, kind_of(items[0]), scale), out)
    known = sum(labels[k] is not None for k in rows)
    return f"{note or f'{name}: fitted on {known} items.'} It is saved as {out}."


def _already_fitted(judge: Judge, name: str, features: Features, out: Path) -> str:
    held = storage.load(out)
    if repr(held) != repr(judge):
        raise InnerjudgeError(f"given --out {out}, which holds {held!r}, expected a new folder for {name}: {judge!r}")
    if held.provenance_ is not None:
        held.provenance_.require(features.provenance, str(out))
    return f"{out} is complete already."
