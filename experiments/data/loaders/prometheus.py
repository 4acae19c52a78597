"""Prometheus evaluation sets: whole judge prompts with rubric and reference, scored 1 to 5."""

from pathlib import Path

from ....models.items import Item, Rating
from ..records import Record
from .files import read_list

_INSTRUCTION = "###The instruction to evaluate:\n"
_RESPONSE = "###Response to evaluate:\n"
_REFERENCE = "###Reference Answer (Score 5):\n"
_RUBRIC = "###Score Rubrics:\n"
_FEEDBACK = "###Feedback:"


def prometheus(path: Path) -> list[Item]:
    """Ratings of ``[{idx, response_source, instruction, gpt4_score, ...}, ...]``.

    ``instruction`` is a whole prompt: what was asked, the response, the reference (score 5) and the rubric are read
    out of its ``###`` sections. ``scores`` are the samples of ``gpt4_score``. ``extra`` holds ``question_id`` (one
    instruction to several systems), ``system`` and ``category``.

    Raises:
        InnerjudgeError: Names file, record and field; names the section that is missing.
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
