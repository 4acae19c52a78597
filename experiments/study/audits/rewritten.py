"""Responses rewritten, and answers that say nothing: what a judge can be talked round by."""

from collections.abc import Sequence
from dataclasses import replace

from ...data.verdict_table import Row
from ..asking.candidate import Candidate
from ..asking.distractors import distracted_losers, distractor_trials
from ..asking.questions import both_orders, comparisons, named_as_in_the_item, pairwise, pointwise, preference
from ..asking.references import dummies
from ..asking.rewrites import DISTRACTORS
from ..auditing import Auditing


def distractors(audit: Auditing) -> list[Row]:
    """Good responses against rewritten ones, point-wise and pair-wise."""
    chosen = [c for c in audit.candidates if _is_good(c)][: max(audit.wanted.items // 2, 4)]

    def made() -> list[Row]:
        seed = audit.study.seeds.sampling
        return distractor_trials(audit.lm, chosen, manner=audit.manner(), seed=seed) if chosen else []

    return audit.step("distractors", len(chosen), made)


def flips(audit: Auditing) -> list[Row]:
    """Two responses of a question, as they are and with each distractor on the one that lost: who wins now.

    The template of a row is ``"plain"`` or the distractor; judged point-wise and pair-wise.
    """
    pairs = comparisons(audit.candidates, most=2)
    if not pairs:
        return []

    def made() -> list[Row]:
        found: list[Row] = []
        for mode in ("point-wise", "pair-wise"):
            base = _winners(audit, pairs, mode)
            found += _flip_rows(pairs, base, mode, "plain")
            for name, rewrite in DISTRACTORS.items():
                changed = distracted_losers(pairs, base, rewrite)
                found += _flip_rows(pairs, _winners(audit, changed, mode), mode, name)
        return found

    return audit.step("flips", len(pairs), made)


def dummy_answers(audit: Auditing) -> list[Row]:
    """Answers that say nothing, and the reference, by logits and by text."""
    questions = pointwise([replace(c, tags=dict(c.tags) | {"dummy": name}) for name, c in dummies(audit.candidates)])
    found: list[Row] = []
    for by in ("logits", "text"):
        name = f"dummies, {by}"
        found += audit.step(name, "dummies", lambda n=name, by=by: audit.asked(questions, n, by))  # type: ignore[misc]
    return found


def _winners(audit: Auditing, pairs: Sequence[tuple[Candidate, Candidate]], mode: str) -> list[str | None]:
    """Which response of each pair is preferred; ``None`` where one is unscored."""
    if mode == "pair-wise":
        both = both_orders(named_as_in_the_item(audit.asked(pairwise(pairs), mode, "logits")), judge=mode)
        return [None if row.label is None else str(row.label) for row in both]
    alone = pointwise([one for pair in pairs for one in pair])
    scores = [row.score for row in audit.asked(alone, mode, "logits")]
    return [preference(x, y) for x, y in zip(scores[::2], scores[1::2], strict=True)]


def _flip_rows(
    pairs: Sequence[tuple[Candidate, Candidate]], verdicts: Sequence[str | None], mode: str, template: str
) -> list[Row]:
    return [
        Row(
            data=x.data,
            question=x.question,
            candidate=f"{x.candidate}|{y.candidate}",
            judge=f"flips, {mode}",
            template=template,
            label=verdict,
            unscored=None if verdict is not None else "one of the two is unscored",
        )
        for (x, y), verdict in zip(pairs, verdicts, strict=True)
    ]


def _is_good(one: Candidate) -> bool:
    if one.scale is None:
        return one.truth is True
    return isinstance(one.truth, int | float) and one.truth >= one.scale[0] + 0.6 * (one.scale[1] - one.scale[0])
