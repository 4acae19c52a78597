"""The comparison table: which figures stand in it, and how it looks in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ...drawing.spelling import MINUS_TEXT, NOTHING, duration, title
from ..results import Comparison, ResultRow, Run
from .row_text import excludes_zero, figure

#: Families in the order of the report, with the words for them.
FAMILIES = {"hidden": "Hidden state", "logits": "Verdict logits", "text": "Text", "baseline": "Baseline"}


@dataclass(frozen=True, slots=True)
class Line:
    """A judge's line of the table: its row for every headline metric, and the paired difference to text."""

    judge: str
    family: str
    cells: tuple[ResultRow | None, ...]
    minus: ResultRow | None

    @property
    def first(self) -> ResultRow | None:
        """The row that ``n``, ``unscored`` and the time are quoted from."""
        return next((cell for cell in self.cells if cell is not None), None)

    @property
    def minus_value(self) -> float:
        """The paired difference to text; 0 where there is none."""
        return (self.minus.value if self.minus else None) or 0.0

    @property
    def marked(self) -> bool:
        """Whether the paired difference to text is told from 0."""
        return excludes_zero(self.minus)


def lines(comparison: Comparison) -> Iterator[Line]:
    """The lines of the short table, by family, in their own order within it.

    A judge without any figure keeps its line; one that has figures but none of the headline (rules that need no judge,
    such as the majority vote) is left to :func:`others`.
    """
    rows = {(row.judge, row.metric): row for row in comparison.rows}
    minus = minus_metric(comparison)
    names = sorted(comparison.judges, key=lambda name: family_rank(comparison.judges[name]))
    for name in names:
        cells = tuple(rows.get((name, metric)) for metric in comparison.headline)
        if any(cells) or not any(row.judge == name for row in comparison.rows):
            yield Line(name, comparison.judges[name], cells, rows.get((name, minus)))


def others(comparison: Comparison) -> list[ResultRow]:
    """Figures of what stands on no line of the short table: majority vote, a random candidate, the oracle."""
    there = {line.judge for line in lines(comparison)}
    return [row for row in comparison.rows if row.judge not in there]


def family_rank(family: str) -> int:
    """Place of a family in the report; unknown ones come last."""
    return list(FAMILIES).index(family) if family in FAMILIES else len(FAMILIES)


def minus_metric(comparison: Comparison) -> str:
    """The paired difference shown beside the headline: of the first headline metric that has one."""
    there = {row.metric for row in comparison.rows}
    found = (metric + MINUS_TEXT for metric in comparison.headline if metric + MINUS_TEXT in there)
    return next(found, (comparison.headline[0] if comparison.headline else "") + MINUS_TEXT)


#: Columns from which on two metrics have room beside the names of the judges.
_ROOMY = 100


def print_tables(run: Run, console: Console, *, report: Path | None = None) -> None:
    """Print a table a comparison, made for 100 columns, and where the report lies.

    Only the first two headline metrics have room here; the report has them all.

    Args:
        run: What was found.
        console: Where to print.
        report: The report's file, named in the last line.
    """
    for comparison in run.comparisons:
        console.print(_table(comparison, console.width))
        console.print()
    marks = "value [95 % interval over questions], ▲ ▼ where the paired difference to text excludes 0"
    console.print(escape(marks), style="dim", highlight=False)
    if report is not None:
        console.print(f"Report: {escape(str(report))}", soft_wrap=True, highlight=False)


def _table(comparison: Comparison, width: int) -> Table:
    shown = comparison.headline[: 2 if width >= _ROOMY else 1]
    minus = minus_metric(comparison)
    words = [title(metric) for metric in shown]
    if shown:
        words.insert(1, "minus text" if minus.removesuffix(MINUS_TEXT) in shown[:1] else title(minus))
    heads = ["\n".join(textwrap.wrap(word, 17)) for word in words] + ["n (un-\nscored)", "time"]
    cells = {line.judge: _cells(line, len(shown)) for line in lines(comparison)}
    columns = zip(*(row for row in cells.values()), strict=True)
    taken = sum(max(map(len, column)) + 1 for column in columns)
    title_words = (
        f"{comparison.data}: {comparison.n_test} of {comparison.n_items} items judged, {comparison.n_fit} to fit on"
    )
    table = Table(title=escape(title_words), title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0))
    table.add_column("judge", overflow="fold")
    for head in heads:
        table.add_column(escape(head), justify="right", no_wrap=True)
    family = None
    for line in lines(comparison):
        if line.family != family:
            family = line.family
            table.add_row(f"[bold]{escape(FAMILIES.get(family, family))}[/bold]")
        name = textwrap.fill(line.judge, max(12, width - taken - 1), initial_indent=" ", subsequent_indent="  ")
        styles = ("", "bold" if line.marked else "", "", "", "")
        row = (Text(cell, style=style) for cell, style in zip(cells[line.judge], styles, strict=False))
        table.add_row(Text(name), *row)
    return table


def _cells(line: Line, shown: int) -> list[str]:
    texts = [NOTHING if cell is None else figure(cell) for cell in line.cells[:shown]]
    mark = ("▲ " if line.minus_value > 0 else "▼ ") if line.marked else ""
    if shown:
        texts.insert(1, NOTHING if line.minus is None else mark + figure(line.minus))
    first = line.first
    return [*texts, *([f"{first.n} ({first.unscored})", duration(first.seconds_per_item)] if first else [NOTHING] * 2)]
