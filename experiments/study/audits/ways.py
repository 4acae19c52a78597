"""Ways of asking about a response: by itself, against others, all at once, by a checklist, beside a reference."""

from collections.abc import Sequence
from dataclasses import replace

from ....models.conversation import Text
from ....models.prompts import WORDINGS
from ...data.verdict_table import Row
from ..asking.ask import By
from ..asking.candidate import Candidate
from ..asking.checklist import checks, written_checklists
from ..asking.questions import both_orders, pointwise
from ..asking.ranking import ranked
from ..asking.references import could_answer, own_answers, references
from ..auditing import Auditing


def alone(audit: Auditing) -> list[Row]:
    """Point-wise by logits, by text and after reasoning, in the default wording."""
    ways: tuple[By, ...] = ("logits", "text", "reasoned") if audit.study.reasoning_tokens else ("logits", "text")
    found: list[Row] = []
    for by in ways:
        questions = pointwise(audit.candidates, reasoned=by == "reasoned")
        name = f"point-wise, {by}"
        found += audit.step(name, by, lambda q=questions, n=name, by=by: audit.asked(q, n, by))  # type: ignore[misc]
    return found


def wordings(audit: Auditing) -> list[Row]:
    """Point-wise by logits and by text in every wording of the study."""
    chosen = [w for w in WORDINGS if w in audit.wanted.wordings]
    questions = [q for w in chosen for q in pointwise(audit.candidates, wording=w)]
    found: list[Row] = []
    for by in ("logits", "text"):
        name = f"wordings, {by}"
        found += audit.step(name, chosen, lambda n=name, by=by: audit.asked(questions, n, by))  # type: ignore[misc]
    return found


def ranking(audit: Auditing) -> list[Row]:
    """All candidates of a question at once."""
    name = "batch ranking"
    return audit.step(name, "text", lambda: ranked(audit.lm, audit.candidates, judge=name, manner=audit.manner("text")))


def checked(audit: Auditing) -> list[Row]:
    """Every check of a checklist, by logits and by text; the checklist as given, or written by the model."""
    given = audit.wanted.checklist
    lists: dict[Text, tuple[str, ...]] = {}

    def asked(by: By, name: str) -> list[Row]:
        if not lists and isinstance(given, tuple):
            lists.update(dict.fromkeys((c.prompt for c in audit.candidates), given))
        elif not lists:
            lists.update(written_checklists(audit.lm, audit.candidates, manner=audit.manner("text")))
        return audit.asked(checks(audit.candidates, lists), name, by)

    found: list[Row] = []
    for by in ("logits", "text"):
        name = f"checklist, {by}"
        found += audit.step(f"{name}, checks", given, lambda n=name, by=by: asked(by, n))  # type: ignore[misc]
    return found


def wins(rows: Sequence[Row], candidates: Sequence[Candidate], *, judge: str) -> list[Row]:
    """One row a candidate: mean chance to be called better over its comparisons, both orders."""
    held: dict[tuple[str, str, str], list[float]] = {}
    for row in both_orders(rows, judge=judge):
        if row.score is not None:
            x, y = row.candidate.split("|")
            held.setdefault((row.data, row.question, x), []).append(row.score)
            held.setdefault((row.data, row.question, y), []).append(1 - row.score)
    found = []
    for c in candidates:
        mine = held.get((c.data, c.question, c.candidate), [])
        score = sum(mine) / len(mine) if mine else None
        found.append(Row(**c.columns, judge=judge, score=score, unscored=None if mine else "in no comparison"))
    return found


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
