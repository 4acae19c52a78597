"""The same question with a reference beside it: none, the model's own, the given one, a wrong one."""

from dataclasses import replace

from ...data.verdict_table import Row
from ..asking.pointwise import pointwise
from ..asking.references import could_answer, own_answers, references
from ..auditing import Auditing


def referenced(audit: Auditing) -> list[Row]:
    """Point-wise by logits under every reference condition; the tag ``could_answer`` splits them."""
    conditions = audit.wanted.references

    def made() -> list[Row]:
        own = own_answers(audit.lm, audit.candidates, manner=audit.manner("text"))
        able = could_answer(audit.candidates, own)
        tagged = [
            replace(c, tags=dict(c.tags) | ({} if a is None else {"could_answer": "yes" if a else "no"}))
            for c, a in zip(audit.candidates, able, strict=True)
        ]
        found: list[Row] = []
        for condition in conditions:
            shown = references(tagged, condition, own=own)
            kept = [k for k, r in enumerate(shown) if condition == "none" or r is not None]
            questions = pointwise([tagged[k] for k in kept], references=[shown[k] for k in kept])
            found += audit.asked(questions, f"reference: {condition}", "logits")
        return found

    return audit.step("references", list(conditions), made)
