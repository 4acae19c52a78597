"""The table in the terminal, and how figures are spelt."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from innerjudge.experiments.compare.report.row_text import excludes_zero, figure
from innerjudge.experiments.compare.report.table import lines, others, print_tables
from innerjudge.experiments.compare.results import ResultRow, Run
from innerjudge.experiments.drawing.spelling import NOTHING, duration, number, title
from rich.console import Console


def row(value: float | None, low: float | None, high: float | None, metric: str = "auroc") -> ResultRow:
    return ResultRow(
        data="d", judge="j", metric=metric, value=value, low=low, high=high, n=9, unscored=1, seconds_per_item=0.1
    )


def printed(run: Run, width: int = 100) -> str:
    out = io.StringIO()
    print_tables(run, Console(file=out, width=width), report=Path("runs") / "demo" / "report.html")
    return out.getvalue()


@pytest.mark.parametrize(
    ("given", "spelt"),
    [
        (row(0.7149, 0.652, 0.7703), "0.71 [0.65, 0.77]"),
        (row(None, None, None), NOTHING),
        (row(0.7, None, None), "0.70"),
        (row(0.98765, 0.9811, 0.9922), "0.988 [0.981, 0.992]"),
        (row(0.12, 0.05, 0.19, "auroc_minus_text"), "+0.12 [0.05, 0.19]"),
        (row(-0.12, -0.19, -0.05, "auroc_minus_text"), "~0.12 [~0.19, ~0.05]"),
        (row(0.031, 0.003, 0.059, "auroc_minus_text"), "+0.031 [0.003, 0.059]"),
        (row(-0.001, -0.2, 0.2, "auroc_minus_text"), "0.00 [~0.20, 0.20]"),
    ],
)
def test_figures(given: ResultRow, spelt: str) -> None:
    assert figure(given) == spelt.replace("~", "\N{MINUS SIGN}")


def test_only_a_whole_interval_on_one_side_counts() -> None:
    assert excludes_zero(row(0.1, 0.01, 0.2))
    assert excludes_zero(row(-0.1, -0.2, -0.01))
    assert not excludes_zero(row(0.1, 0.0, 0.2))
    assert not excludes_zero(row(0.1, None, None))
    assert not excludes_zero(None)


def test_words() -> None:
    assert number(float("nan")) == NOTHING
    assert [duration(s) for s in (0.0, 4e-6, 0.00999, 0.9996, 59.0, 3600.0)] == [
        "0 s", "4.0 µs", "10 ms", "1.0 s", "59 s", "60 min",
    ]  # fmt: skip
    assert title("within_question_auroc_minus_text") == "within-question AUROC minus text"


def test_every_line_fits_100_columns_and_every_figure_is_there(fake_run: Run) -> None:
    run = replace(fake_run, comparisons=fake_run.comparisons[:4])
    text = printed(run)
    assert max(map(len, text.splitlines())) <= 100
    for comparison in run.comparisons:
        for line in lines(comparison):
            for cell in (*line.cells[:2], line.minus):
                if cell is not None:
                    assert figure(cell) in text
    assert text.splitlines()[-1] == f"Report: {Path('runs') / 'demo' / 'report.html'}"


def test_a_difference_is_marked_exactly_when_it_is_told_from_zero(fake_run: Run) -> None:
    text = printed(replace(fake_run, comparisons=fake_run.comparisons[:1]))
    for line in lines(fake_run.comparisons[0]):
        if line.minus is not None:
            marked = f"▲ {figure(line.minus)}" in text or f"▼ {figure(line.minus)}" in text
            assert marked == line.marked


def test_families_in_order_and_no_judge_lost(fake_run: Run) -> None:
    comparison = fake_run.comparisons[0]
    mixed = dict(sorted(comparison.judges.items(), reverse=True)) | {"silent": "hidden", "no judge": "baseline"}
    found = list(lines(replace(comparison, judges=mixed)))
    assert {line.judge for line in found} == set(comparison.judges) | {"silent"}
    families = [line.family for line in found]
    assert list(dict.fromkeys(families)) == ["hidden", "logits", "text", "baseline"]
    assert [r.metric for r in others(replace(comparison, judges=mixed))] == ["majority", "random", "oracle"]


def test_markup_in_names_is_only_text(fake_run: Run) -> None:
    comparison = replace(fake_run.comparisons[3], judges={"[bold red]x[/]": "odd [family]"}, data="[link=x]d")
    text = printed(replace(fake_run, comparisons=(comparison,)))
    assert "[bold red]x[/]" in text
    assert "odd [family]" in text
    assert "[link=x]d" in text


def test_no_labels_no_figures(fake_run: Run) -> None:
    comparison = replace(fake_run.comparisons[0], rows=(), headline=())
    assert "clue-margin" in printed(replace(fake_run, comparisons=(comparison,)))
    assert "Report:" in printed(replace(fake_run, comparisons=()))
