"""Biases that the judged rows show by themselves: position, length, use of the scale, groups, own writing."""

from collections.abc import Sequence
from typing import Any

from ....models.errors import InnerjudgeError
from ...compare.figures import Cell, Figure, Grid, Plot, Section, grid
from ...compare.lens import Lens, as_floats, standing
from ...compare.report.draw import forest
from ...compare.words import spelt
from ...stats.biases.preferences import first_wins, length_bias, position_bias
from ...stats.biases.scale_use import grades_used, over_scoring, self_preference, tied_share
from ...stats.metrics.calibration import Platt
from .calibration import outcomes

KEY = "bias"


def bias(lens: Lens) -> Section | None:
    """Everything of the kind that the table can show."""
    grids: list[Grid] = []
    plots: list[Plot | None] = []
    if lens.kind == "pair":
        made, found = _pairs(lens)
        grids.append(made)
        plots.append(forest(lens, "position", "position bias", found, mark=0.0, heading="Position bias"))
    if lens.kind in ("trace", "rating"):
        grids.append(_scale_use(lens))
    for tag in lens.settings.groups:
        grids += _groups(lens, tag)
    if lens.settings.system and lens.settings.own:
        grids.append(_own(lens))
    grids = [g for g in grids if g.rows]
    if not grids:
        return None
    return Section(
        key=KEY,
        title="Biases",
        question="What moves a verdict that should not: the place of a response, its length, its group, its writer?",
        found=tuple(_said(grids)),
        grids=tuple(grids),
        plots=tuple(p for p in plots if p is not None),
    )


def _said(grids: Sequence[Grid]) -> list[str]:
    """Biases whose test against 0 stands after Holm's correction over all of them."""
    found, tested = standing([f for g in grids for f in g.figures])
    if not tested:
        return []
    said = [f"{f.judge}: {f.metric} of {spelt(f, sign=True)}." for f in found]
    return [f"Of {tested} biases tested against 0, {len(found)} stand after correction for their number.", *said]


def _pairs(lens: Lens) -> tuple[Grid, list[Figure]]:
    rows: list[list[Cell]] = []
    found = []
    for judge in lens.judges:
        given, swapped = _orders(lens, judge)
        position = lens.figure(
            KEY, judge, "position bias", position_bias(lens.truths, given, swapped), good="zero", null=0
        )
        first = lens.figure(
            KEY, judge, "first shown wins, above one half", first_wins(given, swapped), good="zero", null=0
        )
        length = length_bias(lens.truths, given, lens.table.lengths)
        rows.append([judge, position, first, lens.zero(KEY, judge, "length bias", length)])
        found.append(position)
    columns = [
        "judge",
        "position bias (accuracy better-first less better-second)",
        "first shown wins less 1/2",
        "length bias",
    ]
    caption = (
        "Position bias: accuracy with the better response first less accuracy with it second. Length bias: accuracy "
        "where the better one is longer less where it is not. Judges of single responses have no position."
    )
    return grid(caption, columns, rows), found


def _orders(lens: Lens, judge: str) -> tuple[list[Any], list[Any]]:
    return list(lens.table.labels(judge)), list(lens.table.labels(judge, order="swapped"))


def _scale_use(lens: Lens) -> Grid:
    rows: list[list[Cell]] = []
    low, high = lens.settings.scale
    for judge in lens.judges:
        scores = lens.table.scores(judge)
        known = [s for s in scores if s is not None]
        used: Cell = None
        if lens.kind == "rating" and known and low - 0.5 <= min(known) and max(known) <= high + 0.5:
            share = grades_used(scores, scale=range(low, high + 1))
            used = lens.describe(KEY, judge, "share of the scale in use", share)
        ties = lens.figure(
            KEY, judge, "pairs of one question with equal scores", tied_share(scores, lens.groups), good="none"
        )
        rows.append([judge, used, ties, len(set(known))])
    columns = ["judge", "share of the scale in use", "pairs of one question that tie", "different scores"]
    return grid("Use of the scale", columns, rows)


def _probabilities(lens: Lens, judge: str) -> tuple[list[float | None], list[float | None]] | None:
    """Labels, and the judge's scores on their scale: grades as they are, others by Platt scaling of other questions."""
    if lens.kind == "rating":
        scores = lens.table.scores(judge)
        known = [s for s in scores if s is not None]
        inside = known and lens.settings.scale[0] - 0.5 <= min(known) and max(known) <= lens.settings.scale[1] + 0.5
        return (as_floats(lens.truths), scores) if inside else None
    truth, scores = outcomes(lens.table, judge, lens.kind)
    learnt, seen = outcomes(lens.calibration, judge, lens.kind)
    try:
        return as_floats(truth), Platt().fit(seen, learnt).predict(scores)
    except InnerjudgeError:
        return None


def _groups(lens: Lens, tag: str) -> list[Grid]:
    """Over-scoring of each value of a tag against all others."""
    values = lens.table.tag(tag)
    names = [name for name in dict.fromkeys(values) if name is not None][:12]
    if len(names) < 2:
        return []
    rows: list[list[Cell]] = []
    for judge in lens.judges:
        made = _probabilities(lens, judge)
        if made is None:
            continue
        cells: list[Cell] = [judge]
        for name in names:
            members = [None if v is None else v == name for v in values]
            gap = over_scoring(*made, members)
            cells.append(lens.zero(KEY, judge, f"over-scoring [{tag}={name}]", gap))
        rows.append(cells)
    caption = f"Over-scoring by {tag}: score less label, against all other groups (calibrated on other questions)"
    return [grid(caption, ["judge", *names], rows)]


def _own(lens: Lens) -> Grid:
    assert lens.settings.system is not None
    own = [None if v is None else v in lens.settings.own for v in lens.table.tag(lens.settings.system)]
    rows: list[list[Cell]] = []
    for judge in lens.judges:
        made = _probabilities(lens, judge)
        if made is not None:
            gap = self_preference(*made, own)
            rows.append([judge, lens.zero(KEY, judge, "self-preference", gap)])
    return grid("Self-preference: over-scoring of the family's own responses", ["judge", "self-preference"], rows)
