"""The items of one data set: loaded, or sampled from the model and kept; split by question."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...models.errors import InnerjudgeError
from ...models.items import Item
from ...models.loading import LanguageModel
from ..data.kinds import item_to_row, kind_of_record, record_to_item
from ..data.records import Record
from ..data.splits import Index, split_by_group
from ..reading.passes import Passes
from ..reading.verdict_pass import sample_traces
from .settings import Settings, Source
from .steps import StepStore

#: Fewest questions of a data set that is also calibrated on.
FEWEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Rows of the items to fit on, to calibrate on and to report on: no question is on two sides."""

    fit: Index
    calibrate: Index
    test: Index


def split(groups: Sequence[str], settings: Settings, *, name: str) -> Sides:
    """Split by question, in two where nothing is calibrated, else in three with at least two questions to report on.

    Fewer than two questions, or four where scores are calibrated, are an ``InnerjudgeError``.
    """
    if settings.calibrate and len(set(groups)) < FEWEST:
        raise InnerjudgeError.of("compare.few-questions", name, len(set(groups)), FEWEST)
    seed = settings.seeds.split
    fit, rest = split_by_group(groups, train_fraction=settings.fit, seed=seed)
    if not settings.calibrate:
        return Sides(fit=fit, calibrate=np.array([], dtype=np.intp), test=rest)
    left = [groups[k] for k in rest]
    one, two = split_by_group(left, train_fraction=settings.calibrate / (1 - settings.fit), seed=seed + 1)
    return Sides(fit=fit, calibrate=rest[one], test=rest[two])


@dataclass(kw_only=True)
class DataItems:
    """Items of one data set, and their sides."""

    lm: LanguageModel
    settings: Settings
    source: Source
    passes: Passes
    store: StepStore

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.source.data.name

    @property
    def kind(self) -> str:
        """Kind of its items."""
        return self.source.data.kind

    @property
    def depends(self) -> list[Any]:
        """What its rows depend on, beside the model."""
        return [self.settings.shaping(), self.source.content]

    @cached_property
    def items(self) -> list[Item]:
        """The items, sampled from the model where the data are problems."""
        if not self.source.data.problems:
            return list(self.source.data.items)
        seed = self.settings.seeds.sampling
        records = self.store.records(f"items-{self.name}", [self.source.content, seed], self._sampled)
        places = (Record(one, f"item {k}") for k, one in enumerate(records, start=1))
        return [record_to_item(r, kind_of_record(r)) for r in places]

    def _sampled(self) -> list[dict[str, Any]]:
        many, seed, passes = self.source.candidates, self.settings.seeds.sampling, self.passes
        how: Any = {"batch_size": 8 * passes.batch_size, "steps": passes.steps}
        traces = sample_traces(self.lm, self.source.data.problems, n_candidates=many, seed=seed, **how)
        return [item_to_row(trace) for trace in traces]

    @cached_property
    def sides(self) -> Sides:
        """Split by question."""
        return split([item.group for item in self.items], self.settings, name=self.name)
