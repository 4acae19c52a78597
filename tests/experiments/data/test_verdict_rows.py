"""Rows of `verdicts.jsonl`."""

from __future__ import annotations

import pytest
from innerjudge.experiments.data.verdict_rows import verdict_row
from innerjudge.models.items import Choice, Item, Pair, Rating, Trace
from innerjudge.probes import Verdict

CASES: list[tuple[Item, dict[str, str], object]] = [
    (
        Trace(question_id="q", candidate_id="1", prompt="", response="", correct=False),
        {"question_id": "q", "candidate_id": "1"},
        False,
    ),
    (Rating(item_id="r", prompt="", response="", scores=(2, 3)), {"item_id": "r"}, 2.5),
    (Choice(question_id="c", question="", options=("x", "y"), answer=0), {"question_id": "c"}, 0),
    (Pair(pair_id="p", prompt="", response_a="", response_b="", preference="tie"), {"pair_id": "p"}, "tie"),
]


@pytest.mark.parametrize(("item", "ids", "truth"), CASES)
def test_a_row_names_the_item_the_judge_and_the_truth(item: Item, ids: dict[str, str], truth: object) -> None:
    scored = verdict_row(item, Verdict(item.id, score=0.5, label=True), data="d", judge="j")
    assert scored == {**ids, "data": "d", "judge": "j", "score": 0.5, "label": True, "unscored": None, "truth": truth}
    lost = verdict_row(item, Verdict(item.id, unscored="no marker"), data="d", judge="j")
    assert (lost["score"], lost["label"], lost["unscored"]) == (None, None, "no marker")
