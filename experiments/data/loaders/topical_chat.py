"""Topical-Chat as annotated for USR: replies of six systems scored by people on six aspects."""

from pathlib import Path

from ....models.items import Item, Rating
from .files import read_list

#: Aspect -> the criterion shown to a judge, in our words, and the scale that people used.
CRITERIA: dict[str, tuple[str, tuple[int, int]]] = {
    "understandability": ("Understandability: the reply can be understood in its context.", (0, 1)),
    "naturalness": ("Naturalness: the reply is something that a person would say.", (1, 3)),
    "coherence": ("Coherence: the reply continues the conversation so far.", (1, 3)),
    "engagingness": ("Engagingness: the reply is interesting.", (1, 3)),
    "groundedness": ("Groundedness: the reply makes good use of the given fact.", (0, 1)),
    "overall": ("Overall: the reply is good on the whole.", (1, 5)),
}


def topical_chat(path: Path) -> list[Item]:
    """Ratings, one for each reply and aspect, of ``[{source, context, system_id, system_output, scores}, ...]``.

    The prompt holds the conversation and the fact. ``extra`` holds ``question_id`` (replies to one conversation and
    fact share it), ``system``, ``aspect`` and ``scale``: **people used 0 to 1, 1 to 3 and 1 to 5**, so correlate by
    aspect.

    Raises:
        InnerjudgeError: Names file, record and field.
    """
    items: list[Item] = []
    dialogues: dict[tuple[str, str], str] = {}
    for record in read_list(path):
        source, fact = record.text("source"), record.text("context")
        name = dialogues.setdefault((source, fact), f"topical-{len(dialogues)}")
        turns = "\n".join(turn.strip() for turn in source.strip().split("\n") if turn.strip())
        prompt = f"Conversation:\n{turns}\n\nFact:\n{fact.strip()}\n\nWrite the next turn of the conversation."
        system, reply, scores = record.label("system_id"), record.text("system_output").strip(), record.inner("scores")
        items += [
            Rating(
                item_id=f"{name}/{system}/{aspect}",
                prompt=prompt,
                response=reply,
                criterion=criterion,
                scores=(scores.number(aspect, *scale),),
                extra={"question_id": name, "system": system, "aspect": aspect, "scale": list(scale)},
            )
            for aspect, (criterion, scale) in CRITERIA.items()
        ]
    return items
