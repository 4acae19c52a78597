"""Write candidates of questions into a file, with what a judge says of them; a killed run resumes where it stopped."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...extraction.provenance import provenance
from ...extraction.writing.drafts import Drafts
from ...models.errors import InnerjudgeError, shown
from ...models.items import Item, Trace
from ...models.reference.solve import Problem
from ...probes.promising import identity
from ..data.datasets import is_file, load_data, take_groups
from ..data.jsonl import is_damaged, remade, writing
from ..data.kinds import hash_of, item_to_row
from ..data.mapping import items_from
from ..data.records import Record
from ..data.tables import records_of
from ..data.verdict_files import read_rows
from ..judges.judge import Judge
from ..judges.sample_and_judge import Sampling, Saved, answer_and_judge, candidates_of
from ..reading.verdict_pass import labelled
from .part_file import PartFile, forget


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions to sample answers to: traces without a response, and problems by id where the answers are known."""

    traces: list[Trace]
    problems: dict[str, Problem]


def load_questions(
    spec: str, *, limit: int | None = None, seed: int = 0, columns: Mapping[str, str] | None = None
) -> Questions:
    """Questions of a data set, at most ``limit`` of them; an error where there are none, or a line cannot be read.

    ``spec`` is ``builtin:solve``; traces, as a file or ``LOADER:PATH``, whose questions are taken; or a file with
    ``prompt`` and, where they have one, ``question_id`` in every row (other fields but those of a trace are kept).

    Example:
        >>> [trace.id for trace in load_questions("builtin:solve", limit=2).traces]  # doctest: +ELLIPSIS
        ['.../', '.../']
    """
    if is_file(spec):
        records = list(records_of(spec))
        talk = records[0].values.get("messages")
        if isinstance(talk, list) and talk and isinstance(talk[-1], dict) and talk[-1].get("role") == "user":
            columns = {"prompt": "messages", **(columns or {})}  # a conversation that waits for its answer
        has = {*records[0].values, *(columns or {})}
        if "prompt" in has and not {"response", "response_a"} & has:
            rows = [Record({"response": "", **one.values}, one.where) for one in records]
            return Questions(_once(items_from(rows, columns, "trace"), limit, seed), {})
    found = load_data(spec, columns=columns, limit=limit if spec.startswith("builtin:") else None, seed=seed)
    if found.kind != "trace":
        raise InnerjudgeError.of("runs.no-questions", spec, found.kind)
    if found.problems:
        known = {p.question_id: p for p in found.problems}
        traces = [Trace(question_id=k, candidate_id="", prompt=p.prompt, response="") for k, p in known.items()]
        return Questions(traces, known)
    return Questions(_once(found.items, limit, seed), {})


def sample_job(judge: Judge, questions: Questions, out: Path, *, sampling: Sampling) -> str:
    """Traces with scores into the JSONL file ``out``, and what was done.

    Each row is a trace that every other command reads (``extract``, ``score``, ``compare``), with ``judge``, ``score``,
    ``label``, ``unscored`` (null or the reason) and, where the answer was stopped or its reasoning closed, ``rejected``
    or ``exited``. A file of the same job is left as it is; another is refused.
    """
    lm, passes = judge.lm, judge.passes
    answers = candidates_of(questions.traces, sampling.n)
    unit = passes.writing_batch
    how = [identity(judge.judge), provenance(lm).binding(), repr(sampling), passes.markers]
    asked = [[trace.question_id, item_to_row(trace)["prompt"]] for trace in questions.traces]
    job = hash_of([json.dumps([how, asked], sort_keys=True)])[:12]
    whole_again = remade(out)
    if sampled_rows(out, job, len(answers)):
        forget(out)
        return f"{out} is complete already."
    replayed = 0
    with writing(out):
        part, drafts = PartFile(out, job, unit), Drafts(out.with_name(f"{out.name}.drafts"), job)
        drafts.forget(answer.id for answer in answers[: len(part.rows)])
        for start in range(len(part.rows), len(answers), unit):
            found = answer_and_judge(lm, answers[start : start + unit], judge.judge, sampling, passes, drafts)
            part.add([
                item_to_row(labelled(trace, questions.problems))
                | {"judge": judge.name, "sample_id": job, "score": v.score, "label": v.label, "unscored": v.unscored}
                for trace, v in zip(found.traces, found.verdicts, strict=True)
            ])  # fmt: skip
            drafts.forget(trace.id for trace in found.traces)
            replayed += found.replayed
        part.finish()
    again = f", {replayed} of them read in a pass of their own" if replayed else ""
    said = f"{len(part.rows)} answers to {len(questions.traces)} questions are in {out}{again}.{whole_again}"
    if sampling.reject_below is None and sampling.exit_above is None:
        return said
    saved = Saved.of(lm, [(row["response"], row) for row in part.rows], passes.markers[1])
    left = f", {saved.exited} left their reasoning early" if sampling.exit_above is not None else ""
    known = saved.tokens or not saved.stopped + saved.exited  # else there are no others to compare with
    tokens = f", which saved about {saved.tokens:.0f} tokens" if known else ""
    return f"{said} {saved.stopped} of them were stopped{left}{tokens}."


def sampled_rows(out: Path, job: str, n: int) -> list[dict[str, Any]]:
    """The ``n`` rows that a job has written; none if they are damaged, or not there; those of others are refused."""
    if not out.exists() or is_damaged(out):
        return []
    kept = read_rows(out, "samples")
    if len(kept) != n or any(row.get("sample_id") != job for row in kept):
        raise InnerjudgeError.of("runs.other-samples", out)
    return kept


def _once(traces: Sequence[Item], limit: int | None, seed: int) -> list[Trace]:
    """One trace for each question, without what was said of the response."""
    first: dict[str, Trace] = {}
    for trace in traces:
        assert isinstance(trace, Trace)
        if first.setdefault(trace.question_id, trace).prompt != trace.prompt:
            raise InnerjudgeError.of("runs.two-prompts", shown(trace.question_id))
    bare = [trace.bare(candidate_id="") for trace in first.values()]
    if limit is None:
        return bare
    return [one for one in take_groups(bare, limit, seed=seed) if isinstance(one, Trace)]
