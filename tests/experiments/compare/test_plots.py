"""Plots: drawn from what is there, legible, and without state shared between figures."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from functools import partial
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from innerjudge.experiments import drawing
from innerjudge.experiments.compare.report import plots
from innerjudge.experiments.compare.report.plots import draw_curves
from innerjudge.experiments.compare.results import Comparison, Curve, HeadMap, Run
from innerjudge.experiments.data.verdict_rows import size
from innerjudge.experiments.drawing.palette import FAMILY_COLOURS, short
from matplotlib.figure import Figure


def drawn(figure: Figure | None) -> Figure:
    """The figure, after it was really rendered, with every warning an error."""
    assert figure is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(plots.png(figure, dpi=40)) > 1000
    return figure


@pytest.mark.parametrize("part", range(5))
def test_every_plot_of_every_kind_can_be_drawn(fake_run: Run, part: int) -> None:
    comparison = fake_run.comparisons[part]
    found = plots.plots(comparison, "1-x")
    assert found
    for plot in found:
        drawn(plot.draw())
        assert plot.alt
        assert plot.name.startswith("1-x-")
    assert len({plot.name for plot in found}) == len(found)


def test_a_panel_a_judge_titled_in_its_family_colour(fake_run: Run) -> None:
    comparison = fake_run.comparisons[0]
    figure = drawn(plots.score_distributions(comparison))
    shown = [(panel.get_title(loc="left"), panel.title) for panel in figure.axes if panel.get_visible()]
    assert [name for name, _ in shown] == [short(judge, 26) for judge in comparison.judges]
    for panel, family in zip(figure.axes, comparison.judges.values(), strict=False):
        assert panel._left_title.get_color() == FAMILY_COLOURS[family]


def test_bars_of_a_class_sum_to_one(fake_run: Run) -> None:
    for panel in drawn(plots.score_distributions(fake_run.comparisons[0])).axes:
        for stairs in panel.patches:
            assert stairs.get_data().values.sum() == pytest.approx(1.0)


def test_curves_have_the_values_and_gaps_where_undefined(fake_run: Run) -> None:
    comparison = fake_run.comparisons[2]
    panel = drawn(plots.accuracy_by_block(comparison)).axes[0]
    for line, curve in zip(panel.lines, comparison.by_block, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), curve.x)
        np.testing.assert_array_equal(line.get_ydata(), [np.nan if y is None else y for y in curve.y])
    assert panel.lines[0].get_color() == FAMILY_COLOURS["hidden"].lower(), "QK-score is of the hidden family"
    assert panel.lines[2].get_color() == FAMILY_COLOURS["logits"].lower(), "letter logits are of the logits family"


def test_many_curves_stay_apart(fake_run: Run) -> None:
    figure = drawn(plots.accuracy_by_candidates(fake_run.comparisons[0]))
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}
    assert len(looks) == len(lines) == 14
    assert len(figure.legends[0].texts) == 14


def test_the_ring_is_on_the_chosen_head() -> None:
    found = HeadMap(label="qk", metric="accuracy", values=((0.1, 0.2, 0.3), (0.4, 0.5, float("nan"))), chosen=((2, 1),))
    comparison = Comparison(
        data="d", kind="choice", n_items=1, n_fit=0, n_test=1, judges={"qk": "hidden"}, headline=(),
        rows=(), verdicts=(), head_maps=(found,),
    )  # fmt: skip
    panel = drawn(plots.head_maps(comparison)).axes[0]
    np.testing.assert_array_equal(panel.collections[0].get_offsets(), [[1, 2]])
    left, right, bottom, top = panel.images[0].get_extent()
    assert (left, right, bottom, top) == (-0.5, 2.5, 2.5, 0.5), "block 1 is the top row, head 0 the left column"
    assert "block 2 head 1" in plots.plots(comparison, "1")[0].alt


def test_what_has_no_data_is_not_drawn(fake_run: Run) -> None:
    empty = replace(
        fake_run.comparisons[0], verdicts=(), by_block=(), by_candidates=(Curve(label="x", x=(), y=()),), head_maps=()
    )
    assert plots.score_distributions(empty) is None
    assert plots.accuracy_by_block(empty) is None
    assert plots.accuracy_by_candidates(empty) is None
    assert plots.head_maps(empty) is None


@pytest.mark.parametrize("scores", [[0.5] * 3, [1.0], [1e9, 1.0, 2.0], [0.0, 1.0, 1.0], [1e-9, 2e-9, 3e-9]])
def test_odd_scores_can_be_drawn(fake_run: Run, scores: list[float]) -> None:
    for kind, truth in (("trace", True), ("rating", 3.5), ("pair", "a"), ("trace", None), ("rating", None)):
        rows = tuple({"judge": "clue", "score": s, "label": None, "unscored": None, "truth": truth} for s in scores)
        comparison = replace(fake_run.comparisons[0], kind=kind, verdicts=rows, judges={"clue": "hidden"})
        drawn(plots.score_distributions(comparison))


def test_settings_are_put_back_and_pyplot_is_not_needed(fake_run: Run) -> None:
    before = dict(mpl.rcParams)
    plots.score_distributions(fake_run.comparisons[3])
    assert dict(mpl.rcParams) == before
    assert "plt" not in vars(plots)
    assert sys.modules[plots.__name__]


def test_size_of_a_score() -> None:
    assert size([0.2, 0.9]) == pytest.approx(0.7)
    assert size([0.2]) is None
    assert size(float("nan")) is None
    assert size(True) == 1.0


def test_no_two_lines_of_a_family_look_alike() -> None:
    judges = dict.fromkeys((f"j{k:02d}" for k in range(18)), "hidden")
    comparison = Comparison(
        data="d", kind="trace", n_items=1, n_fit=1, n_test=1, judges=judges, headline=(), rows=(), verdicts=()
    )
    curves = [Curve(label=name, x=(1, 2), y=(0.1, 0.2)) for name in judges]
    figure = drawn(draw_curves(comparison, curves, family="hidden", draw=partial(drawing.curves, x="x", y="y")))
    lines = figure.axes[0].get_lines()
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}
    assert len(lines) == len(looks) == 18


@pytest.mark.parametrize("scores", [[1e-4, 1.1e-4, 3e-3], [0.1 + k / 997 for k in range(40)]])
def test_numbers_under_a_small_panel_stand_apart(scores: list[float]) -> None:
    rows = tuple(
        {"judge": "attention-score", "score": [s, 0.0], "label": 0, "truth": k % 2} for k, s in enumerate(scores)
    )
    comparison = Comparison(
        data="d", kind="choice", n_items=9, n_fit=1, n_test=8, judges={"attention-score": "hidden"}, headline=(),
        rows=(), verdicts=rows,
    )  # fmt: skip
    figure = drawn(plots.score_distributions(comparison))
    labels = [t for t in figure.axes[0].get_xticklabels() if t.get_text()]
    # The report's style shows a dollar sign as it is, so numbers must not be written as formulas.
    assert not [t.get_text() for t in (*labels, figure.axes[0].xaxis.get_offset_text()) if "$" in t.get_text()]
    boxes = [b for b in (t.get_window_extent() for t in labels) if b.width]
    inside = sorted((b.x0, b.x1) for b in boxes)
    assert len(inside) >= 2
    assert all(left[1] < right[0] for left, right in pairwise(inside))
