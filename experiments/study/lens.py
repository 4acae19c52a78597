"""One data set's table seen for its figures: the reported rows, the calibration rows, and how intervals are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..data.verdict_table import Table
from ..stats.intervals import Interval, cluster_interval
from ..stats.multiple import Difference, difference, holm, p_value
from ..stats.statistic import Statistic
from .figures import Figure, Good, of_difference, of_interval

#: A metric of one judge on the rows that a mask keeps.
Metric = Callable[[str, Sequence[bool]], Statistic]


@dataclass(frozen=True)
class Lens:
    """What the sections of a report look through.

    Args:
        data: Name of the data set.
        kind: Kind of its items.
        table: Rows that are reported on.
        calibration: Rows of the calibration side.
        families: Judge -> family; imported judges are of the family ``"imported"``, people of ``"people"``.
        against: The judge that others are compared with; it may be absent.
        scale: Lowest and highest grade.
        system: Tag that says who wrote a response.
        own: Its values that are the family of the study's model.
        kin: Judge -> values of that tag that are its own family; those of the study's model have ``own``.
        group_tags: Tags whose values are compared.
        target_accuracy: Accuracy that abstention aims at.
    """

    data: str
    kind: str
    table: Table
    calibration: Table
    families: Mapping[str, str]
    against: str
    scale: tuple[int, int]
    system: str | None = None
    own: tuple[str, ...] = ()
    kin: Mapping[str, frozenset[str]] = field(default_factory=dict)
    group_tags: tuple[str, ...] = ()
    target_accuracy: float = 0.9

    @property
    def forms(self) -> tuple[str, ...]:
        """The orders in which items of this kind are judged."""
        return ("given", *{"pair": ("swapped",), "choice": ("permuted",)}.get(self.kind, ()))

    @cached_property
    def groups(self) -> list[tuple[str, str]]:
        """Question of every item."""
        return self.table.groups

    @cached_property
    def n_groups(self) -> int:
        """Questions that are reported on."""
        return len(set(self.groups))

    @cached_property
    def judges(self) -> tuple[str, ...]:
        """Judges with a score or verdict on some reported item; people are not judges here."""
        said = {row.judge for row in self.table if not row.unscored}
        order = [name for name in self.families if name in said and self.families[name] != "people"]
        return tuple(order)

    @cached_property
    def people(self) -> tuple[str, ...]:
        """People whose grades stand in the table."""
        return tuple(name for name in self.table.judges if self.families.get(name) == "people")

    @cached_property
    def labels(self) -> list[Any]:
        """Label of every item."""
        return list(self.table.labels)

    def rights(self, judge: str, **form: Any) -> list[bool | None]:
        """Whether the judge's verdicts are the labels."""
        return [None if row is None else row.right for row in self.table.column(judge, **form)]

    def interval(self, statistic: Statistic, groups: Sequence[Any] | None = None) -> Interval:
        """A figure with its interval over questions."""
        return cluster_interval(statistic, self.groups if groups is None else groups)

    def figure(
        self,
        part: str,
        judge: str,
        metric: str,
        statistic: Statistic,
        *,
        groups: Sequence[Any] | None = None,
        good: Good = "higher",
        null: float | None = None,
    ) -> Figure:
        """A figure for a table; with ``null``, a two-sided test of it."""
        found = self.interval(statistic, groups)
        tested = None if null is None else p_value(found, null=null)
        return of_interval(found, data=self.data, part=part, judge=judge, metric=metric, good=good, p=tested)

    def zero(self, part: str, judge: str, metric: str, statistic: Statistic) -> Figure:
        """A figure that is best at 0, such as a bias, with its test of 0."""
        return self.figure(part, judge, metric, statistic, good="zero", null=0.0)

    def describe(self, part: str, judge: str, metric: str, statistic: Statistic) -> Figure:
        """A figure that describes, and is neither good nor bad."""
        return self.figure(part, judge, metric, statistic, good="none")

    def differences(
        self,
        part: str,
        metric: str,
        of: Metric,
        judges: Sequence[str],
        scored: Mapping[str, Sequence[bool]],
        good: Good = "higher",
    ) -> dict[str, Figure]:
        """Paired differences of every judge to :attr:`against`, on the items that both scored, Holm-corrected.

        Args:
            part: Key of the section.
            metric: Name of the metric.
            of: The metric.
            judges: The judges.
            scored: Which items each judge scored.
            good: Which way is good.
        """
        if self.against not in scored:
            return {}
        others = [judge for judge in judges if judge != self.against]
        made = []
        for judge in others:
            both = [a and b for a, b in zip(scored[judge], scored[self.against], strict=True)]
            first, second = of(judge, both), of(self.against, both)
            made.append(difference(first, second, self.groups))
        shared: dict[str, Any] = {"data": self.data, "part": part, "metric": metric, "against": self.against}
        corrected = zip(others, holm(made), strict=True)
        return {judge: of_difference(d, judge=judge, good=good, **shared) for judge, d in corrected}

    def scored(self, judge: str, **form: Any) -> list[bool]:
        """Which items a judge scored."""
        return [row is not None and not row.unscored for row in self.table.column(judge, **form)]

    def masked(self, values: Sequence[Any], mask: Sequence[bool]) -> list[Any]:
        """Values with ``None`` where the mask is off."""
        return [v if keep else None for v, keep in zip(values, mask, strict=True)]

    def in_criteria(self) -> list[list[bool]]:
        """Which items are of each criterion; one part where there is one, or more than ten."""
        criteria = self.table.tag("criterion")
        names = list(dict.fromkeys(criteria))
        if not 1 < len(names) <= 10:
            return [[True] * len(criteria)]
        return [[c == name for c in criteria] for name in names]


def standing(figures: Sequence[Figure], *, level: float = 0.05) -> tuple[list[Figure], int]:
    """Figures whose test of 0 stands after Holm's correction over all tested ones, and how many were tested.

    Example:
        >>> def made(p):
        ...     return Figure(data="d", part="p", judge="j", metric="m", value=0.1, p=p, good="zero")
        >>> found, tested = standing([made(0.001), made(0.04), made(0.03)])
        >>> len(found), tested
        (1, 3)
    """
    tested = [f for f in figures if f.good == "zero" and f.p is not None and f.value is not None]
    known = [Difference(interval=Interval(value=f.value, low=f.low, high=f.high, n=f.n), p=f.p) for f in tested]
    kept = [f for f, d in zip(tested, holm(known), strict=True) if d.p_corrected is not None and d.p_corrected <= level]
    return kept, len(tested)


def as_floats(values: Sequence[Any]) -> list[float | None]:
    """Numbers as floats, anything else as ``None``.

    Example:
        >>> as_floats([True, 2, "a", None])
        [1.0, 2.0, None, None]
    """
    return [float(v) if isinstance(v, bool | int | float | np.number) else None for v in values]
