"""The items of one data set: loaded, or sampled from the model and kept; split by question."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...models.items import Item
from ...models.loading import LanguageModel
from ..data.kinds import item_to_row, kind_of_record, record_to_item
from ..data.records import Record
from ..reading.passes import Passes
from ..reading.sampling import sample_traces
from .settings import Settings, Source
from .sides import Sides, split
from .steps import StepStore


@dataclass(kw_only=True)
class DataItems:
    """Items of one data set, and their sides.

    Args:
        lm: The model.
        settings: How judges are compared.
        source: The data.
        passes: How the model is run.
        store: Where steps are kept.
    """

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
        traces = sample_traces(
            self.lm,
            self.source.data.problems,
            n_candidates=self.source.candidates,
            seed=self.settings.seeds.sampling,
            batch_size=8 * self.passes.batch_size,
            steps=self.passes.steps,
        )
        return [item_to_row(trace) for trace in traces]

    @cached_property
    def sides(self) -> Sides:
        """Split by question."""
        groups = [item.group for item in self.items]
        return split(groups, self.settings, name=self.name)
