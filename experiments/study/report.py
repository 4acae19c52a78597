"""The report of a study as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import yaml

from ..compare.report.page import environment, plain
from ..compare.report.plots import png
from ..drawing import spelling
from .figures import Figure, Grid, Section, StudyReport

#: What a reader must know before the figures.
HOW_TO_READ = (
    "Questions were split in three. Judges were fitted (and heads, layers and signs chosen) on the first part; "
    "probabilities, thresholds and weights of panels come from the second; every figure is of the third.",
    "Intervals are 95 % intervals from the spread over questions, wider where questions are few. They stay "
    "inside the bounds of a figure, are never a point, and are not corrected for the number of judges.",
    'Claims are: "better" or "worse" (▲ ▼) stands only where the paired difference, both judges on the items that both '
    "scored, has a p-value below 0.05 after Holm's correction for all judges compared (shown as p). Not told apart "
    "does not mean equal.",
    "Pooled figures compare items of all questions, so a judge can gain by knowing which question is hard. "
    "Within-question figures compare only answers to one question; they are what reranking needs. AUROC within "
    "questions weighs every question alike, pairs won within questions every pair.",
    "Scott's pi, Cohen's kappa and Krippendorff's alpha are 0 for agreement by chance and 1 for full agreement.",
    "A bias is best at 0. Its test is one of many: the summary counts those that stand after correction.",
    "De-noised figures take out the judge's own random flips, estimated from repeats, which hide a bias.",
    "Sampled, reworded and swapped questions, distractors and dummy answers were put to a part of the reported items.",
    "Unscored items are left out of a figure and counted; a figure that cannot be had is a dash with its reason.",
)


def html(report: StudyReport, images: Mapping[str, bytes] | None = None) -> str:
    """The report; style and plots are inside it, it asks the network for nothing and runs no script.

    Args:
        report: What was found.
        images: PNG bytes by plot name, as :func:`images_of` makes them; drawn here when not given.

    Example:
        >>> report = StudyReport(name="<b>", command="", spec={}, versions={}, model={}, seconds={}, parts=())
        >>> "&lt;b&gt;" in html(report)
        True
    """
    drawn = images_of(report) if images is None else images
    data = {name: "data:image/png;base64," + base64.b64encode(image).decode() for name, image in drawn.items()}
    made = environment(escape=True)
    made.filters |= {"value": _value, "interval": _interval, "p": _p, "plain": plain, "plain_number": _number}
    made.filters |= {"reasons": _reasons}
    made.tests["figure"] = lambda c: isinstance(c, Figure)
    spec = yaml.safe_dump(report.spec, sort_keys=False, allow_unicode=True)
    return made.get_template("study.html").render(report=report, images=data, how_to_read=HOW_TO_READ, spec=spec)


def images_of(report: StudyReport) -> dict[str, bytes]:
    """Every plot of a study as PNG bytes, by name."""
    sections: list[Section] = [*(s for part in report.parts for s in part.sections), *report.across]
    drawn = ((plot.name, plot.draw()) for section in sections for plot in section.plots)
    return {name: png(drawing) for name, drawing in drawn if drawing is not None}


def _value(figure: Figure) -> str:
    return spelling.number(figure.value, decimals=_decimals(figure), sign=figure.against is not None)


def _interval(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    low, high = (spelling.number(v, decimals=_decimals(figure)) for v in (figure.low, figure.high))
    return f"[{low}, {high}]"


def _decimals(figure: Figure) -> int:
    """Two; three where the interval is so narrow that they say something."""
    if figure.low is None or figure.high is None:
        return 2
    return 3 if 1e-9 < figure.high - figure.low < 0.02 else 2


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _number(value: float) -> str:
    """A number of a table that is no figure: counts whole, the rest with three decimals, or four digits if tiny."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:{'.3f' if not value or abs(value) >= 0.001 else '.4g'}}".replace("-", "\N{MINUS SIGN}")


def _reasons(made: Grid) -> dict[str, list[str]]:
    """Why figures of a table are missing: reason -> where."""
    found: dict[str, list[str]] = {}
    for row in made.rows:
        for column, one in zip(made.columns, row, strict=True):
            if isinstance(one, Figure) and one.value is None:
                found.setdefault(one.reason or "no reason given", []).append(f"{row[0]}, {column}")
    return {
        reason: names if len(names) < 6 else [*names[:4], f"and {len(names) - 4} more"]
        for reason, names in found.items()
    }
