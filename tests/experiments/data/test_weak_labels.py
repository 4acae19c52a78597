"""Soft labels, weights and counts in item files: read by `fit`, refused where something is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from innerjudge import items_from
from innerjudge.experiments.data.jsonl import read_items
from innerjudge.experiments.data.labels import label_to_fit, to_fit
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Rating, Trace
from innerjudge.probes import CountedProbe, LogisticProbe, PooledProbe


def trace(**fields: Any) -> Trace:
    extra = {k: v for k, v in fields.items() if k != "correct"}
    return Trace(
        question_id="q", candidate_id="0", prompt="1+1?", response="2", correct=fields.get("correct"), extra=extra
    )


def test_what_a_fit_takes_of_an_item() -> None:
    probe, counted, scale = LogisticProbe(), CountedProbe(), (1, 5)
    assert to_fit(trace(correct=True), probe, scale) == (True, None)
    assert to_fit(trace(correct=True, p_correct=0.7, sample_weight=2), probe, scale) == (0.7, 2)
    assert to_fit(trace(p_correct=0), probe, scale) == (0, None)
    for each in ("both", "step"):
        assert to_fit(trace(correct=True, p_correct=0.7), PooledProbe(each=each), scale) == (0.7, None)
    both = to_fit(trace(correct=True, p_correct=0.7, span_labels=[False]), PooledProbe(each="both"), scale)
    assert both == ({"spans": (False,), "correct": True}, None)
    assert to_fit(trace(n_correct=3, n_sampled=8), probe, scale) == (None, None)
    assert to_fit(trace(n_correct=3, n_sampled=8), counted, scale) == (3, 8)
    assert to_fit(trace(correct=True), counted, scale) == (True, None)
    rating = Rating(item_id="r", prompt="p", response="r", scores=(4,), extra={"sample_weight": 0.5})
    assert to_fit(rating, probe, scale) == (4.0, 0.5)


def test_numbers_of_a_csv_are_numbers(tmp_path: Path) -> None:
    text = "question_id,candidate_id,prompt,response,p_correct,n_correct,quality\nq,0,p,r,0.5,3,\nq,1,p,s,,3.0,-2.5\n"
    (tmp_path / "t.csv").write_text(text)
    first, second = items_from(tmp_path / "t.csv")
    assert (first.extra["p_correct"], first.extra["n_correct"], first.extra.get("quality")) == (0.5, 3, None)
    assert (second.extra.get("p_correct"), second.extra["n_correct"], second.extra["quality"]) == (None, 3, -2.5)
    assert type(second.extra["n_correct"]) is int
    (tmp_path / "t.csv").write_text(text.replace("3.0", "NaN"))  # as pandas writes no value
    assert items_from(tmp_path / "t.csv")[1].extra.get("n_correct") is None
    for bad in ("many", "inf", "-1"):
        (tmp_path / "t.csv").write_text(text.replace("3.0", bad))
        with pytest.raises(InnerjudgeError, match="row 2: field 'n_correct'"):
            items_from(tmp_path / "t.csv")


def test_nothing_is_measured_against_soft_labels() -> None:
    with pytest.raises(InnerjudgeError, match=r"q/0 with p_correct=0\.7, expected correct=true or false: only"):
        label_to_fit(trace(p_correct=0.7), (1, 5))
    assert label_to_fit(trace(correct=False, p_correct=0.7), (1, 5)) is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("p_correct", 1.5), ("p_correct", "0.5"), ("p_correct", True), ("sample_weight", -1), ("n_correct", 2.0),
        ("n_sampled", -1), ("quality", "good"), ("quality", True),
    ],
)  # fmt: skip
def test_other_values_are_refused_with_their_line(name: str, value: Any, tmp_path: Path) -> None:
    row = {"question_id": "q", "candidate_id": "0", "prompt": "p", "response": "r", name: value}
    (tmp_path / "items.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InnerjudgeError, match=f"line 1: field '{name}'"):
        read_items(tmp_path / "items.jsonl")
