"""What a study found, as plain data: figures with intervals, tables of them, plots with the table behind, sections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from matplotlib.figure import Figure as Drawing

from ..stats.intervals import Interval
from ..stats.multiple import Difference

#: Which way is good. ``"none"`` is for figures that describe: a bias is best at 0.
Good = Literal["higher", "lower", "zero", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure.

    Args:
        data: Data set.
        part: Key of the section.
        judge: Judge, or what the figure is of.
        metric: Name of the metric; with its condition in brackets where there is one.
        value: The figure; ``None`` with ``reason`` where undefined.
        low: Lower end of the 95 % interval.
        high: Upper end.
        n: What it rests on.
        reason: Why something is ``None``.
        p: p-value, where there is a test.
        p_corrected: The same after the correction for the number of judges.
        against: The judge that this is a paired difference to.
        verdict: Of a difference: better, worse or not told apart.
        good: Which way is good.
    """

    data: str
    part: str
    judge: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    reason: str | None = None
    p: float | None = None
    p_corrected: float | None = None
    against: str | None = None
    verdict: str | None = None
    good: Good = "higher"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What tells it from other figures of a study."""
        return (self.data, self.part, self.judge, self.metric, self.against or "")


Cell = Figure | str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table: its caption, columns and rows; the first column names the row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def figures(self) -> list[Figure]:
        """The figures in it."""
        return [cell for row in self.rows for cell in row if isinstance(cell, Figure)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A plot: a file name without suffix, words for who cannot see it, what draws it, and the table behind it."""

    name: str
    heading: str
    alt: str
    draw: Callable[[], Drawing | None]
    behind: Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the report: what was asked, what was found in words, tables and plots."""

    key: str
    title: str
    question: str
    found: tuple[str, ...] = ()
    grids: tuple[Grid, ...] = ()
    plots: tuple[Plot, ...] = ()

    @property
    def figures(self) -> list[Figure]:
        """All figures of its tables, each once."""
        every = [f for grid in (*self.grids, *(p.behind for p in self.plots)) for f in grid.figures]
        return list({f.key: f for f in every}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """What was found on one data set."""

    name: str
    kind: str
    counts: dict[str, int]
    summary: tuple[str, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()
    unscored: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReport:
    """What a study found, and how it was made."""

    name: str
    command: str
    spec: dict[str, Any]
    versions: dict[str, str]
    model: dict[str, Any]
    seconds: dict[str, float]
    parts: tuple[DataReport, ...]
    across: tuple[Section, ...] = field(default=())

    @property
    def figures(self) -> list[Figure]:
        """All figures."""
        sections = [*(s for part in self.parts for s in part.sections), *self.across]
        return [figure for section in sections for figure in section.figures]

    def results_json(self) -> dict[str, Any]:
        """The object of ``results.json``."""
        return {
            "study": self.name,
            "command": self.command,
            "spec": self.spec,
            "versions": self.versions,
            "model": self.model,
            "seconds": {k: round(v, 3) for k, v in self.seconds.items()},
            "summary": {part.name: list(part.summary) for part in self.parts},
            "figures": [figure.to_json() for figure in self.figures],
        }


def of_interval(
    found: Interval, *, data: str, part: str, judge: str, metric: str, good: Good = "higher", p: float | None = None
) -> Figure:
    """A figure from an interval.

    Example:
        >>> found = Interval(value=0.5, low=0.4, high=0.6, n=9)
        >>> of_interval(found, data="d", part="p", judge="j", metric="m").high
        0.6
    """
    return Figure(
        data=data,
        part=part,
        judge=judge,
        metric=metric,
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
        reason=found.reason,
        p=p,
        good=good,
    )


def of_difference(
    found: Difference, *, data: str, part: str, judge: str, metric: str, against: str, good: Good = "higher"
) -> Figure:
    """A figure from a paired difference; ``good`` says whether above 0 is better."""
    verdict = found.verdict
    if good == "lower" and verdict in ("better", "worse"):
        verdict = "worse" if verdict == "better" else "better"
    return Figure(
        data=data,
        part=part,
        judge=judge,
        metric=metric,
        value=found.interval.value,
        low=found.interval.low,
        high=found.interval.high,
        n=found.interval.n,
        reason=found.interval.reason,
        p=found.p,
        p_corrected=found.p_corrected,
        against=against,
        verdict=verdict,
        good=good,
    )


def grid(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Grid:
    """A table from lists; rows that hold nothing but their name, and columns that hold nothing, are left out.

    Example:
        >>> found = grid("c", ["judge", "n", "p"], [["clue", 3, None], ["text", None, None]])
        >>> found.columns, found.rows
        (('judge', 'n'), (('clue', 3),))
    """
    kept = [row for row in rows if any(cell is not None for cell in row[1:])]
    used = [k for k in range(len(columns)) if k == 0 or any(row[k] is not None for row in kept)]
    return Grid(
        caption=caption,
        columns=tuple(columns[k] for k in used),
        rows=tuple(tuple(row[k] for k in used) for row in kept),
    )
