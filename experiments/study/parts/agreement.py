"""Agreement beyond chance: with the labels, among people, with a person's place taken, and on the order of systems."""

from typing import Any

import numpy as np

from ...compare.figures import Cell, Grid, Section, grid
from ...compare.lens import Lens, as_floats
from ...drawing.style import number
from ...stats.agreement.confusion import cohen_kappa, p_criterion, p_lenient, percent_agreement, scott_pi
from ...stats.agreement.juries import MOST_RATERS, addition, replacement
from ...stats.agreement.rankings import system_ranking
from ...stats.agreement.reliability import icc3k, krippendorff_alpha

KEY = "agreement"


def agreement(lens: Lens) -> Section:
    """Verdicts against labels corrected for chance; people; systems."""
    grids = [_with_labels(lens)]
    if len(lens.people) > 1:
        grids.append(_with_people(lens))
    if lens.settings.system and sum(name is not None for name in lens.table.tag(lens.settings.system)):
        grids.append(_systems(lens))
    return Section(
        key=KEY,
        title="Agreement beyond chance",
        question="How far do verdicts agree with the labels, with what guessing would bring taken off?",
        found=tuple(_said(grids)),
        grids=tuple(g for g in grids if g.rows),
    )


def _said(grids: list[Grid]) -> list[str]:
    figures = [f for g in grids for f in g.figures]
    raw = {f.judge: f for f in figures if f.metric == "plain agreement" and f.value is not None}
    pi = {f.judge: f for f in figures if f.metric == "Scott's pi" and f.value is not None}
    gaps = {j: (raw[j].value or 0.0) - (pi[j].value or 0.0) for j in raw if j in pi}
    said = []
    if gaps:
        widest = max(gaps, key=lambda j: gaps[j])
        said.append(
            f"Plain agreement flatters most for {widest}: {number(raw[widest].value)}, and {number(pi[widest].value)} "
            "when chance is taken off (Scott's pi)."
        )
    better = [f for f in figures if f.metric == "alpha with a person replaced, change" and f.low is not None]
    if better:
        worse = [f.judge for f in better if f.high is not None and f.high < 0]
        said.append(
            f"In a person's place, these lower the agreement of the panel: {', '.join(worse)}."
            if worse
            else "No judge is shown to lower the agreement of the panel when it takes a person's place."
        )
    return said


def _with_labels(lens: Lens) -> Grid:
    rows: list[list[Cell]] = []
    labels = lens.truths
    if lens.kind == "rating":
        low, high = lens.settings.scale
        human = as_floats(labels)
        grades = [None if v is None else float(np.clip(np.floor(v + 0.5), low, high)) for v in human]
        for judge in lens.judges:
            scores = lens.table.scores(judge)
            said = [None if s is None else float(np.clip(np.floor(s + 0.5), low, high)) for s in scores]
            on_scale = _on_scale(scores, lens.settings.scale)
            steps = [float(grade) for grade in range(low, high + 1)]
            made = {
                "Cohen's kappa, quadratic": cohen_kappa(grades, said, weights="quadratic", scale=steps),
                "Cohen's kappa, linear": cohen_kappa(grades, said, weights="linear", scale=steps),
                "Krippendorff's alpha, interval": krippendorff_alpha([human, scores], level="interval"),
                "ICC(3,k), z-scored": icc3k([human, scores], z_score=True),
            }
            if not on_scale:  # grades of a judge on another scale mean nothing: only the scale-free figure stands
                made = {"ICC(3,k), z-scored": made["ICC(3,k), z-scored"]}
            rows.append([judge, *(_cell(lens, judge, name, made.get(name)) for name in _RATING)])
        return grid("Grades against human grades (alpha on the mean human grade)", ["judge", *_RATING], rows)
    for judge in lens.judges:
        said_: list[Any] = lens.table.labels(judge)
        made = {
            "plain agreement": percent_agreement(labels, said_),
            "Scott's pi": scott_pi(labels, said_),
            "Cohen's kappa": cohen_kappa(labels, said_),
        }
        if lens.kind == "trace" and any(v is not None for v in said_):
            made |= {"P_c (applies the criterion)": p_criterion(labels, said_)}
            made |= {"P_+ (lenient otherwise)": p_lenient(labels, said_)}
        if any(v is not None for v in said_):
            rows.append([judge, *(_cell(lens, judge, name, made.get(name)) for name in _VERDICT)])
    columns = _VERDICT if lens.kind == "trace" else _VERDICT[:3]
    return grid("Verdicts against labels", ["judge", *columns], [row[: len(columns) + 1] for row in rows])


_RATING = (
    "Cohen's kappa, quadratic",
    "Cohen's kappa, linear",
    "Krippendorff's alpha, interval",
    "ICC(3,k), z-scored",
)
_VERDICT = (
    "plain agreement",
    "Scott's pi",
    "Cohen's kappa",
    "P_c (applies the criterion)",
    "P_+ (lenient otherwise)",
)


def _cell(lens: Lens, judge: str, name: str, statistic: Any) -> Cell:
    good: Any = "none" if name.startswith("P_+") else "higher"
    return None if statistic is None else lens.figure(KEY, judge, name, statistic, good=good)


def _with_people(lens: Lens) -> Grid:
    """Krippendorff's alpha of the people, and what a judge does in a person's place or beside two of them."""
    people = [as_floats(lens.table.scores(name)) for name in lens.people][:MOST_RATERS]
    among = krippendorff_alpha(people, level="ordinal")
    rows: list[list[Cell]] = [["people alone", lens.figure(KEY, "people", "alpha among people", among), None, None]]
    low, high = lens.settings.scale
    for judge in lens.judges:
        scores = lens.table.scores(judge)
        if not _on_scale(scores, lens.settings.scale):
            continue
        said = [None if s is None else float(np.clip(np.floor(s + 0.5), low, high)) for s in scores]
        swapped = lens.figure(
            KEY, judge, "alpha with a person replaced, change", replacement(people, said), good="none"
        )
        m = min(2, len(people))
        joined = lens.figure(KEY, judge, f"vote of {m} with the judge added, gain", addition(people, said, m=m))
        rows.append([judge, None, swapped, joined])
    columns = ["", "alpha among people (ordinal)", "change when it replaces a person", "gain when it joins two people"]
    return grid("The judge among people", columns, rows)


def _systems(lens: Lens) -> Grid:
    assert lens.settings.system is not None
    systems, labels = lens.table.tag(lens.settings.system), as_floats(lens.truths)
    rows: list[list[Cell]] = []
    for judge in lens.judges:
        scores = lens.table.scores(judge)
        made = [system_ranking(labels, scores, systems, by=by) for by in ("kendall", "spearman")]
        names = ("systems, Kendall's tau", "systems, Spearman's rho")
        rows.append([judge, *(lens.figure(KEY, judge, n, s) for n, s in zip(names, made, strict=True)), made[0].n])
    return grid("Ranking of the systems by their mean", ["judge", "Kendall's tau", "Spearman's rho", "systems"], rows)


def _on_scale(scores: list[float | None], scale: tuple[int, int]) -> bool:
    known = [s for s in scores if s is not None]
    return bool(known) and scale[0] - 0.5 <= min(known) and max(known) <= scale[1] + 0.5
