"""Rows of verdicts: what a judge said of an item beside what is so."""

from __future__ import annotations

import pytest
from innerjudge.experiments.data.verdict_files import row_json, score_of, verdict_row
from innerjudge.models.items import Choice, Item, Pair, Rating, Trace
from innerjudge.probes import Verdict

CASES: list[tuple[Item, dict[str, str], object]] = [
    (
        Trace(question_id="q", candidate_id="1", prompt="", response="", correct=False),
        {"question": "q", "candidate": "1"},
        False,
    ),
    (Rating(item_id="r", prompt="", response="", scores=(2, 3)), {"question": "r", "candidate": "r"}, 2.5),
    (Choice(question_id="c", question="", options=("x", "y"), answer=0), {"question": "c", "candidate": "options"}, 0),
    (
        Pair(pair_id="p", prompt="", response_a="", response_b="", preference="tie"),
        {"question": "p", "candidate": "a|b"},
        "tie",
    ),
]


@pytest.mark.parametrize(("item", "ids", "truth"), CASES)
def test_a_row_names_the_item_the_judge_and_the_truth(item: Item, ids: dict[str, str], truth: object) -> None:
    scored = row_json(verdict_row(item, Verdict(item.id, score=0.5, label=True), data="d", judge="j"))
    known = {**ids, "data": "d", "judge": "j", "score": 0.5, "label": True, "unscored": None, "truth": truth}
    assert {name: scored[name] for name in known} == known
    assert {**known, "order": "given", "repeat": 0, "template": "default"}.keys() | {"length"} == scored.keys()
    lost = verdict_row(item, Verdict(item.id, unscored="no marker"), data="d", judge="j")
    assert (lost.score, lost.label, lost.unscored) == (None, None, "no marker")


def test_what_selection_reads_of_a_trace() -> None:
    trace = Trace(question_id="q", candidate_id="1", prompt="", response="", answer="7", extra={"response_ids": [1, 2]})
    row = row_json(verdict_row(trace, Verdict(trace.id, score=0.5, label=True), data="d", judge="j"))
    assert (row["answer"], row["tokens"]) == ("7", 2)


def test_size_of_a_score() -> None:
    assert score_of([0.2, 0.9]) == pytest.approx(0.7)
    assert score_of([0.2]) is None
    assert score_of(float("nan")) is None
    assert score_of(True) == 1.0
