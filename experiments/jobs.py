"""Extraction from file to file, resumable by the name of its output as long as it is the same job."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from ..extraction.features import Features
from ..extraction.provenance import provenance
from ..models.errors import InnerjudgeError
from ..models.items import Choice, Item, Pair
from ..models.loading import LanguageModel
from .datasets import Dataset
from .jsonl import read_items, write_jsonl
from .kinds import item_to_row, kind_of
from .outputs import check_new, writing
from .passes import Passes
from .sampling import sample_traces
from .variants import permuted, responses
from .views import read

#: Items a part: what a killed extraction loses at most.
PART = 128
HEADER = "job.json"
_HEADER_BEGUN = "job.json.tmp"
#: Words for what may differ between two jobs, where its name in the header says too little.
_SAID = {"items": "items: the data were edited"}


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


def check_extraction(out: Path) -> None:
    """Refuse a folder that holds anything but an extraction, before the model is loaded."""
    check_new(out, ours=HEADER, begun={_HEADER_BEGUN})


def extract_job(
    lm: LanguageModel, get_items: Callable[[], list[Item]], out: Path, *, job: dict[str, Any], passes: Passes
) -> str:
    """Features of a data set into the folder ``out``; a killed run goes on where it stopped.

    Args:
        lm: The model.
        get_items: Loads or samples the items; not called where ``out`` holds them already.
        out: The folder: ``items.jsonl``, ``features.json``, ``features.safetensors`` (and ``permuted/`` for choices).
        job: What identifies the run, the content of its data included; a folder begun by another job is refused.
        passes: How the model is run.

    Returns:
        What was done, in one sentence.

    Raises:
        InnerjudgeError: If the folder is another job's or cannot be written, or the items cannot be read.
    """
    job = json.loads(json.dumps(job | {"provenance": provenance(lm).to_json()}))
    existed = out.is_dir()
    with writing(out):
        begun_here = _claim(out, job)
        try:
            if not (out / "items.jsonl").is_file():
                write_jsonl(out / "items.jsonl", (item_to_row(item) for item in get_items()))
            items = read_items(out / "items.jsonl")
            if (out / "features.json").is_file():
                _clear_parts(out)
                return f"{out} is complete already: {len(items)} items."
            if kind_of(items[0]) == "choice":
                moved, _ = permuted(cast(Sequence[Choice], items), seed=int(job["seed"]))
                _in_parts(lm, moved, out / "permuted", passes)
            _in_parts(lm, items, out, passes)
        except InnerjudgeError:
            if begun_here:  # bad input fails the same way again: leave nothing behind
                _empty(out)
                if not existed:
                    out.rmdir()
            raise
    return f"{len(items)} items are in {out}."


def read_job(folder: Path) -> dict[str, Any]:
    """The header of an extraction: ``kind``, ``scale`` and ``seed`` of its items, and what else identifies it.

    Raises:
        InnerjudgeError: If the folder has no header, or a damaged one.
    """
    path = folder / HEADER
    if not path.is_file():
        raise InnerjudgeError(f"given {str(folder)!r} without {HEADER}, expected features: run `innerjudge extract`")
    try:
        job = json.loads(path.read_text(encoding="utf-8"))
        low, high = job["scale"]
        return dict(job) | {"kind": str(job["kind"]), "scale": (int(low), int(high)), "seed": int(job["seed"])}
    except (ValueError, TypeError, KeyError):
        raise InnerjudgeError(
            f"given {path}, which is damaged, expected what `innerjudge extract` wrote: delete it, extract again"
        ) from None


def _claim(out: Path, job: dict[str, Any]) -> bool:
    """Begin (true) or continue (false) the folder of one job."""
    header = out / HEADER
    check_extraction(out)
    if header.is_file():
        begun = json.loads(json.dumps(read_job(out)))
        differing = sorted(k for k in job.keys() | begun.keys() if job.get(k) != begun.get(k))
        if {"data", "limit", "seed"}.intersection(differing):  # other items are no wonder then
            differing = [k for k in differing if k not in ("items", "kind")]
        if "provenance" in differing:
            theirs, mine = begun.get("provenance", {}), job["provenance"]
            differing += sorted(f"provenance: {k}" for k in mine if theirs.get(k) != mine[k])
            differing.remove("provenance")
        if differing:
            raise InnerjudgeError(
                f"given --out {out}, begun by another job (other {', '.join(_SAID.get(k, k) for k in differing)}), "
                "expected the same job or a new folder: choose another --out or delete it"
            )
        return False
    out.mkdir(parents=True, exist_ok=True)
    unfinished = out / _HEADER_BEGUN
    unfinished.write_text(json.dumps(job, indent=1), encoding="utf-8")
    unfinished.replace(header)
    return True


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


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
    _clear_parts(out)


def _clear_parts(out: Path) -> None:
    """Parts whose sum is there are of no more use."""
    for folder in (out, out / "permuted"):
        if (folder / "features.json").is_file():
            shutil.rmtree(folder / "parts", ignore_errors=True)
