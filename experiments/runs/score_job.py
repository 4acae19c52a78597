"""Verdicts of a saved judge or of one behind a server, and rankings, from file to file; a killed run resumes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...extraction.provenance import provenance
from ...extraction.store import FeatureStore
from ...models.errors import InnerjudgeError
from ...models.items import Item
from ...probes import BaseJudge, Verdict
from ...probes.promising import identity
from ..data.jsonl import is_damaged, remade, require_room, write_jsonl, writing
from ..data.kinds import hash_item, hash_of, kind_of
from ..data.splits import rows_by_group
from ..data.verdict_files import keep_rows, read_rows, row_json, shared_rows, verdict_row
from ..data.verdict_table import Row
from ..drawing.style import are_in
from ..judges.judge import Judge
from ..judges.openai_judge import OpenAIJudge
from ..reading.passes import Passes
from .part_file import PartFile, forget

#: Items scored at a time: what a killed run loses at most.
PART = 128
#: Words for the fields of a row that tell two jobs apart.
_SAID = {
    "judge_id": "judge, or the same fitted otherwise",
    "input_id": "texts, features, model or settings",
    "truth": "labels",
}


def score_features(
    judge: BaseJudge, store: FeatureStore, items: Sequence[Item], out: Path, *, data: str, name: str, rows: list[int]
) -> str:
    """Verdicts on the items at ``rows`` of a store into the JSONL file ``out``, read :data:`PART` items at a time.

    ``data`` and ``name`` are those of the data and of the judge in its rows. A file of the same job is left as it is;
    another is refused.
    """
    judge.require(store.provenance)  # before what is there already is looked at
    job = _Job(data, name, identity(judge), store.content_hash)
    known = [items[k] for k in rows]
    if _is_complete(out, [job.row(item) for item in known]):
        return f"{out} is complete already."
    again = remade(out)
    size = len(rows) or 1 if judge.scores_together else PART
    parts = [rows[at : at + size] for at in range(0, len(rows), size)]
    verdicts = (one for part in parts for one in judge.verdicts(store.features(judge.reads, part)))
    with writing(out):
        write_jsonl(out, (job.row(item, verdict) for item, verdict in zip(known, verdicts, strict=True)))
    return are_in(len(known), "verdict", out) + again


def score_items(judge: Judge, items: Sequence[Item], out: Path, *, data: str) -> str:
    """Verdict rows of items into the JSONL file ``out``; a killed run goes on after the whole chunks of ``out.part``.

    The first line of ``out.part`` says whose rows these are; those of another judge, model, data or settings are
    refused.
    """
    passes = judge.passes
    reasoned = passes.reasoning_tokens if judge.judge.reads_reasoning else None
    how = [provenance(judge.lm).binding(), passes.scale, passes.told(judge.kind), passes.markers, reasoned]
    job = _Job(data, judge.name, identity(judge.judge), hash_of([json.dumps(how, sort_keys=True)]))
    known = [job.row(item) for item in items]
    if _is_complete(out, known):
        forget(out)
        return f"{out} is complete already."
    again = remade(out)
    with writing(out):
        size = len(items) or 1 if judge.judge.scores_together else PART
        part = PartFile(out, hash_of(json.dumps(row, sort_keys=True) for row in known), size)
        for start in range(len(part.rows), len(items), size):
            chunk = items[start : start + size]
            verdicts = zip(chunk, judge.verdicts(chunk, judge.passes.batch_size), strict=True)
            part.add([job.row(item, verdict) for item, verdict in verdicts])
        part.finish()
    return are_in(len(items), "verdict", out) + again


@dataclass(frozen=True, slots=True)
class _Job:
    """What the verdicts of one file have in common: names, and hashes of the judge and of how the items were read."""

    data: str
    name: str
    judge_id: str
    source: str

    def row(self, item: Item, verdict: Verdict | None = None) -> dict[str, Any]:
        """The row of an item; before its verdict is asked for, one that stands for it."""
        verdict = verdict or Verdict(item.id, unscored="not asked yet")
        made_of = {"judge_id": self.judge_id, "input_id": hash_of([hash_item(item), self.source])[:12]}
        return row_json(verdict_row(item, verdict, data=self.data, judge=self.name, tags=made_of))


def _is_complete(out: Path, known: Sequence[dict[str, Any]]) -> bool:
    """Whether ``out`` holds verdicts on these rows; a file of anything else is refused, with what differs."""
    if not out.exists() or is_damaged(out):
        return False
    said = ("score", "scores", "label", "unscored")
    both = known, read_rows(out)
    mine, theirs = ([{k: v for k, v in row.items() if k not in said} for row in rows] for rows in both)
    if mine == theirs:
        return True
    pairs = list(zip(mine, theirs, strict=False))
    differing = dict.fromkeys(k for a, b in pairs for k in a.keys() | b.keys() if a.get(k) != b.get(k))
    words = sorted({_SAID.get(k, k) for k in differing}) + (["number of items"] if len(mine) != len(theirs) else [])
    raise InnerjudgeError.of("runs.other-verdicts", out, "; other ".join(words))


def require_rankable(kind: str) -> None:
    """Refuse items that are not candidates of a question."""
    if kind == "choice":
        raise InnerjudgeError.of("runs.rank-choices")


def require_ranking(out: Path) -> None:
    """Refuse a file that exists and holds no ranking, before anything is run."""
    kept = [] if not out.exists() or is_damaged(out) else read_rows(out, "ranking")
    if not all({"question_id", "ranking"} <= row.keys() for row in kept):
        raise InnerjudgeError(f"given --out {out}, which holds no ranking, expected a new file: choose another --out")


def write_ranking(items: Sequence[Item], verdicts: Path, out: Path) -> str:
    """The ranking that a verdict file gives, one question a line, into the JSONL file ``out``.

    ``InnerjudgeError`` if ``out`` holds another ranking, or something else.
    """
    require_ranking(out)
    other = f"given --out {out}, which holds another ranking than {verdicts} gives, expected a new file: choose "
    there = keep_rows(out, list(ranking_rows(items, read_rows(verdicts))), f"{other}another --out or delete it")
    return f"{out} is complete already." if there else f"The ranking is in {out}, the verdicts in {verdicts}."


def ranking_rows(items: Sequence[Item], rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row a question, in the order of the items: candidates best first, and those unscored with the reason."""
    for members in rows_by_group([item.group for item in items]):
        pairs = [(items[k], rows[k]) for k in members]
        scored = sorted((p for p in pairs if p[1]["unscored"] is None), key=lambda p: -float(p[1]["score"]))
        yield {
            "question_id": pairs[0][0].group,
            "ranking": [
                {"rank": place, "id": item.id, "score": row["score"]}
                | ({} if (answer := getattr(item, "answer", None)) is None else {"answer": answer})
                for place, (item, row) in enumerate(scored, 1)
            ],
            "unscored": [{"id": item.id, "reason": row["unscored"]} for item, row in pairs if row["unscored"]],
        }


