"""The same question again: sampled, in comparisons of both orders, in other batches and another arithmetic."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ....models.items import Pair
from ....models.loading import LanguageModel
from ...data.verdict_table import Row
from ..asking.ask import Manner, Question, ask
from ..asking.questions import comparisons, named_as_in_the_item, pairwise, pointwise
from ..auditing import Auditing

#: Most candidates of a question that are compared with one another.
MOST_COMPARED = 5


def samples(audit: Auditing) -> list[Row]:
    """Point-wise text, sampled as often as the study says."""
    how, name = audit.sampled(), "samples, text"
    return audit.step(name, _told(how), lambda: audit.asked(pointwise(audit.candidates), name, how))


def pairs(audit: Auditing) -> list[Row]:
    """All pairs of a question's candidates in both orders, by logits and by text."""
    questions = _comparisons(audit)
    found: list[Row] = []
    for by in ("logits", "text") if questions else ():
        name = f"pair-wise, {by}"

        def made(name: str = name, by: Any = by) -> list[Row]:
            return named_as_in_the_item(audit.asked(questions, name, by))

        found += audit.step(name, MOST_COMPARED, made)
    return found


def sampled_pairs(audit: Auditing) -> list[Row]:
    """The pairs again in sampled text, both orders: for bias without noise."""
    how, name, questions = audit.sampled(), "pair-wise, sampled", _comparisons(audit)
    if not questions:
        return []
    return audit.step(name, _told(how), lambda: named_as_in_the_item(audit.asked(questions, name, how)))


def perturbed(audit: Auditing, other: Callable[[], LanguageModel]) -> list[Row]:
    """Point-wise by logits: as ever, one item a batch, and by the model in half precision."""
    questions = pointwise(audit.candidates)

    def made() -> list[Row]:
        found = audit.asked(questions, "perturbation: as is", "logits")
        found += audit.asked(questions, "perturbation: batch of 1", replace(audit.manner(), batch_size=1))
        return found + ask(other(), questions, judge="perturbation: bfloat16", manner=audit.manner())

    return audit.step("perturbation", "bfloat16", made)


def _told(how: Manner) -> dict[str, float]:
    return {"samples": how.samples, "temperature": how.temperature}


def _comparisons(audit: Auditing) -> list[Question]:
    """All pairs of a question's candidates in both orders; of pairs, with what people preferred."""
    known = {item.group: item.preference for item in audit.evaluation.items if isinstance(item, Pair)}
    return [
        replace(q, columns=dict(q.columns) | {"truth": known.get(str(q.columns["question"]), q.columns["truth"])})
        for q in pairwise(comparisons(audit.candidates, most=MOST_COMPARED))
    ]
