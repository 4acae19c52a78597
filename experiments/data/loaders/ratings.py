"""Scored responses: SummEval, Topical-Chat, the Prometheus evaluation sets, UltraFeedback, HelpSteer2."""

import tomllib
from pathlib import Path
from typing import Any

from ....models.errors import InnerjudgeError, shown
from ....models.items import Item
from ..records import Record, describe
from ..tables import decoded, parsed, read_table, unpacked
from .files import Rows, by_rows, item_of, question_of

#: Data set -> aspect -> the criterion shown to a judge, in our words, and the scale that people used.
_ASPECTS = tomllib.loads(Path(__file__).with_name("aspects.toml").read_text("utf-8"))


def summeval(path: Path) -> list[Item]:
    """SummEval: summaries by document and system, rated by experts on four aspects from 1 to 5.

    One rating each of ``{DOC: {src, sys_summs: {SYSTEM: {sys_summ, scores}}}}``. ``extra`` holds ``question_id`` (the
    document), ``system``, ``aspect``, ``scale`` and, where given, ``reference_summary``: the published protocol rates
    without a reference, so :attr:`Rating.reference` stays empty.
    """
    items: list[Item] = []
    documents = parsed(decoded(unpacked(path), shown(path.name)), path.name)
    if not isinstance(documents, dict):
        raise InnerjudgeError.of("data.no-object", path.name, describe(documents))
    for document, given in documents.items():
        record = Record.of(given, f"{shown(path.name)} record {shown(document)!r}")
        prompt = f"Summarise this article.\n\n{record.text('src').strip()}"
        kept = {"reference_summary": record.text("ref_summ")} if record.has("ref_summ") else {}
        systems = record.inner("sys_summs")
        for system in systems.values:
            one = systems.inner(system)
            shared = {"prompt": prompt, "response": one.text("sys_summ").strip(), "question_id": document} | kept
            rows = _by_aspect(f"{document}/{system}", one.inner("scores"), "summary", shared | {"system": system})
            items += (item_of(row, record.where) for row in rows)
    return items


def topical_chat(path: Path) -> list[Item]:
    """Topical-Chat as annotated for USR: replies of six systems rated by people on six aspects.

    One rating each of ``[{source, context, system_id, system_output, scores}, ...]``. The prompt holds the conversation
    and the fact. ``extra`` holds ``question_id`` (replies to one conversation and fact share it), ``system``,
    ``aspect`` and ``scale``: **people used 0 to 1, 1 to 3 and 1 to 5**, so correlate by aspect.
    """
    items: list[Item] = []
    dialogues: dict[tuple[str, str], str] = {}
    for record in read_table(path):
        source, fact = record.text("source"), record.text("context")
        name = dialogues.setdefault((source, fact), f"topical-{len(dialogues)}")
        turns = "\n".join(turn.strip() for turn in source.strip().split("\n") if turn.strip())
        prompt = f"Conversation:\n{turns}\n\nFact:\n{fact.strip()}\n\nWrite the next turn of the conversation."
        system = record.label("system_id")
        shared = {"prompt": prompt, "response": record.text("system_output").strip(), "question_id": name}
        rows = _by_aspect(f"{name}/{system}", record.inner("scores"), "topical", shared | {"system": system})
        items += (item_of(row, record.where) for row in rows)
    return items


_INSTRUCTION = "###The instruction to evaluate:\n"
_RESPONSE = "###Response to evaluate:\n"
_REFERENCE = "###Reference Answer (Score 5):\n"
_RUBRIC = "###Score Rubrics:\n"
_FEEDBACK = "###Feedback:"


@by_rows
def prometheus(record: Record, name: str) -> Rows:
    """Ratings (1 to 5) of Prometheus, ``[{idx, response_source, instruction, gpt4_score, ...}, ...]``.

    ``instruction`` is a whole prompt: what was asked, the response, the reference (score 5) and the rubric are read out
    of its ``###`` sections. ``scores`` are the samples of ``gpt4_score``. ``extra`` holds ``question_id`` (one
    instruction to several systems), ``system`` and ``category``.
    """
    asked, response, reference, rubric = sections(record)
    system, question = record.label("response_source"), f"prometheus-{record.values.get('idx')}"
    row: dict[str, Any] = {"item_id": f"{question}/{system}", "prompt": asked, "response": response}
    row |= {"question_id": question, "system": system, "category": record.optional_text("category")}
    yield row | {"criterion": rubric, "reference": reference, "scores": list(record.numbers("gpt4_score"))}


def sections(record: Record) -> tuple[str, str, str | None, str]:
    """Instruction, response, reference (``None`` where there is no such section) and rubric of a judge prompt.

    A heading counts where it first appears after the one before it, searched from the front for the instruction and the
    response and from the back for the others, so that a response may quote a heading.
    """
    text = record.text("instruction")
    start, rubric, end = text.find(_INSTRUCTION), text.rfind(_RUBRIC), text.rfind(_FEEDBACK)
    middle = text.find(_RESPONSE, start)
    for heading, lacking in ((_INSTRUCTION, start < 0), (_RESPONSE, middle < 0), (_RUBRIC, rubric < middle)):
        if lacking:
            given = f"no section {heading.strip()!r}"
            raise record.error("instruction", given, "a whole judge prompt", "check the file")
    reference = text.rfind(_REFERENCE, middle, rubric)
    return (
        text[start + len(_INSTRUCTION) : middle].strip(),
        text[middle + len(_RESPONSE) : reference if reference > 0 else rubric].strip(),
        text[reference + len(_REFERENCE) : rubric].strip() if reference > 0 else None,
        text[rubric + len(_RUBRIC) : end if end > rubric else len(text)].strip(),
    )


@by_rows
def helpsteer2(record: Record, name: str) -> Rows:
    """HelpSteer2: a rating (0 to 4) of each of five aspects; responses to one prompt share their question."""
    prompt = record.text("prompt")
    shared = {"prompt": prompt, "response": record.text("response"), "question_id": question_of(prompt)}
    yield from _by_aspect(name, record, "helpsteer", shared)


@by_rows
def ultrafeedback(record: Record, name: str) -> Rows:
    """UltraFeedback: a rating (``overall_score``, 1 to 10) of each completion of an instruction."""
    asked = {"question_id": name, "prompt": record.text("instruction"), "scale": [1, 10]}
    for number, one in enumerate(record.records("completions")):
        scores = [one.number("overall_score", 1, 10)] if one.has("overall_score") else None
        said = {"item_id": f"{name}/{number}", "response": one.text("response"), "scores": scores}
        yield asked | said | {"system": one.optional_text("model")}


def _by_aspect(name: str, scores: Record, data: str, shared: dict[str, Any]) -> Rows:
    """A rating for each aspect of one response, of those of ``data``."""
    for aspect, (criterion, scale) in _ASPECTS[data].items():
        about = {"criterion": criterion, "scores": [scores.number(aspect, *scale)], "aspect": aspect}
        yield shared | {"item_id": f"{name}/{aspect}", "scale": list(scale)} | about