def ask_job(items: Sequence[Item], typed: str, out: Path, passes: Passes, *, seed: int = 0) -> str:
    """Ask the judge ``typed`` (``openai:URL#MODEL``) about items, pairs in both orders; rows go into the file ``out``.

    Replies are kept one by one in the folder ``OUT.replies``: the same command asks only for what is not there. Other
    rows in ``out`` stay, those too that others write there meanwhile.
    """
    require_room(out)
    with shared_rows(out):  # what is damaged is refused now, not after the work
        judge, kind = OpenAIJudge.of(typed, folder=out.with_name(f"{out.name}.replies")), kind_of(items[0])
    rows: list[Row] = []
    for swapped in (False, True)[: 2 if kind == "pair" else 1]:
        said = judge.verdicts(kind, items, passes, swapped=swapped, seed=seed)
        made = [verdict_row(item, one, data="", judge=judge.name) for item, one in zip(items, said, strict=True)]
        # Its score is that of the response shown first; a row's favours a.
        turned = [replace(row, order="swapped", score=None if row.score is None else 1 - row.score) for row in made]
        rows += turned if swapped else made
    mine = {row.key for row in rows}
    with shared_rows(out) as there:
        write_jsonl(out, map(row_json, (*(row for row in there if row.key not in mine), *rows)))
    silent = sum(row.unscored is not None for row in rows)
    again = "; the same command asks again where the server gave no answer" if silent else ""
    return (
        f"{len(rows)} verdicts of {judge.name} are in {out}, {silent} of them unscored{again}. "
        f"{judge.sent} requests were sent; all replies have {judge.tokens:,} tokens."
    )
