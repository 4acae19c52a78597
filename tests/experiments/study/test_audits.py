"""What audits ask, and what the report says of the answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.data.verdict_table import Row
from innerjudge.experiments.reading.read import Passes
from innerjudge.experiments.study import audits as auditing
from innerjudge.experiments.study.asking.ask import Candidate
from innerjudge.experiments.study.audits import flips
from innerjudge.experiments.study.parts.asked import asked, distracted
from innerjudge.experiments.study.parts.steadiness import steadiness
from innerjudge.experiments.study.spec import parse


def test_ways_of_asking_are_compared_on_the_same_items(made_up: Callable[..., Lens]) -> None:
    seen = made_up("trace")
    few = set(seen.table.items[:40])
    rows = [replace(r, judge="pair-wise wins") for r in seen.table if r.judge == "good" and r.item in few]
    found = asked(seen, rows)
    assert found is not None
    table = {row[0]: row for row in found.grids[0].rows}
    assert table["pair-wise wins"][1].value == pytest.approx(table["good"][1].value)
    assert asked(seen, []) is None


def test_a_judge_that_always_takes_the_first_is_unsteady(made_up: Callable[..., Lens]) -> None:
    seen = made_up("trace")
    rows = [
        Row(
            question=f"q{q}",
            candidate=f"{x}|{y}",
            judge="pair-wise",
            order=order,
            score=float(first),
            label="a" if first else "b",
            truth="a" if q % 2 else "b",
            length=float(5 - q),
        )
        for q in range(12)
        for x, y in ("ab", "ac", "bc")
        for order, first in (("given", 1), ("swapped", 0))
    ]
    found = steadiness(seen, {"pairs": rows})
    assert found is not None
    values = {f.metric: f.value for f in found.figures}
    assert values["IPI"] == 1.0
    assert values["TOV"] == 3.0
    assert values["first shown wins, above one half"] == 0.5
    assert values["position bias"] == 1.0
    assert "2 stand after correction" in found.found[0]


def test_a_judge_that_likes_length_is_flipped_by_it(
    monkeypatch: pytest.MonkeyPatch, made_up: Callable[..., Lens]
) -> None:
    """Point-wise it grades by length; pair-wise it knows better: only the first is talked round."""

    def answers(_lm, questions, *, judge, manner):
        rows = []
        for q in questions:
            said = q.prompt.user
            score = float(len(said)) if judge == "point-wise" else float(said.index("good") < said.index("bad"))
            rows.append(Row(**q.columns, judge=judge, score=score, label="a" if score == 1.0 else "b"))
        return rows

    monkeypatch.setattr(auditing, "ask", answers)
    study = parse("data: [{source: builtin:rate}]")
    made = [
        Candidate(prompt="?", response=text, question=f"q{k}", candidate=name, scale=(1, 5))
        for k in range(6)
        for name, text in (("x", "good and thorough"), ("y", "bad"))
    ]
    store = SimpleNamespace(rows=lambda _name, _depends, make: list(make()))
    judged = SimpleNamespace(name="d", kind="rating", lm=None, depends={}, passes=Passes(), store=store)
    audit = auditing.Auditing(study, judged)
    audit.__dict__["candidates"] = made
    rows = flips(audit)
    assert {row.template for row in rows} == {"plain", "assertive", "prolix", "sycophantic"}
    found = distracted(made_up("rating", questions=8), [], rows, [])
    assert found is not None
    rates = {(f.judge, f.metric): f.value for f in found.figures}
    assert rates["flips, point-wise", "flip rate [prolix]"] == 1.0
    assert rates["flips, pair-wise", "flip rate [prolix]"] == 0.0
