"""The report as Markdown, as one HTML file that needs nothing else, and its first table on a terminal."""

import base64
import json
import re
import textwrap
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.ticker import MaxNLocator
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ....models.errors import readable
from ...drawing import style
from ...drawing.style import NOTHING, duration
from ...judges.panel import OPPONENTS
from ..figures import FAMILIES, Cell, Figure, Grid
from ..findings import DataReport, Report
from ..metrics import CHANCE
from .browse import labels_of
from .draw import COLOURS
from .judge_plots import png

_TEMPLATES = Path(__file__).parent / "templates"
#: What a reader must know before the figures: of every report, of those whose scores are calibrated, of a diagnosis.
HOW_TO_READ, HOW_TO_READ_A_STUDY, HOW_TO_READ_SCORES = (
    tuple(part.split("\n")) for part in (_TEMPLATES / "how_to_read.txt").read_text("utf-8").strip().split("\n\n")
)


def html(report: Report, images: Mapping[str, bytes] | None = None) -> str:
    """The report; style and plots are inside it, it asks the network for nothing and runs no script.

    ``images`` are PNG bytes by plot name, drawn here when not given.
    """
    drawn = images_of(report) if images is None else images
    data = {name: "data:image/png;base64," + base64.b64encode(image).decode() for name, image in drawn.items()}
    template = _environment(escape=True).get_template("report.html")
    return template.render(_context(report), images=data, date=date.today())


def markdown(report: Report) -> str:
    """The report as Markdown; its plots are links into ``plots/`` beside it."""
    text = _environment(escape=False).get_template("report.md").render(_context(report))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def images_of(report: Report) -> dict[str, bytes]:
    """Every plot of a report as PNG bytes, by name."""
    with mpl.rc_context(style.STYLE):
        drawn = ((plot.name, plot.draw()) for section in report.sections for plot in section.plots)
        return {name: png(drawing) for name, drawing in drawn if drawing is not None}


def markdown_escape(text: object) -> str:
    r"""Text that Markdown shows as it is, on one line."""
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"(?<!\w)_|_(?!\w)|[\\`*|~$]|\](?=[(\[:])", r"\\\g<0>", line)
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", re.sub(r"^[#+-]", r"\\\g<0>", line))


def plain(value: object) -> str:
    """A value of the model's description in words: lists with commas, small tables as ``key value``."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(inner) for inner in value)
    return style.NOTHING if value is None else str(value)


def spelt(figure: Figure, *, tested: bool = True) -> str:
    """Value and interval of a figure, and the corrected p-value of a difference unless it is not to be ``tested``."""
    p = figure.p_corrected if figure.against and tested else None
    mark = {"better": "▲", "worse": "▼"}.get(figure.verdict or "", "")
    return " ".join(filter(None, (mark, value(figure), interval(figure), "" if p is None else _p(p))))


def value(figure: Figure) -> str:
    """The value: two decimals, three where the interval is so narrow, or a difference so small, that they matter."""
    return style.number(figure.value, decimals=_decimals(figure), sign=figure.against is not None)


def interval(figure: Figure) -> str:
    """The interval as ``[low, high]``, or nothing where there is none."""
    if figure.low is None or figure.high is None:
        return ""
    low, high = (style.number(v, decimals=_decimals(figure)) for v in (figure.low, figure.high))
    return f"[{low}, {high}]"


def picture(part: DataReport) -> dict[str, Any] | None:
    """The first figure of every judge on one scale, highest first, in percent of its width; ``None`` for one."""
    grids = part.sections[0].grids if part.sections else ()
    firsts = [next((c for c in row if isinstance(c, Figure)), None) for row in (grids[0].rows if grids else ())]
    known = sorted((f for f in firsts if f is not None and f.value is not None), key=lambda f: -(f.value or 0.0))
    if len(known) < 2:
        return None
    mark = CHANCE.get(known[0].metric)
    ends = [v for f in known for v in (f.value, f.low, f.high, mark) if v is not None]
    low, width = min(ends), max(max(ends) - min(ends), 1e-9)

    def at(value: float | None) -> float | None:
        return None if value is None else round(100 * (value - low) / width, 2)

    rows = []
    for f in known:
        of = part.families.get(f.judge, "")
        places = {"at": at(f.value), "low": at(f.low), "high": at(f.high)}
        rows.append({"figure": f, "family": of, "opponent": of in OPPONENTS, **places})
    inside = [tick for tick in MaxNLocator(4).tick_values(low, low + width) if low <= tick <= low + width]
    ticks = [(at(tick), style.number(tick)) for tick in inside]
    return {"metric": known[0].metric, "rows": rows, "chance": at(mark), "ticks": ticks}


def reasons(made: Grid) -> dict[str, list[str]]:
    """Why figures of a table are missing: reason -> where."""
    found: dict[str, list[str]] = {}
    for row in made.rows:
        for column, one in zip(made.columns, row, strict=True):
            if isinstance(one, Figure) and (one.value is None or one.low is None) and one.reason:
                found.setdefault(one.reason, []).append(f"{row[0]}, {column}")
    return {
        reason: names if len(names) < 6 else [*names[:4], f"and {len(names) - 4} more"]
        for reason, names in found.items()
    }


def _environment(*, escape: bool) -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=escape,
        undefined=StrictUndefined,
        finalize=lambda v: type(v)(readable(v)) if isinstance(v, str) else v,  # what is escaped for HTML stays so
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"value": value, "interval": interval, "p": _p, "plain": plain, "plain_number": _number}
    made.filters |= {"picture": picture, "reasons": reasons, "labels": labels_of, "md": markdown_escape, "cell": cell}
    made.globals |= {"NOTHING": style.NOTHING, "FAMILIES": FAMILIES, "COLOURS": COLOURS}
    made.tests["figure"] = lambda c: isinstance(c, Figure)
    return made


def _context(report: Report) -> dict[str, object]:
    calibrated = any("to calibrate on" in part.counts for part in report.parts)
    read = report.how_to_read or HOW_TO_READ + (HOW_TO_READ_A_STUDY if calibrated else ())
    return {"report": report, "how_to_read": read, "spec": json.dumps(report.spec, indent=1, ensure_ascii=False)}


def cell(one: Cell, *, tested: bool = True) -> str:
    """A cell in words."""
    if one is None or (isinstance(one, Figure) and one.value is None):
        return style.NOTHING
    if isinstance(one, Figure):
        return spelt(one, tested=tested)
    return _number(one) if isinstance(one, int | float) else one


def _decimals(figure: Figure) -> int:
    if figure.low is None or figure.high is None:
        return 2
    hidden = (figure.low > 0 or figure.high < 0) and min(abs(figure.low), abs(figure.high)) < 0.005
    return 3 if 1e-9 < figure.high - figure.low < 0.02 or (figure.against is not None and hidden) else 2


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _number(number: float) -> str:
    """A number of a table that is no figure: counts whole, the rest with three decimals, or four digits if tiny."""
    if isinstance(number, int):
        return f"{number:,}"
    return f"{number:{'.3f' if not number or abs(number) >= 0.001 else '.4g'}}".replace("-", "\N{MINUS SIGN}")


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
    cells = {str(row[0]): [cell(row[k], tested=False) for k in shown] for row in grid.rows}
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
