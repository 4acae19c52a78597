"""Plots: drawn from what is there, legible, and without state shared between figures."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from innerjudge.experiments.compare.figures import Plot, grid
from innerjudge.experiments.compare.findings import Report
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.compare.report import judge_plots as plots
from innerjudge.experiments.compare.results import Curve, HeadMap
from innerjudge.experiments.data.verdict_table import Row, Table
from innerjudge.experiments.drawing.style import FAMILY_COLOURS, short
from matplotlib.figure import Figure

NOTHING = grid("blocks", [], measure="")


def drawn(plot: Plot | None) -> Figure:
    """The drawing, after it was really rendered, with every warning an error."""
    assert plot is not None
    figure = plot.draw()
    assert figure is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(plots.png(figure, dpi=40)) > 1000
    return figure


def curves(*labels: str) -> list[Curve]:
    return [Curve(label=label, x=(1, 2, 3), y=(None, 0.1, 0.2 + k / 100)) for k, label in enumerate(labels)]


@pytest.mark.parametrize("part", range(5))
def test_every_plot_of_every_kind_can_be_drawn(fake_report: Report, part: int) -> None:
    found = [plot for section in fake_report.parts[part].sections for plot in section.plots]
    assert len(found) >= 2
    for plot in found:
        drawn(plot)
        assert plot.alt
    names = [plot.name for section in fake_report.sections for plot in section.plots]
    assert len(set(names)) == len(names)


def test_a_panel_a_judge_titled_in_its_family_colour(made_up: Callable[..., Lens]) -> None:
    seen = made_up("trace")
    figure = drawn(plots.score_distributions(seen))
    order = ["good", "fair", "noise", "text", "length"]  # by family
    assert [panel.get_title(loc="left") for panel in figure.axes if panel.get_visible()] == order
    for panel, judge in zip(figure.axes, order, strict=False):
        assert panel._left_title.get_color() == FAMILY_COLOURS[seen.families[judge]]
    assert short("good", 26) == "good"


def test_bars_of_a_class_sum_to_one(made_up: Callable[..., Lens]) -> None:
    for panel in drawn(plots.score_distributions(made_up("choice"))).axes:
        for stairs in panel.patches:
            assert stairs.get_data().values.sum() == pytest.approx(1.0)


def test_curves_have_the_values_and_gaps_where_undefined(made_up: Callable[..., Lens]) -> None:
    found = curves("good, best head", "noise of one block")
    panel = drawn(plots.accuracy_by_block(made_up("choice"), found, "accuracy", NOTHING)).axes[0]
    for line, curve in zip(panel.lines, found, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), curve.x)
        np.testing.assert_array_equal(line.get_ydata(), [np.nan if y is None else y for y in curve.y])
    assert panel.lines[0].get_color() == FAMILY_COLOURS["hidden"].lower(), "named after a judge of the hidden family"
    assert panel.lines[1].get_color() == FAMILY_COLOURS["logits"].lower(), "named after one of the logits family"


def test_many_curves_stay_apart(made_up: Callable[..., Lens]) -> None:
    seen = replace(made_up("trace"), families=dict.fromkeys((f"j{k:02d}" for k in range(18)), "hidden"))
    figure = drawn(plots.accuracy_by_candidates(seen, curves(*seen.families)))
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}
    assert len(looks) == len(lines) == 18
    assert len(figure.legends[0].texts) == 18


def test_the_ring_is_on_the_chosen_head(made_up: Callable[..., Lens]) -> None:
    found = HeadMap(label="qk", metric="accuracy", values=((0.1, 0.2, 0.3), (0.4, 0.5, float("nan"))), chosen=((2, 1),))
    plot = plots.head_maps(made_up("choice"), [found])
    panel = drawn(plot).axes[0]
    np.testing.assert_array_equal(panel.collections[0].get_offsets(), [[1, 2]])
    left, right, bottom, top = panel.images[0].get_extent()
    assert (left, right, bottom, top) == (-0.5, 2.5, 2.5, 0.5), "block 1 is the top row, head 0 the left column"
    assert plot is not None
    assert "block 2 head 1" in plot.alt


def test_what_has_no_data_is_not_drawn(made_up: Callable[..., Lens]) -> None:
    seen = made_up("trace")
    assert plots.score_distributions(replace(seen, table=Table([]))) is None
    assert plots.accuracy_by_block(seen, [], "accuracy", NOTHING) is None
    assert plots.accuracy_by_candidates(seen, [Curve(label="x", x=(), y=())]) is None
    assert plots.head_maps(seen, []) is None


def spread(seen: Lens, kind: str, scores: list[float], truths: list[object]) -> Figure:
    """The small panel of one judge with these scores."""
    rows = [
        Row(question=str(k), candidate="0", judge="clue", score=score, label=truths[0], truth=truth)  # type: ignore[arg-type]
        for k, (score, truth) in enumerate(zip(scores, truths, strict=True))
    ]
    return drawn(plots.score_distributions(replace(seen, kind=kind, table=Table(rows), families={"clue": "hidden"})))


@pytest.mark.parametrize("scores", [[0.5] * 3, [1.0], [1e9, 1.0, 2.0], [0.0, 1.0, 1.0], [1e-9, 2e-9, 3e-9]])
def test_odd_scores_can_be_drawn(made_up: Callable[..., Lens], scores: list[float]) -> None:
    for kind, truth in (("trace", True), ("rating", 3.5), ("pair", "a"), ("trace", None), ("rating", None)):
        spread(made_up("trace"), kind, scores, [truth] * len(scores))


def test_settings_are_put_back_and_pyplot_is_not_needed(made_up: Callable[..., Lens]) -> None:
    before = dict(mpl.rcParams)
    drawn(plots.score_distributions(made_up("pair", questions=8)))
    assert dict(mpl.rcParams) == before
    assert "plt" not in vars(plots)
    assert sys.modules[plots.__name__]


@pytest.mark.parametrize("scores", [[1e-4, 1.1e-4, 3e-3], [0.1 + k / 997 for k in range(40)]])
def test_numbers_under_a_small_panel_stand_apart(made_up: Callable[..., Lens], scores: list[float]) -> None:
    figure = spread(made_up("choice"), "choice", scores, [k % 2 for k in range(len(scores))])
    labels = [t for t in figure.axes[0].get_xticklabels() if t.get_text()]
    # The report's style shows a dollar sign as it is, so numbers must not be written as formulas.
    assert not [t.get_text() for t in (*labels, figure.axes[0].xaxis.get_offset_text()) if "$" in t.get_text()]
    boxes = [b for b in (t.get_window_extent() for t in labels) if b.width]
    inside = sorted((b.x0, b.x1) for b in boxes)
    assert len(inside) >= 2
    assert all(left[1] < right[0] for left, right in pairwise(inside))
