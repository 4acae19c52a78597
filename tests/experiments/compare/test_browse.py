"""The items of a report: which come first, what is shown of them, and that their texts stay text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from innerjudge import Choice, Pair, Rating, Trace
from innerjudge.experiments.compare.findings import DataReport, Report
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.compare.report import browse
from innerjudge.experiments.compare.report.browse import labels_of, shown_items
from innerjudge.experiments.compare.report.page import html, markdown
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.data.verdict_files import item_columns
from innerjudge.experiments.data.verdict_table import Row, Table
from innerjudge.models.items import Item

FAMILIES = {"clue": "hidden", "text": "text", "length": "baseline"}


def lens_of(items: list[Item], said: dict[str, list[Any]]) -> Lens:
    """``said``: judge -> a score (or score and label) an item, ``None`` for unscored."""
    rows = []
    for judge, values in said.items():
        for item, value in zip(items, values, strict=True):
            columns = item_columns(item, "d") | {"tags": {}, "judge": judge}
            score, label = value if isinstance(value, tuple) else (value, None)
            rows.append(Row(**columns, score=score, label=label, unscored="no verdict" if value is None else None))
    kind = type(items[0]).__name__.lower()
    families = {judge: FAMILIES[judge] for judge in said}
    return Lens(data="d", kind=kind, table=Table(rows), calibration=Table([]), families=families, settings=Settings())


def traces(n: int) -> list[Item]:
    return [
        Trace(question_id=f"q{k}", candidate_id="0", prompt=f"Q{k}", response=f"R{k}", correct=k % 2 == 0)
        for k in range(n)
    ]


def test_those_come_first_on_which_judges_are_apart() -> None:
    """Ranks of text 1 2 3 4 of 4, of clue 4 2 3 1: apart 3/4, 0, 0, 3/4. Baselines do not count."""
    items = traces(4)
    said = {"text": [1.0, 2.0, 3.0, 4.0], "clue": [9.0, 5.0, 6.0, -1.0], "length": [4.0, 3.0, 2.0, 1.0]}
    found = shown_items(items, lens_of(items, said))
    assert [(one.name, one.apart) for one in found] == [("q0/0", 0.75), ("q3/0", 0.75), ("q1/0", 0.0), ("q2/0", 0.0)]
    assert found[0].label == "right"
    assert found[0].texts == (("prompt", "Q0"), ("response", "R0"))
    assert found[0].said == (("text", "text", "1.00"), ("clue", "hidden", "9.00"), ("length", "baseline", "4.00"))
    assert labels_of(found) == ["right", "wrong"]


def test_an_item_that_nobody_scored_comes_last() -> None:
    """Of three scored items, ranks 1 2 3 against 1 2 3 of the same: apart 0; the one without a verdict has none."""
    items = traces(4)
    found = shown_items(items, lens_of(items, {"text": [None, 1.0, 2.0, 3.0], "clue": [4.0, 1.0, 2.0, 3.0]}))
    assert found[-1].name == "q0/0"
    assert found[-1].apart is None
    assert found[-1].said[0] == ("text", "text", "unscored: no verdict")
    # clue ranks 4 1 2 3 of 4, text 1 2 3 of 3: |1/4 - 1/3|, |2/4 - 2/3|, |3/4 - 1|.
    assert [one.apart for one in found[:-1]] == pytest.approx([1 / 4, 1 / 6, 1 / 12])


@pytest.mark.parametrize(
    ("item", "label", "names"),
    [
        (Choice(question_id="c", question="?", options=("x", "y"), answer=1), "B", ["question", "options"]),
        (
            Pair(pair_id="p", prompt="?", response_a="x", response_b="y", preference="b"),
            "b",
            ["prompt", "response a", "response b"],
        ),
        (
            Rating(item_id="r", prompt="?", response="x", criterion="kind", scores=(2, 3)),
            "2.5",
            ["prompt", "response", "criterion"],
        ),
        (Trace(question_id="q", candidate_id="0", prompt="?", response="x"), "no label", ["prompt", "response"]),
    ],
)
def test_every_kind_is_shown(item: Item, label: str, names: list[str]) -> None:
    other = {"Choice": (0.5, 0), "Pair": (0.5, "a")}.get(type(item).__name__, 1.0)
    [found] = shown_items([item], lens_of([item], {"text": [other], "clue": [other]}))
    assert found.label == label
    assert [name for name, _ in found.texts] == names
    assert found.apart == 0
    assert labels_of([found]) == []


def test_choices_are_apart_where_another_option_is_said() -> None:
    items: list[Item] = [Choice(question_id=f"c{k}", question="?", options=("x", "y"), answer=0) for k in range(2)]
    said = {"text": [(0.1, 0), (0.1, 1)], "clue": [(0.1, 1), (0.1, 1)]}
    assert [(one.name, one.apart) for one in shown_items(items, lens_of(items, said))] == [("c0", 1.0), ("c1", 0.0)]


def test_a_page_holds_the_farthest_items_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "MOST", 3)
    evil = "<script>alert(1)</script>\x1b[2J" + "x" * 5000
    items = [replace(one, response=evil) for one in traces(5)]
    said = {"text": [1.0, 2.0, 3.0, 4.0, 5.0], "clue": [5.0, 4.0, 3.0, 2.0, 1.0]}
    lens = lens_of(items, said)
    part = DataReport(
        name="d<b>",
        kind="trace",
        counts={"reported": 5},
        families=dict(lens.families),
        summary=("It is so.",),
        sections=(),
        items=shown_items(items, lens),
    )
    report = Report(
        name="Judges", command="c", spec={"against": "text"}, versions={}, model={"name": "m"}, parts=(part,)
    )
    page = html(report, {})
    assert "3 of 5 reported items" in page
    assert page.count('<details class="item') == 3
    assert "<script" not in page
    assert "\x1b" not in page
    assert "more characters" in page
    assert re.search(r"<title>Judges · d&lt;b&gt; · m · \d{4}-\d\d-\d\d</title>", page)
    # Every label of the filter hides what is not of it, without a script.
    for k in (1, 2):
        assert f'value="{k}"' in page
        assert f'.items:has(input[value="{k}"]:checked) .item:not(.l{k})' in page
        assert f'class="item l{k}"' in page
    assert "alert" not in markdown(report)
