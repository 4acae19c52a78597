"""One data set's table seen for its figures: the reported rows, the calibration rows, and how intervals are made."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..data.verdict_table import Row, Table
from ..stats.intervals import Difference, Interval, cluster_interval, difference, holm, p_value
from ..stats.statistic import Statistic
from .figures import Figure, Good
from .settings import Settings

#: A metric of one judge on the rows that a mask keeps.
Metric = Callable[[str, Sequence[bool]], Statistic]


@dataclass(frozen=True)
class Lens:
    """What the sections of a report look through: rows that are reported on, and those of the calibration side.

    ``families``: judge -> family, ``"imported"`` and ``"people"`` among them; ``kin``: judge -> values of the tag
    ``system`` that are its own family.
    """

    data: str
    kind: str
    table: Table
    calibration: Table
    families: Mapping[str, str]
    settings: Settings
    kin: Mapping[str, frozenset[str]] = field(default_factory=dict)

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
    def asked(self) -> tuple[str, ...]:
        """All judges, also those without a score on any reported item; people are not judges here."""
        return tuple(name for name, family in self.families.items() if family != "people")

    @cached_property
    def judges(self) -> tuple[str, ...]:
        """Judges with a score or label on some reported item."""
        said = {row.judge for row in self.table if not row.unscored}
        return tuple(name for name in self.asked if name in said)

    @cached_property
    def people(self) -> tuple[str, ...]:
        """People whose grades stand in the table."""
        return tuple(name for name in self.table.judges if self.families.get(name) == "people")

    @cached_property
    def truths(self) -> list[Any]:
        """The true label of every item."""
        return list(self.table.truths)

    def of(self, rows: Iterable[Row]) -> "Lens":
        """The same look at other rows, of ways of asking."""
        table = Table(rows)
        return replace(self, table=table, families=dict.fromkeys(table.judges, "asked"))

    def rights(self, judge: str, *, order: str = "given") -> list[bool | None]:
        """Whether the judge was right."""
        return [None if row is None else row.right for row in self.table.column(judge, order=order)]

    def scored(self, judge: str, *, order: str = "given") -> list[bool]:
        """Which items a judge scored."""
        return [row is not None and not row.unscored for row in self.table.column(judge, order=order)]

    def figure(
        self, part: str, judge: str, metric: str, statistic: Statistic, *, groups: Sequence[Any] | None = None,
        unscored: int = 0, good: Good = "higher", null: float | None = None
    ) -> Figure:  # fmt: skip
        """A figure for a table, its interval over questions; with ``null``, a two-sided test of it."""
        found = cluster_interval(statistic, self.groups if groups is None else groups)
        p = None if null is None else p_value(found, null=null)
        return self.shown(part, judge, metric, found, unscored=unscored, good=good, p=p)

    def gap(self, part: str, judge: str, metric: str, found: Difference, *, against: str, unscored: int = 0) -> Figure:
        """A paired difference for a table; above 0 is better."""
        told: Any = {"p": found.p, "p_corrected": found.p_corrected, "verdict": found.verdict, "against": against}
        return self.shown(part, judge, metric, found.interval, unscored=unscored, **told)

    def shown(self, part: str, judge: str, metric: str, found: Interval, **more: Any) -> Figure:
        """A figure from its interval, and what else is known of it."""
        told = {name: getattr(found, name) for name in ("value", "low", "high", "n", "reason")}
        return Figure(data=self.data, part=part, judge=judge, metric=metric, **told, **more)

    def zero(self, part: str, judge: str, metric: str, statistic: Statistic) -> Figure:
        """A figure that is best at 0, such as a bias, with its test of 0."""
        return self.figure(part, judge, metric, statistic, good="zero", null=0.0)

    def describe(self, part: str, judge: str, metric: str, statistic: Statistic) -> Figure:
        """A figure that only describes: neither high nor low is better."""
        return self.figure(part, judge, metric, statistic, good="none")


def masked(values: Sequence[Any], mask: Sequence[bool]) -> list[Any]:
    """Values with ``None`` where the mask is off."""
    return [v if keep else None for v, keep in zip(values, mask, strict=True)]


def standing(figures: Sequence[Figure], *, level: float = 0.05) -> tuple[list[Figure], int]:
    """Figures that still differ from 0 after Holm's correction over all tested ones, and how many were tested."""
    tested = [f for f in figures if f.good == "zero" and f.p is not None and f.value is not None]
    known = [Difference(interval=Interval(value=f.value, low=f.low, high=f.high, n=f.n), p=f.p) for f in tested]
    kept = [f for f, d in zip(tested, holm(known), strict=True) if d.p_corrected is not None and d.p_corrected <= level]
    return kept, len(tested)


def within(scores: Sequence[float | None], low: float, high: float) -> bool:
    """Whether there are scores, and all lie between ``low`` and ``high``."""
    known = [s for s in scores if s is not None]
    return bool(known) and low <= min(known) and max(known) <= high


def as_floats(values: Sequence[Any]) -> list[float | None]:
    """Numbers as floats, anything else as ``None``."""
    return [float(v) if isinstance(v, bool | int | float | np.number) else None for v in values]


def differences(
    lens: Lens, part: str, metric: str, of: Metric, scored: Mapping[str, Sequence[bool]], *,
    against: str | Mapping[str, str] | None = None, about: Sequence[bool] | None = None
) -> dict[str, Figure]:  # fmt: skip
    """Paired differences of judges to another one, on the items that both scored, Holm-corrected.

    Judges of ``scored`` are compared with ``against`` (that of the settings, or one for each), if it is among them;
    ``about`` says which items the metric is about.
    """
    other = lens.settings.against if against is None else against
    others = {j: other for j in scored if j != other and other in scored} if isinstance(other, str) else other
    every = [True] * len(lens.truths) if about is None else about
    both = {j: [a and b for a, b in zip(scored[j], scored[o], strict=True)] for j, o in others.items()}
    made = holm([difference(of(j, both[j]), of(o, both[j]), lens.groups) for j, o in others.items()])
    found = {}
    for (judge, other), one in zip(others.items(), made, strict=True):
        mine, theirs = ([s and e for s, e in zip(scored[name], every, strict=True)] for name in (judge, other))
        if one.interval.value is None and not any(a and b for a, b in zip(mine, theirs, strict=True)):
            why = f"no item is scored by both it and {other}"
            if not (any(mine) and any(theirs)):
                why = f"{f'the judge {other}' if not any(theirs) else 'this judge'} scored none of these items"
            one = replace(one, interval=replace(one.interval, reason=why))
        lost = sum(e and not b for e, b in zip(every, both[judge], strict=True))
        found[judge] = lens.gap(part, judge, metric, one, against=other, unscored=lost)
    return found
