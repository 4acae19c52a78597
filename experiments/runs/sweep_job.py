"""A sweep from folder to folder: the table, what was picked, and the curves over layers."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...extraction.provenance import versions
from ...extraction.store import FeatureStore
from ...models.foreign import HALF
from ..compare.report.judge_plots import png, sweep_plot
from ..compare.sweep import Keep, Sweep, sentences, sweep
from ..data.datasets import drawn_rows
from ..data.jsonl import check_new, writing
from ..data.kinds import hash_of
from ..data.labels import label_to_fit
from ..judges.fitting import STREAMED
from ..reading.progress import Steps, silent
from ..stats.statistic import Floats
from .job import read_items_of, read_job
from .part_file import PartFile, forget

_FILES = {"sweep.csv", "sweep.json", "sweep.json.part", f"sweep.json.part{HALF}", "sweep.png"}


def sweep_job(
    features_folder: str | Path, out: Path, *, roles: Sequence[str] = (), heads: Sequence[str] = (),
    limit: int | None = None, fit_share: float = 0.5, n_splits: int = 100, seed: int = 0, command: str = "",
    steps: Steps = silent
) -> Sweep:  # fmt: skip
    """Sweep an extraction and write ``sweep.csv``, ``sweep.png`` and then ``sweep.json``.

    Every fit is kept as soon as it is made, so that a killed sweep resumes where it stopped. ``features_folder`` is
    what ``innerjudge extract`` wrote, folder or URI; files of an earlier sweep in ``out`` are replaced. At most
    ``limit`` items are used, whole questions drawn at random; ``roles``, ``heads``, ``fit_share`` and ``n_splits`` are
    those of :func:`.sweep.sweep`, and ``command`` is what was typed, for the record. ``InnerjudgeError`` if the folder
    holds no extraction, nothing can be swept, or ``out`` holds other files.
    """
    check_new(out, ours="sweep.json", begun=_FILES)
    job, store = read_job(features_folder), FeatureStore.open(features_folder, check="checksums")
    items = list(read_items_of(features_folder))
    rows = drawn_rows(items, limit, seed=seed)
    kind, some = "trace" if job["kind"] == "pair" else job["kind"], [items[k] for k in rows]
    preferred = [one.extra.get("preferred") for one in some]
    labels = preferred if job["kind"] == "pair" else [label_to_fit(one, job["scale"]) for one in some]
    features = store.features(rows=rows, most=STREAMED)
    told = [job, [(features.ids[k], str(label)) for k, label in enumerate(labels)], fit_share, seed, dict(versions())]
    told += [[*roles], [*heads]] if roles or heads else []
    with writing(out):
        part = PartFile(out / "sweep.json", hash_of([json.dumps(told, sort_keys=True)]), size=1, other="drop")
        how: Any = {"fit_share": fit_share, "n_splits": n_splits, "seed": seed, "steps": steps}
        found = sweep(features, labels, kind, roles=roles, heads=heads, keep=_kept_in(part), **how)
        out.mkdir(parents=True, exist_ok=True)
        found.table.to_csv(out / "sweep.csv", index=False)
        (out / "sweep.png").write_bytes(png(sweep_plot(found)))
        record = json.dumps(_record(found, command, seed), indent=1, allow_nan=False)
        (out / "sweep.json").write_text(record, encoding="utf-8")
        forget(out / "sweep.json")
    return found


def _kept_in(part: PartFile) -> Keep:
    """Gives the fits of a killed run again, in their order, and keeps those that are made now."""
    given = iter([row["values"] for row in part.rows])

    def keep(make: Callable[[], Floats]) -> Floats:
        known = next(given, None)
        if known is not None:
            return np.array([np.nan if value is None else value for value in known], dtype=np.float64)
        made = make()
        part.add([{"values": [None if np.isnan(value) else value for value in made.tolist()]}])
        return made

    return keep


def _record(found: Sweep, command: str, seed: int) -> dict[str, object]:
    return {
        "command": command,
        "seed": seed,
        "versions": dict(versions()),
        "metric": found.metric,
        "cells": len(found.table),
        "n_fit": found.n_fit,
        "n_test": found.n_test,
        "picked": {k: _plain(v) for k, v in found.table.loc[found.picked].items()},
        "honest": found.honest.told(),
        "optimism": asdict(found.noise),
        "said": list(sentences(found)),
        "notes": list(found.notes),
    }


def _plain(value: object) -> object:
    if value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
