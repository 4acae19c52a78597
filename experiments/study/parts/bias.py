"""Biases that the judged rows show by themselves: position, length, use of the scale, groups, own writing."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...compare.figures import Cell, Figure, Grid, Plot, Section, grid, section, worded
from ...compare.lens import Lens, as_floats, standing
from ...compare.report.draw import forest
from ...stats.biases.confounds import grades_used, over_scoring, tied_share
from ...stats.biases.preferences import first_wins, length_bias, position_bias
from .agreement import on_scale
from .calibration import calibrated, outcomes

KEY = "bias"


def bias(lens: Lens) -> Section | None:
    """All the biases that the table can show."""
    grids: list[Grid] = []
    plots: list[Plot | None] = []
    if lens.kind == "pair":
        made, shown = _pairs(lens)
        grids.append(made)
        plots.append(forest(lens, "position", "position bias", shown, mark=0.0, heading="Position bias"))
    if lens.kind in ("trace", "rating"):
        grids.append(_scale_use(lens))
    for tag in lens.settings.groups:
        values = lens.table.tag(tag)
        names = [name for name in dict.fromkeys(values) if name is not None][:12]
        if len(names) > 1:
            found_by = {f"over-scoring [{tag}={n}]": _are_in(values, {n}) for n in names}
            grids.append(grid("bias groups", _over_scored(lens, found_by), names, tag=tag))
    if lens.settings.system and lens.settings.own:
        own = {"self-preference": _are_in(lens.table.tag(lens.settings.system), {*lens.settings.own})}
        grids.append(grid("bias own", _over_scored(lens, own)))
    found, tested = standing([f for g in grids for f in g.figures])
    made_of = section(KEY, "Biases", worded(KEY, found=found, tested=tested), grids, plots)
    return made_of if made_of.grids else None


def _pairs(lens: Lens) -> tuple[Grid, list[Figure]]:
    rows: list[list[Cell]] = []
    found = []
    for judge in lens.judges:
        given, swapped = (list[Any](lens.table.labels(judge, order=o)) for o in ("given", "swapped"))
        position = lens.zero(KEY, judge, "position bias", position_bias(lens.truths, given, swapped))
        first = lens.zero(KEY, judge, "first shown wins, above one half", first_wins(given, swapped))
        length = length_bias(lens.truths, given, lens.table.lengths)
        rows.append([judge, position, first, lens.zero(KEY, judge, "length bias", length)])
        found.append(position)
    return grid("bias pairs", rows), found


def _scale_use(lens: Lens) -> Grid:
    rows: list[list[Cell]] = []
    low, high = lens.settings.scale
    for judge in lens.judges:
        scores = lens.table.scores(judge)
        used: Cell = None
        if lens.kind == "rating" and on_scale(lens, scores):
            share = grades_used(scores, scale=range(low, high + 1))
            used = lens.describe(KEY, judge, "share of the scale in use", share)
        ties = tied_share(scores, lens.groups)
        ties_shown = lens.describe(KEY, judge, "pairs of one question with equal scores", ties)
        rows.append([judge, used, ties_shown, len(set(scores) - {None})])
    return grid("bias scale", rows)


def _probabilities(lens: Lens, judge: str) -> tuple[list[float | None], list[float | None]] | None:
    """Labels, and the judge's scores on their scale: grades as they are, others by Platt scaling of other questions."""
    if lens.kind == "rating":
        scores = lens.table.scores(judge)
        return (as_floats(lens.truths), scores) if on_scale(lens, scores) else None
    truth, scores = outcomes(lens.table, judge, lens.kind)
    learnt, seen = outcomes(lens.calibration, judge, lens.kind)
    p = calibrated("platt", seen, learnt, scores)
    return None if p is None else (as_floats(truth), p)


def _are_in(values: Sequence[Any], group: set[str]) -> list[bool | None]:
    return [None if v is None else v in group for v in values]


def _over_scored(lens: Lens, groups: Mapping[str, list[bool | None]]) -> list[list[Cell]]:
    """How far each judge is too kind to each group; judges without probabilities have no row."""
    made = {judge: _probabilities(lens, judge) for judge in lens.judges}
    return [
        [judge, *(lens.zero(KEY, judge, name, over_scoring(*both, own)) for name, own in groups.items())]
        for judge, both in made.items()
        if both is not None
    ]
