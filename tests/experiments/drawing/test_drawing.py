"""The shared drawing functions: what is drawn is what was given, in grey as well, and bad input is refused."""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pytest
from innerjudge.experiments import drawing
from innerjudge.experiments.compare.report.judge_plots import png
from innerjudge.experiments.drawing import style
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.prompts import choice_prompt
from matplotlib.axes import Axes
from matplotlib.figure import Figure


@pytest.fixture
def ax() -> Axes:
    return Figure(figsize=(4, 3), layout="constrained").subplots()


def rendered(ax: Axes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(png(ax.figure, dpi=40)) > 1000


def test_a_band_for_few_lines_and_a_bar_for_many(ax: Axes) -> None:
    line = ([1, 2, 3], [0.5, None, 0.7], [0.4, None, 0.6], [0.6, None, 0.8])
    drawing.curves(ax, {"a": line}, x="block", y="AUROC")
    assert len(ax.collections) == 1
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [0.5, np.nan, 0.7])
    assert list(ax.get_xticks()) == [1, 2, 3]
    rendered(ax)
    other = Figure().subplots()
    drawing.curves(other, {f"j{k}": line for k in range(6)}, x="block", y="AUROC", legend=False)
    assert not other.collections
    assert len(other.lines) == 18, "a line, a bar and a mark each"


def test_lines_differ_without_colour(ax: Axes) -> None:
    handles = drawing.curves(ax, {f"j{k}": ([0, 1], [k, k]) for k in range(6)}, x="x", y="y")
    assert len({(h.get_linestyle(), h.get_marker()) for h in handles}) == 6


def test_classes_differ_in_grey() -> None:
    def grey(colour: str) -> float:
        return sum(int(colour[at : at + 2], 16) * w for at, w in ((1, 0.299), (3, 0.587), (5, 0.114)))

    assert abs(grey(style.RIGHT) - grey(style.WRONG)) > 60
    for one, other in combinations(style.FAMILY_COLOURS.values(), 2):
        assert one != other


@pytest.mark.parametrize("line", [([], []), ([1, 2], [1]), ([1], [1], [1])])
def test_columns_that_do_not_fit_are_refused(ax: Axes, line: tuple[list[float], ...]) -> None:
    with pytest.raises(InnerjudgeError, match="expected"):
        drawing.curves(ax, {"a": line}, x="x", y="y")
    with pytest.raises(InnerjudgeError, match="at least one"):
        drawing.curves(ax, {}, x="x", y="y")


def test_bounds_of_reranking_are_thin(ax: Axes) -> None:
    lines = {name: ([1, 2], [0.5, 0.6]) for name in ("top@1", "random candidate", "oracle")}
    assert [h.get_linewidth() for h in drawing.accuracy_against_n(ax, lines)] == [1.6, 0.9, 0.9]
    assert ax.get_xlabel() == "candidates per question"
    rendered(ax)


def test_maps_share_a_scale_and_keep_holes_white(ax: Axes) -> None:
    image = drawing.head_map(ax, [[0.2, np.nan], [0.4, 0.8]], label="accuracy", chosen=[(2, 1)], limits=(0, 1))
    assert image.get_clim() == (0, 1)
    assert image.get_array().mask.tolist() == [[False, True], [False, False]]
    rendered(ax)
    with pytest.raises(InnerjudgeError, match="blocks, heads"):
        drawing.head_map(ax, [0.1, 0.2], label="x")


def test_a_trajectory_is_the_principal_components_of_scikit_learn(ax: Axes) -> None:
    from sklearn.decomposition import PCA

    states = np.random.default_rng(0).normal(size=(5, 4, 7)) * np.arange(1, 8)
    found = drawing.trajectory(ax, states, [True, False, None, True, False])
    theirs = PCA(2, svd_solver="full").fit_transform(states.reshape(20, 7)).reshape(5, 4, 2)
    np.testing.assert_allclose(np.abs(found), np.abs(theirs), atol=1e-9)
    assert [text.get_text() for text in ax.get_legend().texts] == ["right", "wrong", "no label"]
    rendered(ax)


