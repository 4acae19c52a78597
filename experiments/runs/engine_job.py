"""Answers of an OpenAI-compatible server, judged in its engine or else read again; a killed run resumes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...models.conversation import turns_of
from ...models.errors import shown
from ...models.items import Trace
from ...probes import BaseJudge, Verdict
from ...probes.promising import identity
from ..data.jsonl import remade, writing
from ..data.kinds import hash_of, item_to_row
from ..judges.judge import Judge
from ..judges.openai_judge import ChatServer, address, ask_all
from ..judges.sample_and_judge import Sampling, candidates_of
from ..judges.saved import JudgeRecord
from ..reading.progress import Steps, silent
from ..reading.verdict_pass import labelled
from .part_file import PartFile, forget
from .sample_job import Questions, sampled_rows
from .score_job import PART

#: Requests at a time, and seconds that an answer may take.
AT_ONCE, PATIENCE = 16, 600.0


def engine_job(
    judge: BaseJudge,
    made: JudgeRecord,
    load: Callable[[], Judge],
    questions: Questions,
    out: Path,
    *,
    engine: str,
    sampling: Sampling,
    steps: Steps = silent,
) -> str:
    """Traces with scores into the JSONL file ``out``, as :func:`.sample_job` writes them, and what was done.

    ``engine`` is the ``URL#MODEL`` of the server; ``judge`` was ``made`` so. If
    :mod:`~innerjudge.experiments.adapters.vllm` is in the engine with this judge, its verdicts count; other answers are
    read here, by what ``load`` loads then. To ``seed`` of ``sampling`` the place of the candidate is added. Each reply
    is kept at once in the folder ``OUT.replies``, and is not asked for again; an answer that the server did not give is
    a row with ``unanswered``, and asked for by the same command. ``InnerjudgeError`` if the server refuses the key, the
    model or the address, or ``out`` holds something else.
    """
    url, name = address(engine)
    answers = candidates_of(questions.traces, sampling.n)
    asked = [[trace.id, item_to_row(trace)["prompt"]] for trace in answers]
    job = hash_of([json.dumps([identity(judge), url, name, repr(sampling), made.markers, asked], sort_keys=True)])[:12]
    if (rows := sampled_rows(out, job, len(answers))) and not any(row.get("unanswered") for row in rows):
        forget(out)
        return f"{out} is complete already."
    again = remade(out)
    how = {"model": name, "temperature": sampling.temperature, "max_tokens": sampling.max_new_tokens}
    bodies = [
        {**how, "messages": [turn.to_json() for turn in turns_of(one.prompt)], "seed": sampling.seed + k % sampling.n}
        for k, one in enumerate(answers)
    ]
    server = ChatServer(url, PATIENCE, logprobs=False)
    replies = ask_all(server, bodies, out.with_name(f"{out.name}.replies"), AT_ONCE, steps("sampling", len(answers)))
    traces = [_answered(one, reply, made.markers) for one, reply in zip(answers, replies, strict=True)]
    known = None if judge.scores_together else identity(judge)
    said = [_said(one, reply, known) for one, reply in zip(traces, replies, strict=True)]
    items = [item_to_row(one if one.unanswered else labelled(one, questions.problems)) for one in traces]
    with writing(out):
        size, whole, told = len(traces) if judge.scores_together else PART, None, {"judge": made.name, "sample_id": job}
        part = PartFile(out, hash_of([job, *(json.dumps(row) for row in items)]), size, other="drop")
        for start in range(len(part.rows), len(traces), size):
            chunk = range(start, min(start + size, len(traces)))
            unread = [traces[k] for k in chunk if said[k] is None]
            whole = whole or (load() if unread else None)
            own = iter(whole.verdicts(unread, whole.passes.batch_size) if whole and unread else ())
            verdicts = [said[k] or next(own) for k in chunk]
            part.add([
                items[k] | told | {"score": v.score, "label": v.label, "unscored": v.unscored}
                for k, v in zip(chunk, verdicts, strict=True)
            ])  # fmt: skip
        part.finish()
    lost, here = sum(one.unanswered is not None for one in traces), sum(one is None for one in said)
    more = f", {lost} not answered, for which the same command asks again" if lost else ""
    what = f"{len(traces)} answers to {len(questions.traces)} questions are in {out}"
    unfit = next(
        (w for r in replies for one in r.get("judges", {}).values() if isinstance(w := one.get("unscored"), str)), ""
    )
    why = f" (the engine said: {shown(unfit, 200)})" if here and unfit else ""
    done = f"{len(traces) - lost - here} judged in the engine, {here} read again{why}{more}"
    done += f". The server refused {', '.join(server.dropped)} and used its own" if server.dropped else ""
    return f"{what}: {done}. {server.sent} requests were sent; all replies have {server.tokens:,} tokens.{again}"


def _answered(bare: Trace, reply: Mapping[str, Any], markers: tuple[str, str]) -> Trace:
    if "why" in reply:
        return replace(bare, extra={**bare.extra, "unanswered": reply["why"]})
    closed = "" if reply["cut"] and not reply["text"] else markers[1]
    apart = f"{markers[0]}{reply['reasoning']}{closed}" if reply["reasoning"] else ""
    extra = {**bare.extra, "finished": not reply["cut"]} | ({"tokens": n} if (n := reply["written"]) else {})
    return replace(bare, response=apart + reply["text"], extra=extra)


def _said(trace: Trace, reply: Mapping[str, Any], judge: str | None) -> Verdict | None:
    """What the judge of this identity said inside the engine; ``None`` if the answer is still to be read."""
    if trace.unanswered:
        return Verdict(trace.id, unscored=trace.unanswered)
    for one in reply["judges"].values() if judge else ():
        # An engine has no states of the last token of an answer that it cut off: that is read here.
        if one.get("id") == judge and isinstance(one.get("unscored"), str) and not reply["cut"]:
            return Verdict(trace.id, unscored=one["unscored"])
        if one.get("id") == judge and type(one.get("score")) in (int, float):
            label = one.get("label")
            return Verdict(trace.id, float(one["score"]), label if isinstance(label, bool | float | str) else None)
    return None
