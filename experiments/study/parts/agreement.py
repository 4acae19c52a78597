"""Agreement beyond chance: with the labels, among people, with one person replaced, and on the order of systems."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...compare.figures import Cell, Grid, Section, grid, section, worded
from ...compare.lens import Lens, as_floats, within
from ...stats.agreement.confusion import cohen_kappa, p_criterion, p_lenient, percent_agreement, scott_pi
from ...stats.agreement.juries import MOST_RATERS, addition, replacement
from ...stats.agreement.reliability import icc3k, krippendorff_alpha
from ...stats.metrics.correlation import system_ranking
from ...stats.statistic import Statistic

KEY = "agreement"


def agreement(lens: Lens) -> Section:
    """Verdicts against labels corrected for chance; people; systems."""
    grids = [_with_labels(lens)]
    if len(lens.people) > 1:
        grids.append(_with_people(lens))
    if lens.settings.system and sum(name is not None for name in lens.table.tag(lens.settings.system)):
        grids.append(_systems(lens))
    return section(KEY, "Agreement beyond chance", _said(grids), grids)


def _said(grids: list[Grid]) -> list[str]:
    figures = [f for g in grids for f in g.figures]
    raw = {f.judge: f for f in figures if f.metric == "plain agreement" and f.value is not None}
    pi = {f.judge: f for f in figures if f.metric == "Scott's pi" and f.value is not None}
    gaps = {j: (raw[j].value or 0.0) - (pi[j].value or 0.0) for j in raw if j in pi}
    widest = max(gaps, key=lambda j: gaps[j], default=None)
    both = {"raw": raw[widest].value, "pi": pi[widest].value} if widest is not None else {}
    replaced = [f for f in figures if f.metric == "alpha with a person replaced, change" and f.low is not None]
    worse = [f.judge for f in replaced if f.high is not None and f.high < 0]
    return worded(KEY, widest=widest, **both, replaced=replaced, worse=worse)


def _with_labels(lens: Lens) -> Grid:
    rated = lens.kind == "rating"
    made = {judge: _of_grades(lens, judge) if rated else _of_verdicts(lens, judge) for judge in lens.judges}
    names = max((list(each) for each in made.values()), key=len, default=[])
    rows: list[list[Cell]] = []
    for judge, each in made.items():
        figures = {
            name: lens.figure(KEY, judge, name, statistic, good="none" if name.startswith("P_+") else "higher")
            for name, statistic in each.items()
        }
        rows.append([judge, *map(figures.get, names)])
    return grid("agreement grades" if rated else "agreement labels", rows, names)


def _of_grades(lens: Lens, judge: str) -> dict[str, Statistic]:
    human, scores = as_floats(lens.truths), lens.table.scores(judge)
    free = {"ICC(3,k), z-scored": icc3k([human, scores], z_score=True)}
    if not on_scale(lens, scores):  # grades on another scale mean nothing: only the scale-free figure stands
        return free
    grades, said = _rounded(lens, human), _rounded(lens, scores)
    steps = [float(grade) for grade in range(lens.settings.scale[0], lens.settings.scale[1] + 1)]
    return {
        "Cohen's kappa, quadratic": cohen_kappa(grades, said, weights="quadratic", scale=steps),
        "Cohen's kappa, linear": cohen_kappa(grades, said, weights="linear", scale=steps),
        "Krippendorff's alpha, interval": krippendorff_alpha([human, scores], level="interval"),
    } | free


def _of_verdicts(lens: Lens, judge: str) -> dict[str, Statistic]:
    labels: list[Any] = lens.truths
    said: list[Any] = lens.table.labels(judge)
    if all(v is None for v in said):
        return {}
    made: Any = {"plain agreement": percent_agreement, "Scott's pi": scott_pi, "Cohen's kappa": cohen_kappa}
    if lens.kind == "trace":
        made |= {"P_c (applies the criterion)": p_criterion, "P_+ (lenient otherwise)": p_lenient}
    return {name: measure(labels, said) for name, measure in made.items()}


def _with_people(lens: Lens) -> Grid:
    people = [as_floats(lens.table.scores(name)) for name in lens.people][:MOST_RATERS]
    among = krippendorff_alpha(people, level="ordinal")
    rows: list[list[Cell]] = [["people alone", lens.figure(KEY, "people", "alpha among people", among), None, None]]
    m = min(2, len(people))
    for judge in lens.judges:
        scores = lens.table.scores(judge)
        if not on_scale(lens, scores):
            continue
        said = _rounded(lens, scores)
        swapped = lens.describe(KEY, judge, "alpha with a person replaced, change", replacement(people, said))
        joined = lens.figure(KEY, judge, f"vote of {m} with the judge added, gain", addition(people, said, m=m))
        rows.append([judge, None, swapped, joined])
    return grid("agreement people", rows)


def _systems(lens: Lens) -> Grid:
    assert lens.settings.system is not None
    systems, labels = lens.table.tag(lens.settings.system), as_floats(lens.truths)
    rows: list[list[Cell]] = []
    for judge in lens.judges:
        scores = lens.table.scores(judge)
        made = [system_ranking(labels, scores, systems, by=by) for by in ("kendall", "spearman")]
        names = ("systems, Kendall's tau", "systems, Spearman's rho")
        rows.append([judge, *(lens.figure(KEY, judge, n, s) for n, s in zip(names, made, strict=True)), made[0].n])
    return grid("agreement systems", rows)


def on_scale(lens: Lens, scores: Sequence[float | None]) -> bool:
    """Whether the scores are grades of the scale that is asked for, but for rounding."""
    return within(scores, lens.settings.scale[0] - 0.5, lens.settings.scale[1] + 0.5)


def _rounded(lens: Lens, scores: Sequence[float | None]) -> list[float | None]:
    return [None if s is None else float(np.clip(np.floor(s + 0.5), *lens.settings.scale)) for s in scores]
