"""The steps of the main job one by one, from file to file, each resumable by the name of its output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from ..extraction.features import Features
from ..extraction.run import provenance
from ..models.errors import InnerjudgeError
from ..models.items import Choice, Item, Pair
from ..models.loading import LanguageModel
from ..probes import Judge, LearningJudge, storage
from .datasets import Dataset
from .fitting import fit_seat
from .jsonl import read_items, write_jsonl
from .kinds import item_to_row, kind_of
from .labels import label_of
from .panel import panel
from .sampling import sample_traces
from .variants import permuted, responses
from .verdict_rows import verdict_row
from .views import Passes, read

#: Items a part: what a killed extraction loses at most.
PART = 128


def items_of(lm: LanguageModel, data: Dataset, *, candidates: int, seed: int, passes: Passes) -> list[Item]:
    """Items of a data set: sampled for ``builtin:solve``, both responses of every pair as items of their own."""
    if data.problems:
        return list(
            sample_traces(
                lm,
                data.problems,
                n_candidates=candidates,
                seed=seed,
                batch_size=8 * passes.batch_size,
                steps=passes.steps,
            )
        )
    if data.kind == "pair":
        return list(responses(cast(Sequence[Pair], data.items)))
    return list(data.items)


def extract_job(
    lm: LanguageModel, get_items: Callable[[], list[Item]], out: Path, *, job: dict[str, Any], passes: Passes
) -> str:
    """Features of a data set into the folder ``out``; a killed run goes on where it stopped.

    Args:
        lm: The model.
        get_items: Loads or samples the items; not called where ``out`` holds them already.
        out: The folder: ``items.jsonl``, ``features.json``, ``features.safetensors`` (and ``permuted/`` for choices).
        job: What identifies the run; a folder begun by another job is refused.
        passes: How the model is run.

    Returns:
        What was done, in one sentence.
    """
    job = json.loads(json.dumps(job | {"provenance": provenance(lm).to_json()}))
    _claim(out, job)
    if (out / "features.json").is_file():
        return f"{out} is complete already: {len(Features.load(out))} items."
    if not (out / "items.jsonl").is_file():
        write_jsonl(out / "items.jsonl", (item_to_row(item) for item in get_items()))
    items = read_items(out / "items.jsonl")
    if kind_of(items[0]) == "choice":
        moved, _ = permuted(cast(Sequence[Choice], items), seed=int(job["seed"]))
        _in_parts(lm, moved, out / "permuted", passes)
    _in_parts(lm, items, out, passes)
    return f"{len(items)} items are in {out}."


def _claim(out: Path, job: dict[str, Any]) -> None:
    """Begin or continue the folder of one job."""
    header = out / "job.json"
    if header.is_file():
        begun = json.loads(header.read_text(encoding="utf-8"))
        differing = sorted(k for k in job.keys() | begun.keys() if job.get(k) != begun.get(k))
        if differing:
            raise InnerjudgeError(
                f"given --out {out}, begun by another job (other {', '.join(differing)}), expected the same "
                "job or a new folder: choose another --out or delete it"
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InnerjudgeError(
            f"given --out {out}, which holds other files, expected a new folder: choose another --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    header.write_text(json.dumps(job, indent=1), encoding="utf-8")


def _in_parts(lm: LanguageModel, items: Sequence[Item], out: Path, passes: Passes) -> None:
    if (out / "features.json").is_file():
        return
    parts = []
    for start in range(0, len(items), PART):
        folder = out / "parts" / f"{start:08d}"
        if not (folder / "features.json").is_file():
            read(lm, items[start : start + PART], passes).save(folder)
        parts.append(folder)
    Features.concat([Features.load(folder) for folder in parts]).save(out)
    for folder in parts:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    (out / "parts").rmdir()


def fit_job(features_folder: Path, name: str, out: Path, *, between: tuple[str, str], scale: tuple[int, int]) -> str:
    """Fit the judge called ``name`` on all labelled items of a features folder, and save it as the folder ``out``."""
    features = Features.load(features_folder)
    items = read_items(features_folder / "items.jsonl")
    seats = panel(kind_of(items[0]), between=between, scale=scale)
    if name not in seats:
        raise InnerjudgeError(
            f"given the judge {name!r}, expected one for {kind_of(items[0])} items: {', '.join(seats)}"
        )
    judge = seats[name].judge
    turned = None
    if (features_folder / "permuted" / "features.json").is_file():
        seed = int(json.loads((features_folder / "job.json").read_text(encoding="utf-8"))["seed"])
        moved, _ = permuted(cast(Sequence[Choice], items), seed=seed)
        turned = (Features.load(features_folder / "permuted"), [item.answer for item in moved])
    labels = [label_of(item) for item in items]
    import numpy as np

    note = fit_seat(name, judge, features, labels, np.arange(len(items)), permuted=turned)
    if isinstance(judge, LearningJudge) and judge.provenance_ is None:
        raise InnerjudgeError(f"{note} Expected labelled items that the judge can read: see features.json, 'missing'")
    if judge.provenance_ is None:
        judge.provenance_ = features.provenance
    storage.save(judge, out)
    return note or f"{name}: fitted on {sum(label is not None for label in labels)} items, saved as {out}."


def scores_of_features(judge: Judge, folder: Path) -> Iterator[dict[str, Any]]:
    """Verdict rows of a features folder."""
    features, items = Features.load(folder), read_items(folder / "items.jsonl")
    for item, verdict in zip(items, judge.verdicts(features), strict=True):
        yield verdict_row(item, verdict, data=folder.name, judge=type(judge).__name__)


def score_job(lm: LanguageModel, judge: Judge, items: Sequence[Item], out: Path, *, data: str, passes: Passes) -> str:
    """Verdict rows of items into the JSONL file ``out``; a killed run goes on after the rows of ``out.part``."""
    if out.is_file():
        return f"{out} is complete already."
    passes = replace(passes, needs=frozenset(judge.needs))
    part = out.with_name(out.name + ".part")
    done = _whole_lines(part)
    out.parent.mkdir(parents=True, exist_ok=True)
    with part.open("a", encoding="utf-8") as file:
        for start in range(done, len(items), PART):
            chunk = items[start : start + PART]
            for item, verdict in zip(chunk, judge.verdicts(read(lm, chunk, passes)), strict=True):
                row = verdict_row(item, verdict, data=data, judge=type(judge).__name__)
                file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            file.flush()
    part.replace(out)
    return f"{len(items)} verdicts are in {out}."


def _whole_lines(part: Path) -> int:
    """Rows of an earlier run that are whole chunks; a chunk cut short is dropped."""
    if not part.is_file():
        return 0
    lines = [line for line in part.read_text(encoding="utf-8").split("\n")[:-1] if line]
    keep = len(lines) // PART * PART
    part.write_text("".join(f"{line}\n" for line in lines[:keep]), encoding="utf-8")
    return keep


def ranking_rows(items: Sequence[Item], rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row a question: its candidates best first, and those that could not be scored with the reason."""
    named = sorted(zip(items, rows, strict=True), key=lambda pair: pair[0].group)
    for group, members in groupby(named, key=lambda pair: pair[0].group):
        pairs = list(members)
        scored = sorted((p for p in pairs if p[1]["unscored"] is None), key=lambda p: -float(p[1]["score"]))
        yield {
            "question_id": group,
            "ranking": [_ranked(item, row, place) for place, (item, row) in enumerate(scored, 1)],
            "unscored": [{"id": item.id, "reason": row["unscored"]} for item, row in pairs if row["unscored"]],
        }


def _ranked(item: Item, row: dict[str, Any], place: int) -> dict[str, Any]:
    found = {"rank": place, "id": item.id, "score": row["score"]}
    answer = getattr(item, "answer", None)
    return found | ({"answer": answer} if answer is not None else {})
