"""The table in the terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from innerjudge.experiments.compare.figures import Figure
from innerjudge.experiments.compare.findings import Report
from innerjudge.experiments.compare.report.page import interval, print_report, value
from innerjudge.experiments.drawing.style import NOTHING, duration, number
from rich.console import Console


def printed(report: Report, width: int = 100) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=width), path=Path("runs") / "demo" / "report.html")
    return out.getvalue()


def test_words() -> None:
    assert number(float("nan")) == NOTHING
    assert [duration(s) for s in (0.0, 4e-6, 0.00999, 0.9996, 59.0, 3600.0)] == [
        "0 s", "4.0 µs", "10 ms", "1.0 s", "59 s", "60 min",
    ]  # fmt: skip


def test_every_line_fits_100_columns_and_every_figure_is_there(fake_report: Report) -> None:
    report = replace(fake_report, parts=fake_report.parts[:4])
    text = printed(report)
    assert max(map(len, text.splitlines())) <= 100
    for part in report.parts:
        for row in part.sections[0].grids[0].rows:
            for cell in row[1:3]:
                if isinstance(cell, Figure) and cell.value is not None:
                    assert f"{value(cell)} {interval(cell)}".strip() in text
        assert "1.2 ms" in text
    assert text.splitlines()[-1] == f"Report: {Path('runs') / 'demo' / 'report.html'}"


def test_a_difference_is_marked_exactly_when_it_is_one(fake_report: Report) -> None:
    for part in fake_report.parts[:4]:
        text = printed(replace(fake_report, parts=(part,)))
        for row in part.sections[0].grids[0].rows:
            gap = next((c for c in row if isinstance(c, Figure) and c.against), None)
            if gap is not None:
                marked = any(f"{mark} {value(gap)} {interval(gap)}" in text for mark in "▲▼")
                assert marked == (gap.verdict in ("better", "worse"))


def test_markup_in_names_is_only_text(fake_report: Report) -> None:
    part = fake_report.parts[3]
    grid = part.sections[0].grids[0]
    odd = replace(grid, rows=(("[bold red]x[/]", *grid.rows[0][1:]),), families=("odd [family]",))
    section = replace(part.sections[0], grids=(odd,))
    hostile = replace(part, name="[link=x]d", sections=(section,), summary=("[red]no[/]",))
    text = printed(replace(fake_report, parts=(hostile,)))
    for word in ("[bold red]x[/]", "odd [family]", "[link=x]d", "[red]no[/]"):
        assert word in text


def test_no_data_no_table(fake_report: Report) -> None:
    assert "Report:" in printed(replace(fake_report, parts=()))
