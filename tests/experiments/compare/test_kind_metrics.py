"""Metrics of each kind by hand: ties, unscored questions, criteria with levels of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.compare.metrics_by_kind import metrics_of
from innerjudge.experiments.compare.results import Outcome
from innerjudge.experiments.selection.reranking import selection_accuracy
from innerjudge.experiments.selection.rules import Rule
from innerjudge.models.items import Rating, Trace
from innerjudge.probes import Verdict


def said(*scores: float | None) -> Outcome:
    verdicts = [
        Verdict(str(k), s, None if s is None else s > 0.5, "why" if s is None else None) for k, s in enumerate(scores)
    ]
    return Outcome(judge="j", verdicts=verdicts)


def test_a_tie_does_not_go_to_the_first_candidate_of_the_file() -> None:
    # One question, four candidates, the last one right, all scores equal: a random pick is right 1 time in 4.
    found = selection_accuracy(list("abcd"), [1.0] * 4, [False, False, False, True], ["q"] * 4, rule=Rule("top@1"))
    assert found.value == 0.25
    # Two of three tied at the top, one of them right: 1/2.
    found = selection_accuracy(list("abc"), [1.0, 0.0, 1.0], [False, False, True], ["q"] * 3, rule=Rule("top@1"))
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
        Trace(question_id=q, candidate_id=c, prompt="?", response="!", answer=c, correct=right)
        for q, c, right in (("p", "0", True), ("p", "1", False), ("q", "0", False), ("q", "1", True))
    ]
    top = metrics_of("trace", traces)["top@1"]
    everything = np.ones(4, dtype=bool)
    # p is unscored; in q the right candidate has the higher score: 1 question of 1.
    found = top(said(None, None, 0.1, 0.9), everything)
    assert (found.value, found.n) == (1.0, 1)
    nothing = top(said(None, None, None, None), everything)
    assert (nothing.value, nothing.reason) == (None, "no candidate is scored")


def test_answers_vote_in_one_spelling() -> None:
    traces = [
        Trace(question_id="q", candidate_id=str(k), prompt="?", response="!", answer=a, correct=a.startswith("18"))
        for k, a in enumerate(("7", "18", "18.0", "9"))
    ]
    found = metrics_of("trace", traces)["top-maj@4"](said(0.4, 0.3, 0.2, 0.1), np.ones(4, dtype=bool))
    assert found.value == 1.0


def test_top_maj_of_as_many_as_there_are() -> None:
    def names(n: int, **options: Any) -> list[str]:
        some = [Trace(question_id="q", candidate_id=str(k), prompt="?", response="!", correct=True) for k in range(n)]
        return [name for name in metrics_of("trace", some, **options) if name.startswith("top-maj")]

    assert names(3) == []
    assert names(4) == names(7) == ["top-maj@4"]
    assert names(16) == ["top-maj@4", "top-maj@8", "top-maj@16"]
    assert names(5, top_maj=(2, 5, 6)) == ["top-maj@2", "top-maj@5"]


def ratings() -> list[Rating]:
    # Criterion x lies at 1..3, y at 8..10; within each, the human order is 0 < 1 < 2.
    levels = (("x", 1), ("y", 8))
    return [
        Rating(
            item_id=f"{c}{k}", prompt="?", response="!", criterion=c, scores=(base + k,), extra={"question_id": str(k)}
        )
        for c, base in levels
        for k in range(3)
    ]


def test_knowing_the_criterion_alone_gains_nothing() -> None:
    metrics, everything = metrics_of("rating", ratings()), np.ones(6, dtype=bool)
    # Within x the scores 3 1 2 against 0 1 2 give rho = 1 - 6 * (4 + 0 + ... ) / 24: ranks (3,1,2) vs (1,2,3),
    # d = (2, -1, -1), sum d^2 = 6, rho = 1 - 6 * 6 / (3 * 8) = -0.5. The same within y. Pooled, the level of y wins.
    outcome = said(3.0, 1.0, 2.0, 13.0, 11.0, 12.0)
    assert metrics["spearman"](outcome, everything).value == pytest.approx(-0.5)
    pooled = metrics["spearman_pooled"](outcome, everything).value
    # Ranks (3,1,2,6,4,5) vs (1..6): d = (2,-1,-1,2,-1,-1), sum 12, rho = 1 - 6 * 12 / (6 * 35) = 0.657...
    assert pooled == pytest.approx(1 - 72 / 210)
    assert metrics["spearman[x]"](outcome, everything).value == pytest.approx(-0.5)


def test_the_mean_over_criteria_is_resampled_as_a_whole() -> None:
    found = metrics_of("rating", ratings())["spearman"](said(1.0, 2.0, 3.0, 3.0, 2.0, 1.0), np.ones(6, dtype=bool))
    assert found.value == pytest.approx(0.0)  # (1 - 1) / 2
    weights = np.array([[1.0, 1, 1, 1, 1, 1], [2.0, 0, 1, 2, 0, 1], [3.0, 0, 0, 3, 0, 0]])
    values = found.over(weights)
    assert values[:2] == pytest.approx([0.0, 0.0])
    assert np.isnan(values[2])  # one question drawn three times: constant within each criterion


def test_one_criterion_has_no_pooled_twin() -> None:
    one = [Rating(item_id=str(k), prompt="?", response="!", criterion="x", scores=(k,)) for k in range(3)]
    assert "spearman_pooled" not in metrics_of("rating", one)
