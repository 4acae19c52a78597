"""What the audits of one data set share: whom they ask about, how questions are put, where rows are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ...models.loading import LanguageModel
from ..data.datasets import take_groups
from ..data.labels import label_to_fit
from ..data.verdict_table import Row
from .asking.ask import Asked, By, Manner, ask
from .asking.candidate import Candidate, candidates_of
from .judged import Judged
from .kept import Kept
from .spec import Audits


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
        limit = self.wanted.items // (2 if self.judged.kind == "pair" else 1)
        drawn = take_groups(items, max(limit, 2), seed=study.seeds.data)
        made = candidates_of(drawn, data=self.judged.name, scale=study.scale)
        if self.judged.kind != "pair":  # grades on the scale that is asked for, as in the rows of the judges
            made = [replace(c, truth=label_to_fit(i, study.scale)) for c, i in zip(made, drawn, strict=True)]
        return [replace(c, tags=self._tags(c)) for c in made]

    @property
    def lm(self) -> LanguageModel:
        """The model."""
        return self.judged.lm

    @property
    def wanted(self) -> Audits:
        """The audits of the study."""
        return self.judged.study.audits

    def manner(self, by: By = "logits", **more: Any) -> Manner:
        """How questions are put, as the study says."""
        study = self.judged.study
        base: dict[str, Any] = {"batch_size": self.judged.passes.batch_size, "steps": self.judged.passes.steps}
        base |= {"seed": study.seeds.sampling, "reasoning_tokens": study.reasoning_tokens}
        return Manner(by=by, **(base | more))

    def asked(self, questions: Sequence[Asked], name: str, by: By, **more: Any) -> list[Row]:
        """Rows of a judge of this name that is put these questions."""
        return ask(self.lm, questions, judge=name, manner=self.manner(by, **more))

    def step(self, name: str, depends: Any, make: Callable[[], Iterable[Row]]) -> list[Row]:
        """Rows of a step, kept under all that it depends on: the data, the seeds, ``depends``."""
        shared = [self.judged.depends, self.wanted.items, self.judged.study.seeds.model_dump(), depends]
        return self.kept.rows(f"{self.judged.name}-{name}", shared, make)

    def _tags(self, one: Candidate) -> dict[str, str]:
        wanted = {*self.judged.study.groups, self.judged.study.system, "criterion"}
        return {k: v for k, v in one.tags.items() if k in wanted}