@pytest.mark.parametrize("shape", [(2, 1, 5), (3, 4), (3, 4, 1)])
def test_states_without_a_plane_are_refused(ax: Axes, shape: tuple[int, ...]) -> None:
    with pytest.raises(InnerjudgeError, match="expected"):
        drawing.trajectory(ax, np.zeros(shape), [True] * shape[0])


def test_equal_states_can_be_drawn(ax: Axes) -> None:
    drawing.trajectory(ax, np.ones((3, 2, 4)), [True, False, True])
    rendered(ax)


def test_histograms_hold_every_score(ax: Axes) -> None:
    entries = drawing.score_distributions(ax, {"right": [0.1, 0.2, 0.3, 9.0], "wrong": [0.0, 0.1], "no label": []})
    assert list(entries) == ["right", "wrong"]
    for stairs in ax.patches:
        assert stairs.get_data().values.sum() == pytest.approx(1.0)
    rendered(ax)
    for bad in ({"a": []}, {"a": [np.nan]}, {c: [1.0] for c in "abcd"}):
        with pytest.raises(InnerjudgeError, match="finite scores"):
            drawing.score_distributions(ax, bad)


def test_grades_need_a_score_each(ax: Axes) -> None:
    drawing.scores_by_grade(ax, [1, 2, 2.4, 5], [1.0, 2.2, 2.0, 4.5])
    assert ax.get_xticks().tolist() == [1, 2, 5]
    rendered(ax)
    with pytest.raises(InnerjudgeError, match="not empty"):
        drawing.scores_by_grade(ax, [1, 2], [1.0])


def test_reliability_stands_where_it_should(ax: Axes) -> None:
    line = drawing.reliability(ax, [0.1, 0.9], [0.2, 0.7], n=[30, 10])
    assert line.get_ydata().tolist() == [0.2, 0.7]
    rendered(ax)
    with pytest.raises(InnerjudgeError, match="within 0 to 1"):
        drawing.reliability(ax, [0.1, 1.2], [0.2, 0.7])


def test_attention_is_written_over_the_text_and_text_is_escaped() -> None:
    prompt = choice_prompt("Is <b> a tag?", ["yes & no", "<script>"], abstain=False)
    html = drawing.attention_over_text(prompt, [0.25, 0.5], answer=0, full=0.5, title="block 3, head 1")
    assert "Is &lt;b&gt; a tag?" in html
    assert "A. yes &amp; no</mark> <small>0.25 ✓" in html
    assert "rgba(0,114,178,0.50)" in html, "half of the full shade"
    assert "rgba(0,114,178,1.00)" in drawing.attention_over_text(prompt, [0.1, 0.9], full=0.5), "no darker than full"
    assert "<script>" not in html
    assert html.count("<mark") == 2
    for bad in ([0.1], [0.1, -0.2], [0.1, float("nan")]):
        with pytest.raises(InnerjudgeError, match="one finite number"):
            drawing.attention_over_text(prompt, bad)
    with pytest.raises(InnerjudgeError, match="full above 0"):
        drawing.attention_over_text(prompt, [0.1, 0.2], full=0)
    assert "0.00" in drawing.attention_over_text(prompt, [0, 0])


def test_scores_over_text() -> None:
    """Of 2 the full shade 4 is half; what is at or below 0 has none; a number stands behind each piece."""
    html = drawing.scores_over_text(["<a>", "b", "c\n", "d"], [2.0, -1.0, 9.0, None], full=4.0, title="<t>")
    assert [f"rgba(0,114,178,{share})" in html for share in ("0.50", "0.00", "1.00")] == [True] * 3
    assert "&lt;a&gt;</mark> <small>2.00" in html
    assert "&lt;t&gt;" in html
    assert "c</mark> <small>9.00</small>\n<mark" in html, "on the line of its piece"
    assert html.count("\N{EN DASH}") == 1
    assert "attends" not in html
    for pieces, scores, full in ((["a"], [], 1.0), (["a"], [0.5], 0.0)):
        with pytest.raises(InnerjudgeError, match="expected one each, and full above 0"):
            drawing.scores_over_text(pieces, scores, full=full)
