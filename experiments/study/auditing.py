"""What the audits of one data set share: whom they ask about, how questions are put, where rows are kept."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ...models.loading import LanguageModel
from ..compare.evaluation import Evaluation
from ..data.datasets import take_groups
from ..data.labels import label_to_fit
from ..data.verdict_table import Row
from .asking.ask import By, Candidate, Manner, Question, ask, candidates_of
from .spec import Audits, Study


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
        limit = self.wanted.items // (2 if one.kind == "pair" else 1)
        drawn = take_groups(items, max(limit, 2), seed=self.study.seeds.data)
        made = candidates_of(drawn, data=one.name, scale=scale)
        if one.kind != "pair":  # grades on the scale that is asked for, as in the rows of the judges
            made = [replace(c, truth=label_to_fit(i, scale)) for c, i in zip(made, drawn, strict=True)]
        wanted = {*self.study.groups, self.study.system, "criterion"}
        return [replace(c, tags={k: v for k, v in c.tags.items() if k in wanted}) for c in made]

    @property
    def lm(self) -> LanguageModel:
        """The model."""
        return self.evaluation.lm

    @property
    def wanted(self) -> Audits:
        """The audits of the study."""
        return self.study.audits

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
        return replace(self.manner("text"), samples=self.wanted.samples, temperature=self.wanted.temperature)

    def asked(self, questions: Sequence[Question], name: str, how: By | Manner) -> list[Row]:
        """Rows of a judge of this name that is put these questions."""
        return ask(self.lm, questions, judge=name, manner=how if isinstance(how, Manner) else self.manner(how))

    def step(self, name: str, depends: Any, make: Callable[[], Iterable[Row]]) -> list[Row]:
        """Rows of a step, kept under all that it depends on: the data, the seeds, ``depends``."""
        shared = [self.evaluation.depends, self.wanted.items, self.study.seeds.model_dump(), depends]
        return self.evaluation.store.rows(f"{self.evaluation.name}-{name}", shared, make)
