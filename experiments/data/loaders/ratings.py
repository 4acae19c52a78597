"""Scored responses: SummEval, Topical-Chat and the Prometheus evaluation sets."""

from pathlib import Path

from ....models.items import Item, Rating
from ..records import Record
from .files import read_list, read_table

Aspects = dict[str, tuple[str, tuple[int, int]]]
#: Aspect -> the criterion shown to a judge, in our words, and the scale that people used.
_SUMMARY_ASPECTS: Aspects = {
    "coherence": ("Coherence: the sentences form a well-structured, well-organised whole.", (1, 5)),
    "consistency": ("Consistency: every statement is supported by the source article.", (1, 5)),
    "fluency": ("Fluency: the sentences are grammatical, well formatted and easy to read.", (1, 5)),
    "relevance": ("Relevance: the important content of the article is there, and nothing superfluous.", (1, 5)),
}


def summeval(path: Path) -> list[Item]:
    """SummEval: summaries by document and system, rated by experts on four aspects from 1 to 5.

    One rating each of ``{DOC: {src, sys_summs: {SYSTEM: {sys_summ, scores}}}}``. ``extra`` holds ``question_id`` (the
    document), ``system``, ``aspect``, ``scale`` and, where given, ``reference_summary``: the published protocol rates
    without a reference, so :attr:`Rating.reference` stays empty.
    """
    items: list[Item] = []
    for document, record in read_table(path).items():
        prompt = f"Summarise this article.\n\n{record.text('src').strip()}"
        kept = {"reference_summary": record.text("ref_summ")} if record.has("ref_summ") else {}
        systems = record.inner("sys_summs")
        for system in systems.values:
            summary = systems.inner(system)
            text, scores = summary.text("sys_summ").strip(), summary.inner("scores")
            extra = {"question_id": document, "system": system}
            items += _by_aspect(extra, prompt, text, scores, _SUMMARY_ASPECTS, kept)
    return items


#: Likewise.
_TOPICAL_ASPECTS: Aspects = {
    "understandability": ("Understandability: the reply can be understood in its context.", (0, 1)),
    "naturalness": ("Naturalness: the reply is something that a person would say.", (1, 3)),
    "coherence": ("Coherence: the reply continues the conversation so far.", (1, 3)),
    "engagingness": ("Engagingness: the reply is interesting.", (1, 3)),
    "groundedness": ("Groundedness: the reply makes good use of the given fact.", (0, 1)),
    "overall": ("Overall: the reply is good on the whole.", (1, 5)),
}


def topical_chat(path: Path) -> list[Item]:
    """Topical-Chat as annotated for USR: replies of six systems rated by people on six aspects.

    One rating each of ``[{source, context, system_id, system_output, scores}, ...]``. The prompt holds the conversation
    and the fact. ``extra`` holds ``question_id`` (replies to one conversation and fact share it), ``system``,
    ``aspect`` and ``scale``: **people used 0 to 1, 1 to 3 and 1 to 5**, so correlate by aspect.
    """
    items: list[Item] = []
    dialogues: dict[tuple[str, str], str] = {}
    for record in read_list(path):
        source, fact = record.text("source"), record.text("context")
        name = dialogues.setdefault((source, fact), f"topical-{len(dialogues)}")
        turns = "\n".join(turn.strip() for turn in source.strip().split("\n") if turn.strip())
        prompt = f"Conversation:\n{turns}\n\nFact:\n{fact.strip()}\n\nWrite the next turn of the conversation."
        system, reply, scores = record.label("system_id"), record.text("system_output").strip(), record.inner("scores")
        items += _by_aspect({"question_id": name, "system": system}, prompt, reply, scores, _TOPICAL_ASPECTS, {})
    return items


_INSTRUCTION = "###The instruction to evaluate:\n"
_RESPONSE = "###Response to evaluate:\n"
_REFERENCE = "###Reference Answer (Score 5):\n"
_RUBRIC = "###Score Rubrics:\n"
_FEEDBACK = "###Feedback:"


def prometheus(path: Path) -> list[Item]:
    """Ratings (1 to 5) of Prometheus, ``[{idx, response_source, instruction, gpt4_score, ...}, ...]``.

    ``instruction`` is a whole prompt: what was asked, the response, the reference (score 5) and the rubric are read out
    of its ``###`` sections. ``scores`` are the samples of ``gpt4_score``. ``extra`` holds ``question_id`` (one
    instruction to several systems), ``system`` and ``category``.
    """
    items: list[Item] = []
    for record in read_list(path):
        asked, response, reference, rubric = sections(record)
        system, name = record.label("response_source"), f"prometheus-{record.values.get('idx')}"
        items.append(
            Rating(
                item_id=f"{name}/{system}",
                prompt=asked,
                response=response,
                criterion=rubric,
                reference=reference,
                scores=record.numbers("gpt4_score"),
                extra={"question_id": name, "system": system, "category": record.optional_text("category")},
            )
        )
    return items


def sections(record: Record) -> tuple[str, str, str | None, str]:
    """Instruction, response, reference (``None`` where there is no such section) and rubric of a judge prompt.

    A heading counts where it first stands after the heading before it, from the front for the instruction and the
    response and from the back for the others, so that a response may quote a heading.
    """
    text = record.text("instruction")

    def missing(heading: str) -> Exception:
        return record.error("instruction", f"no section {heading.strip()!r}", "a whole judge prompt", "check the file")

    start = text.find(_INSTRUCTION)
    if start < 0:
        raise missing(_INSTRUCTION)
    middle = text.find(_RESPONSE, start)
    if middle < 0:
        raise missing(_RESPONSE)
    rubric = text.rfind(_RUBRIC)
    if rubric < middle:
        raise missing(_RUBRIC)
    end = text.rfind(_FEEDBACK)
    reference = text.rfind(_REFERENCE, middle, rubric)
    return (
        text[start + len(_INSTRUCTION) : middle].strip(),
        text[middle + len(_RESPONSE) : reference if reference > 0 else rubric].strip(),
        text[reference + len(_REFERENCE) : rubric].strip() if reference > 0 else None,
        text[rubric + len(_RUBRIC) : end if end > rubric else len(text)].strip(),
    )


def _by_aspect(
    names: dict[str, str], prompt: str, response: str, scores: Record, aspects: Aspects, extra: dict[str, str]
) -> list[Item]:
    """A rating for each aspect of one response."""
    return [
        Rating(
            item_id=f"{names['question_id']}/{names['system']}/{aspect}",
            prompt=prompt,
            response=response,
            criterion=criterion,
            scores=(scores.number(aspect, *scale),),
            extra={**names, "aspect": aspect, "scale": list(scale), **extra},
        )
        for aspect, (criterion, scale) in aspects.items()
    ]
