"""The report as Markdown, and as one HTML file that needs nothing else."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.ticker import MaxNLocator

from ....models.errors import readable
from ...drawing import style
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
    said = (mark, value(figure), interval(figure), "" if p is None else _p(p))
    return " ".join(filter(None, said))


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


def cell(one: Cell) -> str:
    """A cell in words."""
    if one is None:
        return style.NOTHING
    if isinstance(one, Figure):
        return style.NOTHING if one.value is None else spelt(one)
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
