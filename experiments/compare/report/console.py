"""What a run says in a terminal: a table a data set, what to take away, and where the report lies."""

import textwrap
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ...drawing.style import NOTHING, duration
from ..figures import FAMILIES, Figure, Grid
from ..findings import DataReport, Report
from .page import spelt

#: Widths from which a second metric has room.
_ROOMY = 96


def print_report(report: Report, console: Console, *, path: Path | None = None) -> None:
    """Print the short table of every data set, made for 100 columns, and the summary.

    Only the first metric, the difference in it and the second metric have room here; the report has them all.
    """
    for part in report.parts:
        console.print(_table(part, part.sections[0].grids[0], console.width) if part.sections[0].grids else part.name)
        for sentence in part.summary:
            console.print(Text(textwrap.fill(sentence, console.width - 2, subsequent_indent="  ")), highlight=False)
        console.print()
    marks = "value [95 % interval]; ▲ ▼ better, worse: paired difference, corrected for the number of judges"
    console.print(escape(marks), style="dim", highlight=False)
    if path is not None:
        console.print(f"Report: {escape(str(path))}", soft_wrap=True, highlight=False)


def _table(part: DataReport, grid: Grid, width: int) -> Table:
    figures = [k for k in range(1, len(grid.columns)) if any(isinstance(row[k], Figure) for row in grid.rows)]
    shown = figures[: 3 if width >= _ROOMY else 2]
    title = f"{part.name}: {', '.join(f'{what} {n}' for what, n in part.counts.items())}"
    made = Table(title=escape(title), title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0))
    made.add_column("judge", overflow="fold")
    for head in (*(grid.columns[k] for k in shown), "n (un-\nscored)", "time"):
        made.add_column(escape("\n".join(textwrap.wrap(head, 17)) if "\n" not in head else head), justify="right")
    cells = {str(row[0]): [_cell(row[k]) for k in shown] for row in grid.rows}
    taken = sum(max((len(c[k]) for c in cells.values()), default=0) + 1 for k in range(len(shown))) + 18
    family = None
    for row, of in zip(grid.rows, grid.families or ("",) * len(grid.rows), strict=True):
        if of != family:
            family = of
            made.add_row(f"[bold]{escape(FAMILIES.get(of, of))}[/bold]")
        judge, first = str(row[0]), next((c for c in row if isinstance(c, Figure)), None)
        name = textwrap.fill(judge, max(12, width - taken - 1), initial_indent=" ", subsequent_indent="  ")
        rest = NOTHING if first is None else f"{first.n} ({first.unscored})"
        bold = [isinstance(row[k], Figure) and getattr(row[k], "verdict", None) in ("better", "worse") for k in shown]
        texts = [Text(c, style="bold" if b else "") for c, b in zip(cells[judge], bold, strict=True)]
        made.add_row(Text(name), *texts, Text(rest), Text(duration(part.seconds.get(judge))))
    return made


def _cell(cell: object) -> str:
    return NOTHING if not isinstance(cell, Figure) or cell.value is None else spelt(cell, tested=False)
