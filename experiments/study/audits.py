"""Ways of asking about a response: alone, against others, ranked, by checklist or reference, again, or rewritten.

:class:`Auditing` is what they share: whom they ask about, how questions are put, where rows are kept.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import Any

from ...models.conversation import Text
from ...models.items import Pair
from ...models.loading import LanguageModel
from ..compare.evaluation import Evaluation
from ..data.datasets import take_groups
from ..data.labels import label_to_fit
from ..data.verdict_table import Row
from .asking.ask import By, Candidate, Manner, Question, ask, candidates_of
from .asking.checklist import checks, could_answer, dummies, own_answers, ranked, references, written_checklists
from .asking.distractors import DISTRACTORS, distracted_losers, distractor_trials
from .asking.questions import both_orders, comparisons, named_as_in_the_item, pairwise, pointwise, preference
from .spec import Study


@dataclass
class Auditing:
    """Asks about some of the reported items of one data set."""

    study: Study
    evaluation: Evaluation

    @cached_property
    def candidates(self) -> list[Candidate]:
        """Responses of whole questions, at most ``audits.items`` of them, of the reported side."""
        one, scale = self.evaluation, self.evaluation.settings.scale
        items = [one.items[k] for k in one.sides.test]
        if one.kind == "choice":
            return []
        limit = self.study.audits.items // (2 if one.kind == "pair" else 1)
        drawn = take_groups(items, max(limit, 2), seed=self.study.seeds.data)
        made = candidates_of(drawn, data=one.name, scale=scale)
        if one.kind != "pair":  # grades on the scale that is asked for, as in the rows of the judges
            made = [replace(c, truth=label_to_fit(i, scale)) for c, i in zip(made, drawn, strict=True)]
        wanted = {*self.study.groups, self.study.system, "criterion"}
        return [replace(c, tags={k: v for k, v in c.tags.items() if k in wanted}) for c in made]

    def manner(self, by: By = "logits") -> Manner:
        """How questions are put, as the study says."""
        return Manner(
            by=by,
            batch_size=self.evaluation.passes.batch_size,
            steps=self.evaluation.passes.steps,
            seed=self.study.seeds.sampling,
            reasoning_tokens=self.study.reasoning_tokens,
        )

    def sampled(self) -> Manner:
        """Text, sampled as often and at the temperature that the study says."""
        wanted = self.study.audits
        return replace(self.manner("text"), samples=wanted.samples, temperature=wanted.temperature)

    def asked(self, questions: Sequence[Question], name: str, how: By | Manner) -> list[Row]:
        """Rows of a judge of this name that is asked these questions."""
        manner = how if isinstance(how, Manner) else self.manner(how)
        return ask(self.evaluation.lm, questions, judge=name, manner=manner)

    def step(self, name: str, depends: Any, make: Callable[[], Iterable[Row]]) -> list[Row]:
        """Rows of a step, kept under all that it depends on: the data, the seeds, ``depends``."""
        shared = [self.evaluation.depends, self.study.audits.items, asdict(self.study.seeds), depends]
        return self.evaluation.store.rows(f"{self.evaluation.name}-{name}", shared, make)


def alone(audit: Auditing) -> list[Row]:
    """Point-wise by logits, by text and after reasoning."""

    def asked(name: str, by: By) -> list[Row]:
        return audit.asked(pointwise(audit.candidates, reasoned=by == "reasoned"), name, by)

    ways: tuple[By, ...] = (*_BOTH, "reasoned") if audit.study.reasoning_tokens else _BOTH
    return _by_each(audit, "point-wise", "alone", asked, ways=ways)


_BOTH: tuple[By, ...] = ("logits", "text")


def _by_each(
    audit: Auditing, what: str, depends: Any, asked: Callable[[str, By], list[Row]], *, ways: Sequence[By] = _BOTH
) -> list[Row]:
    """A kept step for each way: what is asked under the name of its judge."""
    names = {f"{what}, {by}": by for by in ways}
    return [row for name, by in names.items() for row in audit.step(name, depends, partial(asked, name, by))]


def ranking(audit: Auditing) -> list[Row]:
    """All candidates of a question at once."""
    name, lm, manner = "batch ranking", audit.evaluation.lm, audit.manner("text")
    return audit.step(name, "text", lambda: ranked(lm, audit.candidates, judge=name, manner=manner))


def checked(audit: Auditing) -> list[Row]:
    """Every check of a checklist, by logits and by text; the checklist as given, or written by the model."""
    given = audit.study.audits.checklist
    lists: dict[Text, tuple[str, ...]] = {}

    def asked(name: str, by: By) -> list[Row]:
        if not lists and isinstance(given, tuple):
            lists.update(dict.fromkeys((c.prompt for c in audit.candidates), given))
        elif not lists:
            lists.update(written_checklists(audit.evaluation.lm, audit.candidates, manner=audit.manner("text")))
        return audit.asked(checks(audit.candidates, lists), name, by)

    return _by_each(audit, "checklist", given, asked)


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
    conditions = audit.study.audits.references

    def made() -> list[Row]:
        own = own_answers(audit.evaluation.lm, audit.candidates, manner=audit.manner("text"))
        tagged = [
            replace(c, tags=dict(c.tags) | ({} if a is None else {"could_answer": "yes" if a else "no"}))
            for c, a in zip(audit.candidates, could_answer(audit.candidates, own), strict=True)
        ]
        found: list[Row] = []
        for condition in conditions:
            shown = references(tagged, condition, own=own)
            kept = [k for k, r in enumerate(shown) if condition == "none" or r is not None]
            questions = pointwise([tagged[k] for k in kept], references=[shown[k] for k in kept])
            found += audit.asked(questions, f"reference: {condition}", "logits")
        return found

    return audit.step("references", list(conditions), made)


#: Most candidates of a question that are compared with one another.
MOST_COMPARED = 5


def samples(audit: Auditing) -> list[Row]:
    """Point-wise text, sampled as often as the study says."""
    how, name = audit.sampled(), "samples, text"
    return audit.step(name, _told(how), lambda: audit.asked(pointwise(audit.candidates), name, how))


def pairs(audit: Auditing) -> list[Row]:
    """All pairs of a question's candidates in both orders, by logits and by text."""
    questions = _comparisons(audit)
    return _by_each(
        audit, "pair-wise", MOST_COMPARED, lambda name, by: named_as_in_the_item(audit.asked(questions, name, by))
    )


