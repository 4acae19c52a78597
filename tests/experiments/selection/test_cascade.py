"""Cascades: who decides which item, and accuracy against cost by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from innerjudge import Cascade, InnerjudgeError, Judge, LanguageModel, Promise, TokenLogProb, Verdict
from innerjudge.experiments.selection.cascade import cost_curve, draw_cost
from matplotlib.figure import Figure

PROMISE = Promise("wrong among kept", 0.1, 0.9, threshold=2.0, questions=90, border=0.0)
#: Score of the first judge, its label, that of the second, and the truth: one item a question.
ITEMS = [
    (3.0, True, True, True),
    (-2.5, False, True, False),
    (1.0, True, False, False),
    (-0.5, False, True, True),
    (0.2, True, True, True),
]


def verdicts(place: int) -> list[Verdict]:
    return [Verdict(str(k), score=one[0] if place == 1 else 1.0, label=one[place]) for k, one in enumerate(ITEMS)]


def judges(*verdicts_of: list[Verdict], seen: list[Any]) -> tuple[Any, ...]:
    def asked(mine: list[Verdict]) -> Any:
        def say(pairs: list[int], batch_size: int) -> list[Verdict]:
            seen.append(list(pairs))
            return [mine[k] for k in pairs]

        return say

    return tuple(SimpleNamespace(kind="trace", promise=PROMISE, verdicts=asked(mine)) for mine in verdicts_of)


def test_the_second_judge_sees_only_what_is_not_kept() -> None:
    seen: list[Any] = []
    first = verdicts(1)
    first[4] = Verdict("4", unscored="no markers")
    cascade = Cascade.__new__(Cascade)
    cascade.judges, cascade.promise = judges(first, verdicts(2), seen=seen), PROMISE
    found = cascade.verdicts([0, 1, 2, 3, 4])
    assert seen == [[0, 1, 2, 3, 4], [2, 3, 4]]  # |score| of at least 2 is kept; what is unscored goes on
    assert found.second == [False, False, True, True, True]
    assert [one.label for one in found.verdicts] == [True, False, False, True, True]


def test_accuracy_against_cost_by_hand() -> None:
    groups, truth = [f"q{k}" for k in range(5)], [one[3] for one in ITEMS]
    table = cost_curve(verdicts(1), verdicts(2), truth, groups, promise=PROMISE, costs=(1.0, 10.0), points=6)
    # Least sure first: items 4 (0.2), 3 (0.5), 2 (1.0), 1 (2.5), 0 (3.0). The first judge is wrong of 2 and 3, the
    # second of 1: 3/5, 3/5, 4/5, 5/5, 4/5, 4/5; the promise asks about 4, 3 and 2.
    assert table["accuracy"].tolist() == pytest.approx([0.6, 0.6, 0.8, 1.0, 0.8, 0.8, 1.0])
    assert table["cost"].tolist() == pytest.approx([1, 3, 5, 7, 9, 11, 7])
    assert table["point"].tolist() == ["share"] * 6 + ["promise"]
    assert (table["low"] <= table["accuracy"]).all()
    ax = Figure().subplots()
    draw_cost(ax, table)
    assert [text.get_text() for text in ax.texts] == ["promise"]
    with pytest.raises(InnerjudgeError, match="different lengths"):
        cost_curve(verdicts(1), verdicts(2)[:3], truth, groups, promise=PROMISE)


def test_wrong_cascades_are_refused(reference: LanguageModel) -> None:
    judge = Judge(TokenLogProb(), reference, kind="trace")
    with pytest.raises(InnerjudgeError, match="expected a cheap and a dear one"):
        Cascade([judge], PROMISE)
    for promise in (None, Promise("lost good answers", 0.1, 0.9, threshold=2.0, questions=90)):
        with pytest.raises(InnerjudgeError, match="expected one about verdicts of the first judge"):
            Cascade([judge, judge], promise)
    with pytest.raises(InnerjudgeError, match="the promise of another judge than the first"):
        Cascade([judge, judge], replace(PROMISE, fit="of another"))
