"""Metrics of each kind by hand: ties, unscored questions, criteria with levels of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.compare.metrics import metrics
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.data.verdict_table import Row, Table
from innerjudge.experiments.selection.reranking import selection_accuracy
from innerjudge.experiments.selection.rules import Rule


def lens(kind: str, items: Sequence[dict[str, Any]], *scores: float | None) -> Lens:
    """One judge, ``j``, with these scores of the items."""
    rows = []
    for item, score in zip(items, scores, strict=True):
        given = {"unscored": "why"} if score is None else {"score": score, "label": score > 0.5}
        rows.append(Row(**item, judge="j", **given))
    table = Table(rows)
    return Lens(data="", kind=kind, table=table, calibration=Table([]), families={"j": "hidden"}, settings=Settings())


def test_a_tie_does_not_go_to_the_first_candidate_of_the_file() -> None:
    # One question, four candidates, the last one right, all scores equal: a random pick is right 1 time in 4.
    found = selection_accuracy(list("abcd"), [1.0] * 4, [False, False, False, True], ["q"] * 4, rule=Rule("best-of-n"))
    assert found.value == 0.25
    # Two of three tied at the top, one of them right: 1/2.
    found = selection_accuracy(list("abc"), [1.0, 0.0, 1.0], [False, False, True], ["q"] * 3, rule=Rule("best-of-n"))
    assert found.value == 0.5


def test_a_vote_is_averaged_over_orders() -> None:
    # Four different answers, one right: a majority vote is a random pick, so about 1/4 and not the first one's 0 or 1.
    for right in range(4):
        correct = [k == right for k in range(4)]
        value = selection_accuracy(list("abcd"), [None] * 4, correct, ["q"] * 4, rule=Rule("majority")).value
        assert value is not None
        assert 0.0 < value < 0.6
    # A clear majority is the majority in every order: 1.
    votes = selection_accuracy(["a", "b", "b"], [None] * 3, [False, True, True], ["q"] * 3, rule=Rule("majority"))
    assert votes.value == 1.0


def test_a_question_in_which_nothing_is_scored_is_not_credited() -> None:
    traces = [
        {"question": q, "candidate": c, "answer": c, "truth": right}
        for q, c, right in (("p", "0", True), ("p", "1", False), ("q", "0", False), ("q", "1", True))
    ]
    # p is unscored; in q the right candidate has the higher score: 1 question of 1.
    found = metrics(lens("trace", traces, None, None, 0.1, 0.9))["top@1"]("j", [True] * 4)
    assert (found.value, found.n) == (1.0, 1)
    nothing = metrics(lens("trace", traces, *[None] * 4))["top@1"]("j", [True] * 4)
    assert (nothing.value, nothing.reason) == (None, "no candidate is scored")


def test_answers_vote_in_one_spelling() -> None:
    traces = [
        {"question": "q", "candidate": str(k), "answer": a, "truth": a.startswith("18")}
        for k, a in enumerate(("7", "18", "18.0", "9"))
    ]
    found = metrics(lens("trace", traces, 0.4, 0.3, 0.2, 0.1))["top-maj@4"]("j", [True] * 4)
    assert found.value == 1.0


def ratings() -> list[dict[str, Any]]:
    # Criterion x lies at 1..3, y at 8..10; within each, the human order is 0 < 1 < 2.
    levels = (("x", 1), ("y", 8))
    return [
        {"question": str(k), "candidate": f"{c}{k}", "truth": base + k, "tags": {"criterion": c}}
        for c, base in levels
        for k in range(3)
    ]


def test_knowing_the_criterion_alone_gains_nothing() -> None:
    found, everything = metrics(lens("rating", ratings(), 3.0, 1.0, 2.0, 13.0, 11.0, 12.0)), [True] * 6
    # Within x the scores 3 1 2 against 0 1 2 give rho = 1 - 6 * (4 + 0 + ... ) / 24: ranks (3,1,2) vs (1,2,3),
    # d = (2, -1, -1), sum d^2 = 6, rho = 1 - 6 * 6 / (3 * 8) = -0.5. The same within y. Pooled, the level of y wins.
    assert found["Spearman"]("j", everything).value == pytest.approx(-0.5)
    pooled = found["Spearman, criteria pooled"]("j", everything).value
    # Ranks (3,1,2,6,4,5) vs (1..6): d = (2,-1,-1,2,-1,-1), sum 12, rho = 1 - 6 * 12 / (6 * 35) = 0.657...
    assert pooled == pytest.approx(1 - 72 / 210)
    assert found["Spearman [x]"]("j", everything).value == pytest.approx(-0.5)


def test_the_mean_over_criteria_is_weighed_as_a_whole() -> None:
    seen = lens("rating", ratings(), 1.0, 2.0, 3.0, 3.0, 2.0, 1.0)
    found = metrics(seen)["Spearman"]("j", [True] * 6)
    assert found.value == pytest.approx(0.0)  # (1 - 1) / 2
    weights = np.array([[1.0, 1, 1, 1, 1, 1], [2.0, 0, 1, 2, 0, 1], [3.0, 0, 0, 3, 0, 0]])
    values = found.over(weights)
    assert values[:2] == pytest.approx([0.0, 0.0])
    assert np.isnan(values[2])  # one question drawn three times: constant within each criterion


def test_one_criterion_has_no_pooled_twin() -> None:
    one = [{"question": str(k), "candidate": str(k), "truth": k, "tags": {"criterion": "x"}} for k in range(3)]
    assert not any("pooled" in name for name in metrics(lens("rating", one, 1.0, 2.0, 3.0)))


def test_every_criterion_has_a_figure_of_its_own_name() -> None:
    # Two criteria that differ behind their 40th character only, and items without one: three groups, three figures.
    start = "c" * 40
    items = [
        {"question": f"{k}", "candidate": f"{name}{k}", "truth": k, "tags": {} if name is None else {"criterion": name}}
        for name in (start + "x", start + "y", None)
        for k in range(3)
    ]
    found = metrics(lens("rating", items, 1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 1.0, 2.0, 3.0))
    named = [f"Spearman [{start}]", f"Spearman [{start} (2)]", "Spearman [no criterion]"]
    # The human order is 0 < 1 < 2 in each; scores rise in the first and the last, and fall in the second.
    assert [found[name]("j", [True] * 9).value for name in named] == pytest.approx([1.0, -1.0, 1.0])
    assert "Spearman [None]" not in found
