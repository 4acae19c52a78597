"""Answers of an OpenAI-compatible server, judged by what its engine gives or else read again; a killed run resumes."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...extraction.given_states import NOT_GIVEN
from ...models.conversation import turns_of
from ...models.errors import InnerjudgeError, shown
from ...models.items import Trace
from ...models.positions import Encoding
from ...models.tokens import decoded
from ...probes import BaseJudge, Verdict
from ...probes.promising import identity
from ..data.jsonl import remade, writing
from ..data.kinds import hash_of, item_to_row
from ..judges.engine import EngineJudge, route_of
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
#: What vLLM's server is asked for beside an answer, so that it is known of which tokens its log-probabilities are.
_IDS = {"return_token_ids": True}
_BY_ID = _IDS | {"logprobs": True, "return_tokens_as_token_ids": True}
_NO_IDS, _OTHER_IDS = "the server returns no token ids", "the server read or wrote other tokens than the judge would"
_ID = re.compile(r"token_id:\d{1,9}")


def engine_job(
    judge: BaseJudge, made: JudgeRecord, load: Callable[[], Judge], questions: Questions, out: Path, *,
    engine: str, sampling: Sampling, steps: Steps = silent
) -> str:  # fmt: skip
    """Traces with scores into the JSONL file ``out``, as :func:`.sample_job` writes them, and what was done.

    ``engine`` is the ``URL#MODEL`` of the server; ``judge`` was ``made`` so. Its verdicts count that come from
    :mod:`~innerjudge.experiments.adapters.vllm` in the engine, or for which log-probabilities suffice (with the answer,
    or of a second short request, see :func:`.engine.route_of`; MODEL must be the name that the judge knows). Other
    answers are read here, by what ``load`` loads then, and it is said why. To ``seed`` of ``sampling`` the place of the
    candidate is added. Each reply is kept at once in the folder ``OUT.replies``, and is not asked for again; an answer
    that the server did not give is a row with ``unanswered``, and asked for by the same command. ``InnerjudgeError`` if
    the server refuses the key, the model or the address, or ``out`` holds something else.
    """
    url, name = address(engine)
    answers = candidates_of(questions.traces, sampling.n)
    asked = [[trace.id, item_to_row(trace)["prompt"]] for trace in answers]
    job = hash_of([json.dumps([identity(judge), url, name, repr(sampling), made.markers, asked], sort_keys=True)])[:12]
    if (rows := sampled_rows(out, job, len(answers))) and not any(row.get("unanswered") for row in rows):
        forget(out)
        return f"{out} is complete already."
    again = remade(out)
    own, why = _reader(judge, made, name)
    how = {"model": name, "temperature": sampling.temperature, "max_tokens": sampling.max_new_tokens}
    most = 0 if own is None or not own.likeliest else own.likeliest + 1  # the drawn token may be among the given
    how |= {} if own is None else _IDS if own.route == "labels" else _BY_ID | {"top_logprobs": most}
    bodies = [
        {**how, "messages": [turn.to_json() for turn in turns_of(one.prompt)], "seed": sampling.seed + k % sampling.n}
        for k, one in enumerate(answers)
    ]
    server, folder = ChatServer(url, PATIENCE), out.with_name(f"{out.name}.replies")
    replies = ask_all(server, bodies, folder, AT_ONCE, steps("sampling", len(answers)))
    traces = [_answered(one, reply, made.markers) for one, reply in zip(answers, replies, strict=True)]
    known = None if judge.scores_together else identity(judge)
    said = [_said(one, reply, known, why) for one, reply in zip(traces, replies, strict=True)]
    if own is not None and (rest := [k for k, one in enumerate(said) if isinstance(one, str)]):
        some, found = [traces[k] for k in rest], [replies[k] for k in rest]
        texts = own.encode(some if (short := own.route == "labels") else [replace(one, response="") for one in some])
        if short:
            each = [_question(own, name, *one) for one in zip(some, texts, found, strict=True)]
            found = ask_all(server, each, folder, AT_ONCE, steps("asking for verdicts", len(rest)))
        for k, item, reply in zip(rest, texts, found, strict=True):
            said[k] = _of_reply(own, item, reply)
    items = [item_to_row(one if one.unanswered else labelled(one, questions.problems)) for one in traces]
    with writing(out):
        size, whole, told = len(traces) if judge.scores_together else PART, None, {"judge": made.name, "sample_id": job}
        part = PartFile(out, hash_of([job, *(json.dumps(row) for row in items)]), size, other="drop")
        for start in range(len(part.rows), len(traces), size):
            chunk = range(start, min(start + size, len(traces)))
            unread = [traces[k] for k in chunk if isinstance(said[k], str)]
            whole = whole or (load() if unread else None)
            read = iter(whole.verdicts(unread, whole.passes.batch_size) if whole and unread else ())
            verdicts = [next(read) if isinstance(one := said[k], str) else one for k in chunk]
            part.add([
                items[k] | told | {"score": v.score, "label": v.label, "unscored": v.unscored}
                for k, v in zip(chunk, verdicts, strict=True)
            ])  # fmt: skip
        part.finish()
    here, lost = [why for why in said if isinstance(why, str)], sum(one.unanswered is not None for one in traces)
    more = f", {lost} not answered, for which the same command asks again" if lost else ""
    what = f"{len(traces)} answers to {len(questions.traces)} questions are in {out}"
    whys = f" ({shown('; '.join(dict.fromkeys(here)), 300)})" if here else ""
    done = f"{len(traces) - lost - len(here)} judged in the engine, {len(here)} read again{whys}{more}"
    done += f". The server refused {', '.join(server.dropped)} and used its own" if server.dropped else ""
    return f"{what}: {done}. {server.sent} requests were sent; all replies have {server.tokens:,} tokens.{again}"


def _answered(bare: Trace, reply: Mapping[str, Any], markers: tuple[str, str]) -> Trace:
    if "why" in reply:
        return replace(bare, extra={**bare.extra, "unanswered": reply["why"]})
    closed = "" if reply["cut"] and not reply["text"] else markers[1]
    apart = f"{markers[0]}{reply['reasoning']}{closed}" if reply["reasoning"] else ""
    extra = {**bare.extra, "finished": not reply["cut"]} | ({"tokens": n} if (n := reply["written"]) else {})
    return replace(bare, response=apart + reply["text"], extra=extra)


def _said(trace: Trace, reply: Mapping[str, Any], judge: str | None, why: str) -> Verdict | str:
    """What the judge of this identity said inside the engine; else why the answer is still to be read."""
    if trace.unanswered:
        return Verdict(trace.id, unscored=trace.unanswered)
    for one in reply["judges"].values() if judge else ():
        # An engine has no states of the last token of an answer that it cut off: that is read here.
        if one.get("id") == judge and isinstance(one.get("unscored"), str) and not reply["cut"]:
            return Verdict(trace.id, unscored=one["unscored"])
        if one.get("id") == judge and type(one.get("score")) in (int, float):
            label = one.get("label")
            return Verdict(trace.id, float(one["score"]), label if isinstance(label, bool | float | str) else None)
        why = f"the engine said: {said}" if isinstance(said := one.get("unscored"), str) else why
    return why


def _reader(judge: BaseJudge, made: JudgeRecord, name: str) -> tuple[EngineJudge | None, str]:
    """The judge of what the model ``name`` says in its replies; or none, and why answers are read again."""
    route, why = route_of(judge)
    why = "hidden states, and no connector in the engine has it" if route == "states" else why
    why = "the answers to a question at once" if judge.scores_together else why
    try:
        if own := None if why else EngineJudge(judge, replace(made, kind="trace")):
            own.require(name, route)
        return own, f"the judge reads {why}"
    except InnerjudgeError as error:
        return None, str(error)


def _question(own: EngineJudge, name: str, trace: Trace, item: Encoding, reply: Mapping[str, Any]) -> Any:
    """The request for the log-probabilities of labels after the question that the judge reads as ``item``."""
    if not (item.label_ids and reply["ids"]):
        return None
    asked, text = own.passes.ask(trace), decoded(own.tokenizer, list(item.ids))
    cue = {"role": "assistant", "content": text[text.rfind(asked.cue.strip()) :]}  # and a space that labels follow
    how = {"logprob_token_ids": item.label_ids, "continue_final_message": True, "add_generation_prompt": False}
    turns = [*(turn.to_json() for turn in turns_of(asked.turns)), cue]
    return {"model": name, "messages": turns, "max_tokens": 1, "temperature": 0.0, **_BY_ID, **how}


def _of_reply(own: EngineJudge, item: Encoding, reply: Mapping[str, Any]) -> Verdict | str:
    """The verdict by a reply to what the judge itself reads as ``item``, or why there is none."""
    if not reply.get("prompt_ids"):
        return str(reply.get("why", item.missing.get("*", _NO_IDS)))
    each = [{int(name[9:]): one for name, one in at.items() if _ID.fullmatch(name)} for at in reply["logprobs"]]
    answer, k = reply["ids"] if reply["cut"] else reply["ids"][:-1], own.likeliest  # the last one ended it
    texts = str(own.tokenizer.decode(answer, skip_special_tokens=True)), reply["reasoning"] + reply["text"]
    marks = re.compile("|".join([r"\s+", *map(re.escape, own.made.markers)]))
    short = own.route == "labels"
    if tuple(reply["prompt_ids"]) != item.ids or not (short or marks.sub("", texts[0]) == marks.sub("", texts[1])):
        return _OTHER_IDS
    if short:
        [said] = own.verdicts_of_labels([item], [next(iter(each), {})], model=own.origin.model)
    else:
        # A drawn token that is the least of all may have come in the place of one of the likeliest.
        sure = [len(at) - (at.get(t) == min(at.values(), default=0)) for t, at in zip(answer, each, strict=False) if k]
        if (few := min(sure, default=k)) < k:
            return f"{NOT_GIVEN}{few} of the {k} likeliest tokens, and the drawn one (vLLM: --max-logprobs {k + 1})"
        given, text = [None] * (len(item.ids) - 1) + each[: len(answer)], own.encode_sampled(item.ids, answer)
        [said] = own.verdicts_of_log_probabilities([text], [given], model=own.origin.model)
    return said.unscored if said.unscored and said.unscored.startswith(NOT_GIVEN) else said