def sampled_pairs(audit: Auditing) -> list[Row]:
    """The pairs again in sampled text, both orders: for bias without noise."""
    how, name, questions = audit.sampled(), "pair-wise, sampled", _comparisons(audit)
    return audit.step(name, _told(how), lambda: named_as_in_the_item(audit.asked(questions, name, how)))


def perturbed(audit: Auditing, other: Callable[[], LanguageModel]) -> list[Row]:
    """Point-wise by logits: as usual, with one item a batch, and by the model in half precision."""
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
    known = {item.id: item.preference for item in audit.evaluation.items if isinstance(item, Pair)}
    return [
        replace(q, columns=dict(q.columns) | {"truth": known.get(str(q.columns["question"]), q.columns["truth"])})
        for q in pairwise(comparisons(audit.candidates, most=MOST_COMPARED))
    ]


def distractors(audit: Auditing) -> list[Row]:
    """Good responses against rewritten ones, point-wise and pair-wise."""
    known = [(c, *(c.scale or (0, 1))) for c in audit.candidates if isinstance(c.truth, int | float)]
    good = [c for c, low, high in known if float(c.truth or 0) >= low + 0.6 * (high - low)]
    chosen = good[: max(audit.study.audits.items // 2, 4)]

    def made() -> list[Row]:
        seed = audit.study.seeds.sampling
        return distractor_trials(audit.evaluation.lm, chosen, manner=audit.manner(), seed=seed) if chosen else []

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
            won = {"plain": _winners(audit, pairs, mode)}
            for name, rewrite in DISTRACTORS.items():
                won[name] = _winners(audit, distracted_losers(pairs, won["plain"], rewrite), mode)
            for template, said in won.items():
                for (x, y), verdict in zip(pairs, said, strict=True):
                    both, why = f"{x.candidate}|{y.candidate}", None if verdict else "one of the two is unscored"
                    found.append(Row(data=x.data, question=x.question, candidate=both, judge=f"flips, {mode}",
                                     template=template, label=verdict, unscored=why))  # fmt: skip
        return found

    return audit.step("flips", len(pairs), made)


def dummy_answers(audit: Auditing) -> list[Row]:
    """Answers that say nothing, and the reference, by logits and by text."""
    questions = pointwise([replace(c, tags=dict(c.tags) | {"dummy": name}) for name, c in dummies(audit.candidates)])
    return _by_each(audit, "dummies", "dummies", partial(audit.asked, questions))


def _winners(audit: Auditing, pairs: Sequence[tuple[Candidate, Candidate]], mode: str) -> list[str | None]:
    """Which response of each pair is preferred; ``None`` where one is unscored."""
    if mode == "pair-wise":
        both = both_orders(named_as_in_the_item(audit.asked(pairwise(pairs), mode, "logits")), judge=mode)
        return [None if row.label is None else str(row.label) for row in both]
    scores = [row.score for row in audit.asked(pointwise([one for pair in pairs for one in pair]), mode, "logits")]
    return [preference(x, y) for x, y in zip(scores[::2], scores[1::2], strict=True)]
