"""The curve of accuracy against cost in a report, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.compare.sections.candidates import cascade
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.data.verdict_table import Row, Table

COST = {"clue": {"prompts": 1.0, "tokens": 50.0}, "text": {"prompts": 1.0, "tokens": 200.0}}


def lens(said: Callable[[int], tuple[float, bool]], kind: str = "trace") -> Lens:
    """20 questions with one wrong and one right answer; a judge of states, and text, which is always right."""
    rows = []
    for k in range(40):
        score, label = said(k)
        known: dict[str, Any] = {"question": f"q{k // 2}", "candidate": str(k), "truth": k % 2 == 1}
        rows.append(Row(**known, judge="clue", score=score, label=label))
        rows.append(Row(**known, judge="text", score=float(k % 2), label=k % 2 == 1))
    families = {"clue": "hidden", "text": "text"}
    table = Table(rows)
    return Lens(data="d", kind=kind, table=table, calibration=Table([]), families=families, settings=Settings())


def unsure(k: int) -> tuple[float, bool]:
    """Right where it is sure (scores of +-2), wrong for the first 10 items, of which it is not (+-0.5)."""
    right = (k % 2 == 1) != (k < 10)
    size = 0.5 if k < 10 else 2.0
    return (size if right else -size), right


def test_the_curve_by_hand() -> None:
    section = cascade(lens(unsure), COST)
    assert section is not None
    [plot] = section.plots
    assert plot.behind is not None
    # 30 of 40 are right alone. The least sure 10, a quarter, are the wrong ones.
    assert [row[2] for row in plot.behind.rows] == [0.75, 1.0, 1.0, 1.0, 1.0]
    assert [row[1] for row in plot.behind.rows] == [50.0, 100.0, 150.0, 200.0, 250.0]
    assert [row[0] for row in plot.behind.rows] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert section.found[0].startswith("Accuracy of clue alone: 0.75 [")
    assert (
        "] at 50 tokens per item; with text asked about the half of which it is least sure: 1.00 [" in section.found[0]
    )
    assert section.found[0].endswith("It was picked on these items, from 1 cheaper judge of states.")
    assert plot.draw() is not None


def test_there_is_none_without_costs_verdicts_or_a_border() -> None:
    assert cascade(lens(unsure), {}) is None
    assert cascade(lens(unsure), {"text": COST["text"]}) is None
    assert cascade(lens(unsure), {**COST, "clue": COST["text"]}) is None, "it is no cheaper"
    assert cascade(lens(lambda k: (1.0, True)), COST) is None, "one label has no border"
    assert cascade(lens(lambda k: (float(k), k % 2 == 1)), COST) is None, "its score does not say how sure it is"


@pytest.mark.parametrize("kind", ["choice"])
def test_of_choices_the_lead_says_how_sure_it_is(kind: str) -> None:
    section = cascade(lens(lambda k: (float(k), k % 2 == 1 or k < 10), kind), COST)
    assert section is not None
    # 5 of the first 10 are wrong, and the lead is least there: asking about a quarter mends all of them.
    assert section.plots[0].behind is not None
    assert [row[2] for row in section.plots[0].behind.rows] == [0.875, 1.0, 1.0, 1.0, 1.0]
