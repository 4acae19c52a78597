"""One data set of a study on its way to the table: items, split in three, judged by the panel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from ...extraction.features import Features
from ...models.errors import InnerjudgeError
from ...models.items import Item, Rating
from ...models.loading import LanguageModel
from ..compare.judging import Judging, Settings
from ..compare.results import Curve
from ..data.datasets import Dataset
from ..data.kinds import item_to_row, kind_of_record, record_to_item
from ..data.labels import label_to_fit, require_classes
from ..data.records import Record
from ..data.verdict_table import Row, Table
from ..data.verdict_files import item_columns, read_table
from ..judges.between import Between, positions
from ..judges.panel import Seat, panel, without_reasoning
from ..reading.passes import Passes
from ..reading.sampling import sample_traces
from .imported import on_sides, unmatched, with_score
from .kept import Kept
from .sides import Sides, split
from .spec import DataSpec, Study
from .verdict_table import rows_of

#: Baselines that no judge is seen without.
ALWAYS = ("length", "question-only")


class Judged:
    """Items of one data set, their sides, and what every judge says of those that it was not fitted on."""

    def __init__(
        self, lm: LanguageModel, study: Study, spec: DataSpec, data: Dataset, passes: Passes, kept: Kept
    ) -> None:
        self.lm, self.study, self.spec, self.kind = lm, study, spec, data.kind
        self.name, self.passes, self.kept, self._data = data.name, passes, kept, data

    @property
    def depends(self) -> dict[str, Any]:
        """What its rows depend on, beside the model and the items."""
        chosen = {"judges", "splits", "seeds", "between", "scale", "reasoning_tokens"}
        return self.study.model_dump(mode="json", include=chosen) | {"items": self._items_depend}

    @property
    def _items_depend(self) -> dict[str, Any]:
        seeds = self.study.seeds
        return self.spec.model_dump(mode="json") | {"seeds": [seeds.data, seeds.sampling]}

    @cached_property
    def items(self) -> list[Item]:
        """The items, sampled from the model where the data are problems."""
        if not self._data.problems:
            return list(self._data.items)
        records = self.kept.records(f"items-{self.name}", self._items_depend, self._sampled)
        places = (Record(one, f"item {k}") for k, one in enumerate(records, start=1))
        return [record_to_item(r, kind_of_record(r)) for r in places]

    def _sampled(self) -> list[dict[str, Any]]:
        traces = sample_traces(
            self.lm,
            self._data.problems,
            n_candidates=self.spec.candidates,
            seed=self.study.seeds.sampling,
            batch_size=8 * self.passes.batch_size,
            steps=self.passes.steps,
        )
        return [item_to_row(trace) for trace in traces]

    @cached_property
    def sides(self) -> Sides:
        """Split by question; refused with fewer than four of them."""
        groups = [item.group for item in self.items]
        return split(groups, self.study.splits, seed=self.study.seeds.split, name=self.name)

    def check(self) -> None:
        """Refuse what can be refused before any pass of the model.

        Raises:
            InnerjudgeError: If there are too few questions, one class to fit on, no judge, or rows that are no rows.
        """
        assert self.seats
        if not self._data.problems:  # others are sampled from the model first
            require_classes(self.items, self.sides.fit)
        for path, imported in self._imported.items():
            self._unmatched(imported, path)

    @cached_property
    def _imported(self) -> dict[str, list[Row]]:
        """Rows of other judges on these data, by file."""
        return {path: [r for r in read_table(path, data=self.name) if r.data == self.name] for path in self.study.rows}

    @cached_property
    def seats(self) -> dict[str, Seat]:
        """The judges of the study that fit the kind of item, and beside them always length and question alone.

        Raises:
            InnerjudgeError: If a judge of the study is on no panel, or none is on this one.
        """
        between = positions(Between(self.study.between))
        every = panel(self.kind, between=between, scale=self.study.scale)
        every = every if self.study.reasoning_tokens else without_reasoning(every)
        wanted = {*self.study.judges, *ALWAYS} if self.study.judges else set(every)
        chosen = {name: seat for name, seat in every.items() if name in wanted}
        if self.study.judges and not set(self.study.judges) & set(every):
            raise InnerjudgeError(
                f"given judges {', '.join(self.study.judges)}, of which none judges {self.kind}s, expected some of "
                f"{', '.join(every)}"
            )
        return chosen

    @cached_property
    def judging(self) -> Judging:
        """The comparison's own machinery on these sides; its features are kept."""
        require_classes(self.items, self.sides.fit)
        needs = frozenset(need for seat in self.seats.values() for need in seat.judge.needs)
        needs |= self._also()
        passes = replace(self.passes, needs=needs)
        settings = Settings(seed=self.study.seeds.split, between=positions(Between(self.study.between)), passes=passes)
        depends = [self.depends["reasoning_tokens"], list(self.study.scale), sorted(needs), self.name]

        def keep(name: str, items: Sequence[Any], read_part: Any) -> Features:
            return self.kept.features(f"{self.name}-{name}", depends, items, read_part)

        rest = np.sort(np.concatenate([self.sides.calibrate, self.sides.test]))
        return Judging(self.lm, self.items, self.sides.fit, rest, settings, self.seats, keep)

    def _also(self) -> frozenset[str]:
        """What the look at selection noise reads, whatever judges there are."""
        if not self.study.audits.selection:
            return frozenset()
        if self.kind == "trace":
            return frozenset(f"hidden/{p}" for p in positions(Between(self.study.between)))
        return frozenset({"qk/before", "labels"}) if self.kind == "choice" else frozenset()

    def rows(self) -> tuple[list[Row], list[str]]:
        """Rows of every judge on the items that it was not fitted on, people's and imported ones, and notes."""
        found = self.kept.rows(f"judged-{self.name}", self.depends, self._judged)
        notes = [str(one["note"]) for one in self._notes()]
        side = {item: row.tags["split"] for row in found for item in [row.item]}
        if self.kind == "rating":
            found = [*found, *on_sides(self._people(), side)]
        for path, imported in self._imported.items():
            notes += self._unmatched(imported, path)
            found = [*found, *on_sides(map(with_score, imported), side)]
        Table(found)  # refuses rows that clash
        return found, notes

    def _notes(self) -> list[dict[str, Any]]:
        """What the judges chose. Written before the rows, so that it is there where they are."""
        return self.kept.records(f"notes-{self.name}", self.depends, lambda: [{"note": n} for n in self.judging.notes])

    def _unmatched(self, imported: Sequence[Row], path: str) -> list[str]:
        known = {(self.name, item.group, str(item_columns(item)["candidate"])) for item in self.items}
        alone = len(self.study.data) == 1
        return unmatched(imported, known, file=Path(path).name, data=self.name, alone=alone)

    def _judged(self) -> list[Row]:
        run = self.judging
        judge = {"trace": run.traces, "rating": run.ratings, "choice": run.choices, "pair": run.pairs}[self.kind]
        outcomes, curves, _ = judge()
        test = set(self.sides.test.tolist())
        bases = [self.columns(self.items[k], "test" if k in test else "calibrate") for k in run.test.tolist()]
        found = []
        for outcome in outcomes:
            for place, base in enumerate(bases):
                found += rows_of(base, outcome, place, self.kind)
        self._notes()
        self._curves([asdict(curve) for curve in curves])
        return found

    def curves(self) -> list[Curve]:
        """Curves over blocks, kept as the rows are."""
        return [Curve(**cast(Any, {k: _as_tuple(v) for k, v in one.items()})) for one in self._curves([])]

    def _curves(self, made: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self.kept.records(f"curves-{self.name}", self.depends, lambda: made)

    def _people(self) -> Iterator[Row]:
        """People's grades, on the scale that is asked for."""
        for item in self.items:
            if not isinstance(item, Rating):
                continue
            grades = item.scores or ()
            for number, grade in enumerate(grades if len(grades) > 1 else (), start=1):
                value = float(label_to_fit(replace(item, scores=(grade,)), self.study.scale))
                base = self.columns(item, "test")
                yield Row(**base, judge=f"human-{number}", score=value, label=value)

    def columns(self, item: Item, split: str) -> dict[str, Any]:
        """Columns of an item's rows, with the tags that the study reads."""
        columns = item_columns(item, self.name)
        wanted = {*self.study.groups, self.study.system, "criterion"}
        tags = {k: v for k, v in columns["tags"].items() if k in wanted} | {"split": split}
        for name in wanted - tags.keys() - {None, "criterion"}:
            value = getattr(item, "candidate_id", None) if name == "candidate_id" else item.extra.get(str(name))
            tags |= {str(name): str(value)} if value is not None else {}
        return columns | {"tags": tags, "truth": label_to_fit(item, self.study.scale)}


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
