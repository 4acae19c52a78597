"""The report of a run, as Markdown and as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...drawing import spelling
from ...drawing.palette import FAMILY_COLOURS
from ..results import Comparison, ResultRow, Run
from . import row_text, table
from .plots import Plot, plots, png
from .reasons import unscored_reasons
from .whisker import scale_of, whisker
from .words import HOW_TO_READ, chance_level, reading

KINDS = {
    "trace": "reasoning traces",
    "rating": "rated responses",
    "choice": "multiple-choice questions",
    "pair": "pairs",
}
_TEMPLATES = Path(__file__).parent / "templates"


def markdown(run: Run) -> str:
    """The report as Markdown; its plots are links into ``plots/`` beside it.

    Example:
        >>> run = Run(command="innerjudge compare", seed=0, versions={}, model={"name": "reference"}, comparisons=())
        >>> markdown(run).splitlines()[0]
        '# Judges compared'
    """
    made = environment(escape=False)
    made.filters["md"] = markdown_escape
    text = made.get_template("report.md").render(_context(run))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def html(run: Run, images: Mapping[str, bytes] | None = None) -> str:
    """The report as one HTML file: style and plots are inside it, it asks the network for nothing and runs no script.

    Args:
        run: What was found.
        images: PNG bytes by plot name, as :func:`images_of` makes them; drawn here when not given.

    Example:
        >>> run = Run(command="innerjudge compare", seed=0, versions={}, model={"name": "<b>"}, comparisons=())
        >>> "&lt;b&gt;" in html(run)
        True
    """
    drawn = images_of(run) if images is None else images
    data = {name: "data:image/png;base64," + base64.b64encode(image).decode() for name, image in drawn.items()}
    return environment(escape=True).get_template("report.html").render(_context(run), images=data)


def images_of(run: Run) -> dict[str, bytes]:
    """Every plot of a run as PNG bytes, by name."""
    drawn = ((plot.name, plot.draw()) for part in _parts(run) for plot in part["plots"])
    return {name: png(figure) for name, figure in drawn if figure is not None}


def markdown_escape(text: object) -> str:
    r"""Text that Markdown shows as it is, on one line.

    Example:
        >>> markdown_escape("a|b <i> *c*")
        'a\\|b &lt;i&gt; \\*c\\*'
    """
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"(?<!\w)_|_(?!\w)|[\\`*|~$]|\](?=[(\[:])", r"\\\g<0>", line)
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", re.sub(r"^[#+-]", r"\\\g<0>", line))


def environment(*, escape: bool) -> Environment:
    """Templates with the filters and names that every report uses."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"figure": row_text.figure, "interval": row_text.interval, "title": spelling.title}
    made.filters |= {"duration": spelling.duration, "value": _value, "plain": plain}
    made.globals |= {
        "NOTHING": spelling.NOTHING,
        "FAMILIES": table.FAMILIES,
        "COLOURS": FAMILY_COLOURS,
        "whisker": whisker,
    }
    return made


def _context(run: Run) -> dict[str, Any]:
    return {"run": run, "parts": _parts(run), "how_to_read": HOW_TO_READ}


def _parts(run: Run) -> list[dict[str, Any]]:
    """What the templates show of each comparison."""
    return [_part(comparison, number) for number, comparison in enumerate(run.comparisons, start=1)]


def _part(comparison: Comparison, number: int) -> dict[str, Any]:
    slug = re.sub(r"[^a-z0-9]+", "-", comparison.data.lower()).strip("-")[-32:].strip("-")
    shown: list[Plot] = plots(comparison, "-".join(filter(None, (str(number), slug))))
    lines = list(table.lines(comparison))
    return {
        "number": number,
        "comparison": comparison,
        "kind": KINDS.get(comparison.kind, comparison.kind),
        "lines": lines,
        "scale": scale_of(lines, chance_level(comparison, comparison.headline[0]) if comparison.headline else None),
        "minus": table.minus_metric(comparison),
        "missing": _missing(lines),
        "others": table.others(comparison),
        "reading": reading(comparison),
        "reasons": unscored_reasons(comparison),
        "plots": shown,
    }


def _missing(lines: list[table.Line]) -> dict[str, list[str]]:
    """Why figures of the short table are missing: reason -> the figures, as ``judge: metric``."""
    found: dict[str, list[str]] = {}
    for line in lines:
        for row in (*line.cells, line.minus):
            if row is not None and (row.value is None or row.low is None):
                name = f"{row.judge}: {spelling.title(row.metric)}"
                found.setdefault(row.reason or "no reason given", []).append(name)
    return found


def _value(row: ResultRow) -> str:
    """The value of a row without its interval."""
    return row_text.figure(row).split(" [")[0]


def plain(value: object) -> str:
    """A value of the model's description in words: lists with commas, small tables as ``key value``."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(inner) for inner in value)
    return spelling.NOTHING if value is None else str(value)
