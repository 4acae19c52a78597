"""Verdicts of a saved judge, from file to file; a killed run resumes where it stopped."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...extraction.provenance import provenance
from ...extraction.store import FeatureStore
from ...models.errors import InnerjudgeError
from ...models.items import Item
from ...probes import BaseJudge, Verdict
from ..data.jsonl import write_jsonl
from ..data.kinds import hash_item, hash_of
from ..data.outputs import is_damaged, remade, writing
from ..data.verdict_files import read_rows, row_json, verdict_row
from ..drawing.style import are_in
from ..judges.judge import Judge
from ..judges.saved import identity
from .part_file import PartFile

#: Items scored at a time: what a killed run loses at most.
PART = 128
#: Words for the fields of a row that tell two jobs apart.
_SAID = {
    "judge_id": "judge, or the same fitted otherwise",
    "input_id": "texts, features, model or settings",
    "truth": "labels",
}


def score_features(
    judge: BaseJudge,
    store: FeatureStore,
    items: Sequence[Item],
    out: Path,
    *,
    data: str,
    name: str,
    rows: Sequence[int],
) -> str:
    """Verdict rows of extracted features into the JSONL file ``out``, read :data:`PART` items at a time.

    Args:
        judge: The judge.
        store: Features of all items.
        items: All items.
        out: The file. One of the same job is left as it is; another is refused.
        data: Name of the data in the rows.
        name: Name of the judge in the rows.
        rows: The items to score.
    """
    judge.require(store.provenance)  # before what is there already is looked at
    job = _Job(data, name, identity(judge), store.content_hash)
    known = [items[k] for k in rows]
    if _is_complete(out, [job.row(item, _unasked(item)) for item in known]):
        return f"{out} is complete already."
    again = remade(out)
    parts = [rows[at : at + PART] for at in range(0, len(rows), PART)]
    verdicts = (one for part in parts for one in judge.verdicts(store.features(judge.reads, part)))
    with writing(out):
        write_jsonl(out, (job.row(item, verdict) for item, verdict in zip(known, verdicts, strict=True)))
    return are_in(len(known), "verdict", out) + again


def score_items(judge: Judge, items: Sequence[Item], out: Path, *, data: str) -> str:
    """Verdict rows of items into the JSONL file ``out``; a killed run goes on after the whole chunks of ``out.part``.

    The first line of ``out.part`` says whose rows these are; those of another judge, model, data or settings are
    refused.
    """
    job = _Job(data, judge.name, identity(judge.judge), _source(judge))
    known = [job.row(item, _unasked(item)) for item in items]
    if _is_complete(out, known):
        return f"{out} is complete already."
    again = remade(out)
    with writing(out):
        part = PartFile(out, hash_of(json.dumps(row, sort_keys=True) for row in known), PART)
        for start in range(len(part.rows), len(items), PART):
            chunk = items[start : start + PART]
            verdicts = zip(chunk, judge.verdicts(chunk, judge.passes.batch_size), strict=True)
            part.add([job.row(item, verdict) for item, verdict in verdicts])
        part.finish()
    return are_in(len(items), "verdict", out) + again


def _source(judge: Judge) -> str:
    """Hash of what an item's verdict depends on beside the item and the judge."""
    passes = judge.passes
    reasoned = passes.reasoning_tokens if "reasoned" in judge.judge.needs else None
    how = [provenance(judge.lm).binding(), passes.scale, passes.prompt, passes.markers, reasoned]
    return hash_of([json.dumps(how, sort_keys=True)])


@dataclass(frozen=True, slots=True)
class _Job:
    """What the verdicts of one file have in common: names, and hashes of the judge and of how the items were read."""

    data: str
    name: str
    judge_id: str
    source: str

    def row(self, item: Item, verdict: Verdict) -> dict[str, Any]:
        made_of = {"judge_id": self.judge_id, "input_id": hash_of([hash_item(item), self.source])[:12]}
        return row_json(verdict_row(item, verdict, data=self.data, judge=self.name, tags=made_of))


def _is_complete(out: Path, known: Sequence[dict[str, Any]]) -> bool:
    """Whether ``out`` holds verdicts on these rows; a file of anything else is refused, with what differs."""
    if not out.exists() or is_damaged(out):
        return False
    said = ("score", "scores", "label", "unscored")
    mine, theirs = (_without(rows, said) for rows in (known, read_rows(out)))
    if theirs and "question" not in theirs[0] and {"question_id", "item_id"} & theirs[0].keys():
        raise InnerjudgeError(
            f"given --out {out}, which holds verdicts of an earlier version of innerjudge, expected a new file or "
            "verdicts of this one: choose another --out or delete it"
        )
    if mine == theirs:
        return True
    pairs = list(zip(mine, theirs, strict=False))
    differing = dict.fromkeys(k for a, b in pairs for k in a.keys() | b.keys() if a.get(k) != b.get(k))
    words = sorted({_SAID.get(k, k) for k in differing}) + (["number of items"] if len(mine) != len(theirs) else [])
    raise InnerjudgeError(
        f"given --out {out}, which holds something else (other {'; other '.join(words)}), expected a new file or "
        "verdicts of the same job: choose another --out or delete it"
    )


def _unasked(item: Item) -> Verdict:
    """What stands for the verdict of a row before the judge is asked."""
    return Verdict(item.id, unscored="not asked yet")


def _without(rows: Iterable[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in names} for row in rows]
