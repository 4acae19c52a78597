"""The audits that ask the model anew: which questions are put, and the rows that come back, kept step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ...models.items import Pair
from ...models.loading import LanguageModel
from ...models.wordings import WORDINGS
from ..asking.ask import Asked, By, Manner, ask
from ..asking.candidate import Candidate, candidates_of
from ..asking.checklist import checks, pass_rates, written_checklists
from ..asking.distractors import distracted_losers, distractor_trials, rows_of
from ..asking.dummies import dummies
from ..asking.pairwise import both_orders, comparisons, named_as_in_the_item, pairwise, preference
from ..asking.pointwise import pointwise
from ..asking.ranking import ranked
from ..asking.references import could_answer, own_answers, references
from ..asking.rewrites import DISTRACTORS
from ..datasets import take_groups
from ..lab.table import Row
from .judged import Judged
from .kept import Kept

#: Most candidates of a question that are compared with one another.
MOST_COMPARED = 5


@dataclass
class Auditing:
    """Asks about some of the reported items of one data set.

    Args:
        judged: The data set.
        kept: Where rows are kept.
    """

    judged: Judged
    kept: Kept

    @cached_property
    def candidates(self) -> list[Candidate]:
        """Responses of whole questions, at most ``audits.items`` of them, of the reported side."""
        study = self.judged.study
        items = [self.judged.items[k] for k in self.judged.sides.test]
        if self.judged.kind == "choice":
            return []
        limit = study.audits.items // (2 if self.judged.kind == "pair" else 1)
        drawn = take_groups(items, max(limit, 2), seed=study.seeds.data)
        made = candidates_of(drawn, data=self.judged.name, scale=study.scale)
        return [replace(c, tags=self._tags(c)) for c in made]

    @property
    def lm(self) -> LanguageModel:
        """The model."""
        return self.judged.lm

    def manner(self, by: By = "logits", **more: Any) -> Manner:
        """How questions are put, as the study says."""
        study = self.judged.study
        base: dict[str, Any] = {"batch_size": self.judged.passes.batch_size, "steps": self.judged.passes.steps}
        base |= {"seed": study.seeds.sampling, "reasoning_tokens": study.reasoning_tokens}
        return Manner(by=by, **(base | more))

    def ways(self) -> list[Row]:
        """Point-wise by logits, by text and after reasoning, in the default wording."""
        found: list[Row] = []
        for by, name in (
            ("logits", "point-wise, logits"),
            ("text", "point-wise, text"),
            ("reasoned", "point-wise, reasoned"),
        ):
            if by == "reasoned" and not self.judged.study.reasoning_tokens:
                continue
            found += self._step(name, by, lambda by=by, name=name: self._pointwise(by, name))  # type: ignore[misc]
        return found

    def _pointwise(self, by: By, name: str) -> list[Row]:
        questions = pointwise(self.candidates, reasoned=by == "reasoned")
        return ask(self.lm, questions, judge=name, manner=self.manner(by))

    def wordings(self) -> list[Row]:
        """Point-wise by logits and by text in every wording of the study."""
        chosen = [w for w in WORDINGS if w in self.judged.study.audits.wordings]
        questions = [q for w in chosen for q in pointwise(self.candidates, wording=w)]
        found: list[Row] = []
        for by in ("logits", "text"):
            name = f"wordings, {by}"
            made = self._asked(questions, name, by)
            found += self._step(name, chosen, made)
        return found

    def samples(self) -> list[Row]:
        """Point-wise text, sampled so often as the study says."""
        audits = self.judged.study.audits
        more = {"samples": audits.samples, "temperature": audits.temperature}
        made = self._asked(pointwise(self.candidates), "samples, text", "text", **more)
        return self._step("samples, text", more, made)

    def _comparisons(self, candidates: Sequence[Candidate]) -> list[Asked]:
        """All pairs of a question's candidates in both orders; of pairs, with what people preferred."""
        known = {item.group: item.preference for item in self.judged.items if isinstance(item, Pair)}
        return [
            replace(q, columns=dict(q.columns) | {"label": known.get(str(q.columns["question"]), q.columns["label"])})
            for q in pairwise(comparisons(candidates, most=MOST_COMPARED))
        ]

    def pairs(self) -> list[Row]:
        """All pairs of a question's candidates in both orders, by logits and by text."""
        questions = self._comparisons(self.candidates)
        found: list[Row] = []
        for by in ("logits", "text") if questions else ():
            name = f"pair-wise, {by}"
            made = self._asked(questions, name, by)
            found += self._step(name, MOST_COMPARED, lambda made=made: named_as_in_the_item(made()))  # type: ignore[misc]
        return found

    def sampled_pairs(self) -> list[Row]:
        """The pairs again in sampled text, both orders: for bias without noise."""
        audits = self.judged.study.audits
        more = {"samples": audits.samples, "temperature": audits.temperature}
        questions = self._comparisons(self.candidates)
        if not questions:
            return []
        made = self._asked(questions, "pair-wise, sampled", "text", **more)
        return self._step("pair-wise, sampled", more, lambda: named_as_in_the_item(made()))

    def ranking(self) -> list[Row]:
        """All candidates of a question at once."""
        name = "batch ranking"
        made = lambda: ranked(self.lm, self.candidates, judge=name, manner=self.manner("text"))  # noqa: E731
        return self._step(name, "text", made)

    def checklist(self) -> list[Row]:
        """Pass rates of a checklist, by logits and by text."""
        given = self.judged.study.audits.checklist
        found: list[Row] = []

        def lists() -> dict[str, tuple[str, ...]]:
            if isinstance(given, tuple):
                return dict.fromkeys((c.prompt for c in self.candidates), given)
            return written_checklists(self.lm, self.candidates, manner=self.manner("text"))

        def made(by: By, name: str) -> list[Row]:
            rows = ask(self.lm, checks(self.candidates, lists()), judge=name, manner=self.manner(by))
            return pass_rates(self.candidates, rows, judge=name)

        for by in ("logits", "text"):
            name = f"checklist, {by}"
            found += self._step(name, given, lambda by=by, name=name: made(by, name))  # type: ignore[misc]
        return found

    def references(self) -> list[Row]:
        """Point-wise by logits under every reference condition; the tag ``could_answer`` splits them."""
        conditions = self.judged.study.audits.references

        def made() -> list[Row]:
            own = own_answers(self.lm, self.candidates, manner=self.manner("text"))
            able = could_answer(self.candidates, own)
            tagged = [
                replace(c, tags=dict(c.tags) | ({} if a is None else {"could_answer": "yes" if a else "no"}))
                for c, a in zip(self.candidates, able, strict=True)
            ]
            found: list[Row] = []
            for condition in conditions:
                shown = references(tagged, condition, own=own)
                kept = [k for k, r in enumerate(shown) if condition == "none" or r is not None]
                questions = pointwise([tagged[k] for k in kept], references=[shown[k] for k in kept])
                found += ask(self.lm, questions, judge=f"reference: {condition}", manner=self.manner())
            return found

        return self._step("references", list(conditions), made)

    def distractors(self) -> list[Row]:
        """Good responses against rewritten ones, point-wise and pair-wise."""
        chosen = [c for c in self.candidates if _is_good(c)][: max(self.judged.study.audits.items // 2, 4)]

        def made() -> list[Row]:
            seed = self.judged.study.seeds.sampling
            trials = distractor_trials(self.lm, chosen, manner=self.manner(), seed=seed) if chosen else {}
            return [row for name, some in trials.items() for row in rows_of(some, judge=f"distractors, {name}")]

        return self._step("distractors", len(chosen), made)

    def flips(self) -> list[Row]:
        """Two responses of a question, as they are and with each distractor on the one that lost: who wins now.

        The template of a row is ``"plain"`` or the distractor; judged point-wise and pair-wise.
        """
        pairs = comparisons(self.candidates, most=2)
        if not pairs:
            return []

        def made() -> list[Row]:
            found: list[Row] = []
            for mode in ("point-wise", "pair-wise"):
                base = self._winners(pairs, mode)
                found += _flip_rows(pairs, base, mode, "plain")
                for name, rewrite in DISTRACTORS.items():
                    changed = distracted_losers(pairs, base, rewrite)
                    found += _flip_rows(pairs, self._winners(changed, mode), mode, name)
            return found

        return self._step("flips", len(pairs), made)

    def _winners(self, pairs: Sequence[tuple[Candidate, Candidate]], mode: str) -> list[str | None]:
        """Which response of each pair is preferred; ``None`` where one is unscored."""
        if mode == "pair-wise":
            rows = ask(self.lm, pairwise(pairs), judge=mode, manner=self.manner())
            both = both_orders(named_as_in_the_item(rows), judge=mode)
            return [None if row.verdict is None else str(row.verdict) for row in both]
        alone = pointwise([one for pair in pairs for one in pair])
        scores = [row.score for row in ask(self.lm, alone, judge=mode, manner=self.manner())]
        return [preference(x, y) for x, y in zip(scores[::2], scores[1::2], strict=True)]

    def dummies(self) -> list[Row]:
        """Answers that say nothing, and the reference, by logits and by text."""
        made = [replace(c, tags=dict(c.tags) | {"dummy": name}) for name, c in dummies(self.candidates)]
        found: list[Row] = []
        for by in ("logits", "text"):
            name = f"dummies, {by}"
            found += self._step(name, "dummies", self._asked(pointwise(made), name, by))
        return found

    def perturbed(self, other: Callable[[], LanguageModel]) -> list[Row]:
        """Point-wise by logits: as ever, one item a batch, and by the model in half precision."""
        questions = pointwise(self.candidates)

        def made() -> list[Row]:
            found = ask(self.lm, questions, judge="perturbation: as is", manner=self.manner())
            found += ask(self.lm, questions, judge="perturbation: batch of 1", manner=self.manner(batch_size=1))
            return found + ask(other(), questions, judge="perturbation: bfloat16", manner=self.manner())

        return self._step("perturbation", "bfloat16", made)

    def _asked(self, questions: Sequence[Any], name: str, by: By, **more: Any) -> Callable[[], list[Row]]:
        return lambda: ask(self.lm, questions, judge=name, manner=self.manner(by, **more))

    def _step(self, name: str, depends: Any, make: Callable[[], Iterable[Row]]) -> list[Row]:
        study = self.judged.study
        seeds = study.seeds.model_dump()
        shared = [self.judged.depends, study.audits.items, seeds, depends]
        return self.kept.rows(f"{self.judged.name}-{name}", shared, make)

    def _tags(self, one: Candidate) -> dict[str, str]:
        wanted = {*self.judged.study.groups, self.judged.study.system, "criterion"}
        return {k: v for k, v in one.tags.items() if k in wanted}


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
            verdict=verdict,
            unscored=None if verdict is not None else "one of the two is unscored",
        )
        for (x, y), verdict in zip(pairs, verdicts, strict=True)
    ]


def _is_good(one: Candidate) -> bool:
    if one.scale is None:
        return one.label is True
    return isinstance(one.label, int | float) and one.label >= one.scale[0] + 0.6 * (one.scale[1] - one.scale[0])
