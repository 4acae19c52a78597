"""SummEval: summaries of 16 systems scored by experts on four aspects, from 1 to 5."""

from pathlib import Path

from ....models.items import Item, Rating
from .files import read_table

#: Aspect -> the criterion shown to a judge, in our words.
CRITERIA = {
    "coherence": "Coherence: the sentences form a well-structured, well-organised whole.",
    "consistency": "Consistency: every statement is supported by the source article.",
    "fluency": "Fluency: the sentences are grammatical, well formatted and easy to read.",
    "relevance": "Relevance: the important content of the article is there, and nothing superfluous.",
}


def summeval(path: Path) -> list[Item]:
    """Ratings, one for each document, system and aspect, of ``{DOC: {src, sys_summs: {SYSTEM: {sys_summ, scores}}}}``.

    ``extra`` holds ``question_id`` (the document), ``system``, ``aspect``, ``scale`` and, where given,
    ``reference_summary``: the published protocol rates without a reference, so :attr:`Rating.reference` stays empty.

    Raises:
        InnerjudgeError: Names file, record and field.
    """
    items: list[Item] = []
    for document, record in read_table(path).items():
        prompt = f"Summarise this article.\n\n{record.text('src').strip()}"
        kept = {"reference_summary": record.text("ref_summ")} if record.has("ref_summ") else {}
        systems = record.inner("sys_summs")
        for system in systems.values:
            summary = systems.inner(system)
            text, scores = summary.text("sys_summ").strip(), summary.inner("scores")
            items += [
                Rating(
                    item_id=f"{document}/{system}/{aspect}",
                    prompt=prompt,
                    response=text,
                    criterion=criterion,
                    scores=(scores.number(aspect, 1, 5),),
                    extra={"question_id": document, "system": system, "aspect": aspect, "scale": [1, 5], **kept},
                )
                for aspect, criterion in CRITERIA.items()
            ]
    return items
