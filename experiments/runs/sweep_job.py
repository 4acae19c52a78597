"""A sweep from folder to folder: the table, what was picked, and the curves over layers."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from ...extraction.provenance import versions
from ...extraction.store import FeatureStore
from ..compare.report.judge_plots import png, sweep_plot
from ..compare.sweep import Sweep, sentences, sweep
from ..data.datasets import drawn_rows
from ..data.labels import label_to_fit
from ..data.outputs import check_new, require_room, writing
from .job_files import read_items_of, read_job

_FILES = {"sweep.csv", "sweep.json", "sweep.png"}


def sweep_job(
    features_folder: str | Path,
    out: Path,
    *,
    limit: int | None = None,
    fit_share: float = 0.5,
    n_splits: int = 100,
    seed: int = 0,
    command: str = "",
) -> Sweep:
    """Sweep an extraction and write ``sweep.csv``, ``sweep.png`` and then ``sweep.json``.

    Args:
        features_folder: What ``innerjudge extract`` wrote, folder or URI.
        out: Folder to write; files of an earlier sweep there are replaced.
        limit: At most this many items, whole questions drawn at random.
        fit_share: See :func:`.sweep.sweep`.
        n_splits: See :func:`.sweep.sweep`.
        seed: Seed of the draws.
        command: What was typed, for the record.

    Raises:
        InnerjudgeError: If the folder holds no extraction, nothing can be swept, or ``out`` holds other files.
    """
    check_new(out, ours="sweep.json", begun=_FILES)
    require_room(out)
    job, store = read_job(features_folder), FeatureStore.open(features_folder, check="checksums")
    items = list(read_items_of(features_folder))
    rows = drawn_rows(items, limit, seed=seed)
    labels = [
        items[k].extra.get("preferred") if job["kind"] == "pair" else label_to_fit(items[k], job["scale"]) for k in rows
    ]
    kind = "trace" if job["kind"] == "pair" else job["kind"]
    found = sweep(store.features(rows=rows), labels, kind, fit_share=fit_share, n_splits=n_splits, seed=seed)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        found.table.to_csv(out / "sweep.csv", index=False)
        (out / "sweep.png").write_bytes(png(sweep_plot(found)))
        record = json.dumps(_record(found, command, seed), indent=1, allow_nan=False)
        (out / "sweep.json").write_text(record, encoding="utf-8")
    return found


def _record(found: Sweep, command: str, seed: int) -> dict[str, object]:
    cell = {k: _plain(v) for k, v in found.table.loc[found.picked].items()}
    return {
        "command": command,
        "seed": seed,
        "versions": dict(versions()),
        "metric": found.metric,
        "cells": len(found.table),
        "n_fit": found.n_fit,
        "n_test": found.n_test,
        "picked": cell,
        "honest": found.honest.told(),
        "optimism": asdict(found.noise),
        "said": list(sentences(found)),
        "notes": list(found.notes),
    }


def _plain(value: object) -> object:
    if value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
