"""Verdicts and rankings of a saved judge, from file to file; a killed run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..extraction.features import Features
from ..extraction.provenance import provenance
from ..models.errors import InnerjudgeError
from ..models.items import Item
from ..models.loading import LanguageModel
from ..probes import Judge, Verdict
from .jsonl import read_items, write_jsonl
from .kinds import item_to_row, kind_of
from .passes import Passes
from .saved import identity
from .splits import rows_by_group
from .verdict_rows import verdict_row
from .views import read

#: Items scored at a time: what a killed run loses at most.
PART = 128


def score_features(judge: Judge, folder: Path, out: Path, *, name: str) -> str:
    """Verdict rows of a features folder into the JSONL file ``out``; ``name`` is the judge's in those rows."""
    features, items = Features.load(folder), read_items(folder / "items.jsonl")
    if judge.provenance_ is not None:  # before what is there already is looked at
        judge.provenance_.require(features.provenance, type(judge).__name__)
    if _is_complete(out, items, judge, folder.name, name):
        return f"{out} is complete already."
    verdicts = zip(items, judge.verdicts(features), strict=True)
    write_jsonl(out, [_row(i, v, folder.name, judge, name) for i, v in verdicts])
    return f"{len(items)} verdicts are in {out}."


def require_model(judge: Judge, lm: LanguageModel) -> None:
    """Refuse a model that the judge was not made for, before anything is run.

    Raises:
        InnerjudgeError: Names both models.
    """
    if judge.provenance_ is not None:
        judge.provenance_.require(provenance(lm), type(judge).__name__)


def score_items(
    lm: LanguageModel, judge: Judge, items: Sequence[Item], out: Path, *, data: str, name: str, passes: Passes
) -> str:
    """Verdict rows of items into the JSONL file ``out``; a killed run goes on after the whole chunks of ``out.part``.

    The first line of ``out.part`` says whose rows these are; those of another judge, model or data are refused.
    """
    require_model(judge, lm)
    if _is_complete(out, items, judge, data, name):
        return f"{out} is complete already."
    passes = replace(passes, needs=frozenset(judge.needs))
    part, header = out.with_name(out.name + ".part"), json.dumps({"job": _identity(lm, judge, items)})
    rows = _rows_so_far(part, header)
    for start in range(len(rows), len(items), PART):
        chunk = items[start : start + PART]
        verdicts = zip(chunk, judge.verdicts(read(lm, chunk, passes)), strict=True)
        new = [_row(item, v, data, judge, name) for item, v in verdicts]
        part.parent.mkdir(parents=True, exist_ok=True)
        if not part.is_file():
            part.write_text(f"{header}\n", encoding="utf-8")
        with part.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in new)
        rows += new
    write_jsonl(out, rows)
    part.unlink(missing_ok=True)
    return f"{len(items)} verdicts are in {out}."


def write_ranking(items: Sequence[Item], verdicts: Path, out: Path) -> str:
    """The ranking that a verdict file gives, one question a line, into the JSONL file ``out``."""
    write_jsonl(out, ranking_rows(items, _read_rows(verdicts)))
    return f"The ranking is in {out}, the verdicts in {verdicts}."


def require_rankable(kind: str) -> None:
    """Refuse items that are no candidates of a question."""
    if kind == "choice":
        raise InnerjudgeError(
            "given choices, each of them one question, expected candidates to rank (traces, ratings or pairs): "
            "use `innerjudge score`"
        )


def ranking_rows(items: Sequence[Item], rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row a question, in the order of the items: candidates best first, and those unscored with the reason."""
    for members in rows_by_group([item.group for item in items]):
        pairs = [(items[k], rows[k]) for k in members]
        scored = sorted((p for p in pairs if p[1]["unscored"] is None), key=lambda p: -float(p[1]["score"]))
        yield {
            "question_id": pairs[0][0].group,
            "ranking": [_ranked(item, row, place) for place, (item, row) in enumerate(scored, 1)],
            "unscored": [{"id": item.id, "reason": row["unscored"]} for item, row in pairs if row["unscored"]],
        }


def _ranked(item: Item, row: dict[str, Any], place: int) -> dict[str, Any]:
    found = {"rank": place, "id": item.id, "score": row["score"]}
    answer = getattr(item, "answer", None)
    return found | ({"answer": answer} if answer is not None else {})


def _row(item: Item, verdict: Verdict, data: str, judge: Judge, name: str) -> dict[str, Any]:
    return verdict_row(item, verdict, data=data, judge=name) | {"judge_id": identity(judge)}


def _is_complete(out: Path, items: Sequence[Item], judge: Judge, data: str, name: str) -> bool:
    """Whether ``out`` holds these verdicts; a file of anything else is refused."""
    if not out.exists():
        return False
    rows = _read_rows(out)
    known = [_row(item, Verdict(item.id), data, judge, name) for item in items]
    said = ("score", "label", "unscored")
    mine = [{k: v for k, v in row.items() if k not in said} for row in known]
    if mine != [{k: v for k, v in row.items() if k not in said} for row in rows]:
        raise InnerjudgeError(
            f"given --out {out}, which holds something else, expected a new file: choose another --out"
        )
    return True


def _read_rows(path: Path) -> list[dict[str, Any]]:
    try:
        return [dict(json.loads(line)) for line in path.read_text(encoding="utf-8").split("\n") if line]
    except (ValueError, TypeError, OSError):
        raise InnerjudgeError(
            f"given --out {path}, which holds no verdicts, expected a new file: choose another --out"
        ) from None


def _rows_so_far(part: Path, header: str) -> list[dict[str, Any]]:
    """Rows of an earlier run that are whole chunks; a chunk cut short is dropped from the file."""
    if not part.is_file():
        return []
    first, *lines = part.read_text(encoding="utf-8").split("\n")[:-1] or [""]
    if first and first != header:
        raise InnerjudgeError(
            f"given --out {part.with_suffix('')}, begun by another job ({part.name}: other judge, model or data), "
            f"expected the same job: choose another --out or delete {part.name}"
        )
    keep = lines[: len(lines) // PART * PART]
    temporary = part.with_name(part.name + ".tmp")
    temporary.write_text("".join(f"{line}\n" for line in (header, *keep)), encoding="utf-8")
    temporary.replace(part)
    return [json.loads(line) for line in keep]


def _identity(lm: LanguageModel, judge: Judge, items: Sequence[Item]) -> str:
    """Hash of all that verdicts depend on."""
    digest = hashlib.sha256(f"{identity(judge)} {provenance(lm).to_json()}".encode())
    for item in items:
        digest.update(json.dumps([kind_of(item), item_to_row(item)], sort_keys=True).encode())
    return digest.hexdigest()[:16]
