"""The one table: checked on the way in, the same after a round trip, aligned by item."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from innerjudge import Choice, InnerjudgeError, Pair, Rating, Trace
from innerjudge.experiments.data.jsonl import write_jsonl
from innerjudge.experiments.data.verdict_files import item_columns, read_table, row_json, score_of
from innerjudge.experiments.data.verdict_table import Row, Table


def row(**columns) -> Row:
    return Row(**({"question": "q", "candidate": "0", "judge": "j", "score": 1.0} | columns))


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"score": float("nan")}, "not finite"),
        ({"score": None}, "neither score nor label"),
        ({"unscored": "too long"}, "a verdict and a reason for none"),
        ({"length": float("inf")}, "not finite"),
    ],
)
def test_rows_say_what_is_wrong(columns, says: str) -> None:
    with pytest.raises(InnerjudgeError, match=says):
        row(**columns)


def test_keys_are_unique_and_labels_agree() -> None:
    Table([row(), row(repeat=1), row(order="swapped"), row(template="b"), row(data="d")])
    with pytest.raises(InnerjudgeError, match="number the repeats"):
        Table([row(), row(score=2.0)])
    with pytest.raises(InnerjudgeError, match="one truth an item"):
        Table([row(truth=True), row(judge="k", truth=False)])


def test_columns_are_aligned_by_item() -> None:
    table = Table([
        row(question="q1", score=1.0, truth=True, length=5.0, tags={"split": "fit", "language": "da"}),
        row(question="q2", score=None, unscored="too long", tags={"split": "test"}),
        row(question="q2", judge="k", score=3.0, truth=False),
        row(question="q1", judge="k", score=4.0, order="swapped", label="b"),
    ])  # fmt: skip
    assert table.items == (("", "q1", "0"), ("", "q2", "0"))
    assert (table.truths, table.lengths) == ([True, False], [5.0, None])
    assert (table.scores("j"), table.scores("k")) == ([1.0, None], [None, 3.0])
    assert table.labels("k", order="swapped") == ["b", None]
    assert table.unscored("j") == {"too long": 1}
    assert table.tag("language") == ["da", None]
    assert len(table.where(split="test")) == 1
    assert len(table.where(judge={"j", "k"}, question="q2")) == 2
    assert table[1:].judges == ("j", "k")


texts = st.text("abcæ|/ ", min_size=1, max_size=4)
values = st.one_of(st.none(), st.booleans(), st.integers(-3, 9), st.floats(-9, 9), texts)


@given(st.lists(st.tuples(texts, texts, st.integers(0, 3), values), min_size=1, max_size=6, unique_by=lambda r: r[:3]))
def test_rows_survive_a_file(tmp_path_factory, given_rows) -> None:
    rows = [
        row(question=q, judge=j, repeat=r, label=v, score=None if v is not None else 0.5, tags={"language": j})
        for q, j, r, v in given_rows
    ]
    path = tmp_path_factory.mktemp("table") / "rows.jsonl"
    write_jsonl(path, map(row_json, rows))
    assert list(read_table(path)) == rows


def test_rows_of_other_people(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    row = {"question": "q", "judge": "ann", "score": 4, "topic": "law", "year": 2024}
    path.write_text(json.dumps(row), encoding="utf-8")
    (ann,) = read_table(path, data="here")
    assert (ann.data, ann.candidate, dict(ann.tags)) == ("here", "0", {"topic": "law", "year": "2024"})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"judge": "j", "score": 1}', "field 'question'"),
        ('{"question": "q", "score": 1}', "field 'judge'"),
        ('{"question": "q", "judge": "j", "score": "1"}', "field 'score'"),
        ('{"question": "q", "judge": "j", "label": [1]}', "field 'label'"),
        ('{"question": "q", "judge": "j", "score": NaN}', "broken JSON"),
        ('{"question": "q", "judge": "j", "score": 1, "repeat": -1}', "field 'repeat'"),
    ],
)
def test_bad_lines_are_named(line: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(InnerjudgeError, match=says) as said:
        read_table(path)
    assert "rows.jsonl line 1" in str(said.value)


def test_items_as_columns() -> None:
    trace = Trace(question_id="q", candidate_id="3", prompt="?", response="four", correct=True, extra={"topic": "law"})
    assert item_columns(trace, "d") == {
        "data": "d", "question": "q", "candidate": "3", "truth": True, "length": 4.0, "answer": None, "tokens": None,
        "tags": {"topic": "law"},
    }  # fmt: skip
    rating = Rating(item_id="r", prompt="", response="", criterion="fluency", scores=(1, 2))
    assert item_columns(rating)["tags"] == {"criterion": "fluency"}
    assert item_columns(Choice(question_id="c", question="?", options=("x", "y"), answer=1))["truth"] == 1
    pair = Pair(pair_id="p", prompt="", response_a="xx", response_b="x")
    assert (item_columns(pair)["length"], item_columns(pair)["truth"]) == (1.0, None)
    assert score_of(None) is None
    with pytest.raises(InnerjudgeError, match="columns of the table"):
        row_json(row(tags={"judge": "x"}))
