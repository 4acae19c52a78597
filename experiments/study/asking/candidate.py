"""What a model is asked about: a response to a prompt, with the columns of the table that it fills."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ....models.conversation import Text, plain_text
from ....models.items import Item, Pair, Rating, Trace
from ...data.verdict_files import item_columns
from ...data.verdict_table import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One response that can be judged by itself.

    Args:
        prompt: What the user asked.
        response: What was answered.
        question: Unit of splits and of intervals.
        candidate: Name within the question.
        data: Data set.
        truth: What is known of it.
        scale: Lowest and highest grade that is asked for; ``None`` asks whether it is correct.
        criterion: What grades are about.
        reference: A right answer, where there is one.
        tags: Tags of its rows.
    """

    prompt: Text
    response: str
    question: str
    candidate: str
    data: str = ""
    truth: Label | None = None
    scale: tuple[int, int] | None = None
    criterion: str | None = None
    reference: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, Any]:
        """Columns of its rows that no judge changes."""
        return {
            "data": self.data,
            "question": self.question,
            "candidate": self.candidate,
            "truth": self.truth,
            "length": float(len(self.response)),
            "tags": self.tags,
        }


def candidates_of(items: Sequence[Item], *, data: str = "", scale: tuple[int, int] = (1, 5)) -> list[Candidate]:
    """Traces (asked whether they are correct), ratings (asked for a grade) and both responses of pairs (likewise).

    A trace's reference is ``extra["reference"]`` or ``extra["ground_truth"]``, else the answer of a correct trace of
    its question. Choices have no responses and give none.

    Example:
        >>> found = candidates_of([Pair(pair_id="p", prompt="Say hi.", response_a="hi", response_b="no")])
        >>> [(one.candidate, one.response) for one in found]
        [('a', 'hi'), ('b', 'no')]
    """
    known = {
        item.question_id: item.answer for item in items if isinstance(item, Trace) and item.correct and item.answer
    }
    found = []
    for item in items:
        columns = item_columns(item, data)
        base: dict[str, Any] = {name: columns[name] for name in ("data", "question", "candidate", "truth", "tags")}
        match item:
            case Trace():
                given = item.extra.get("reference") or item.extra.get("ground_truth") or known.get(item.question_id)
                reference = str(given) if given is not None else None
                found.append(
                    Candidate(**base, prompt=item.prompt, response=plain_text(item.response), reference=reference)
                )
            case Rating():
                base |= {"criterion": item.criterion, "reference": item.reference, "scale": scale}
                found.append(Candidate(**base, prompt=item.prompt, response=plain_text(item.response)))
            case Pair():
                for side, text in (("a", item.response_a), ("b", item.response_b)):
                    own = base | {"candidate": side, "truth": None}
                    found.append(Candidate(**own, prompt=item.prompt, response=plain_text(text), scale=scale))
    return found
