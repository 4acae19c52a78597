"""Files that are no JSONL are read as items; where lines must be, what they are is said. Rows of elsewhere."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from innerjudge.experiments.data.datasets import load_data
from innerjudge.experiments.data.jsonl import read_items
from innerjudge.experiments.data.records import known_file, known_rows
from innerjudge.models.errors import InnerjudgeError

ROWS = [{"question_id": "q", "candidate_id": str(k), "prompt": "2+2?", "response": f"say, {k}"} for k in range(3)]


def _csv() -> bytes:
    return pd.DataFrame(ROWS).to_csv(index=False).encode()


def _parquet() -> bytes:
    made = io.BytesIO()
    pd.DataFrame(ROWS).to_parquet(made)
    return made.getvalue()


FILES = {
    "t.csv": ("a CSV file", _csv()),
    "table": ("a CSV file", _csv()),
    "t.parquet": ("a Parquet file", _parquet()),
    "list.json": ("one JSON list", json.dumps(ROWS, indent=2).encode()),
    "short.jsonl": ("one JSON list", json.dumps(ROWS).encode()),
    "pretty.jsonl": (
        "JSON objects of several lines each",
        "\n".join(json.dumps(row, indent=1) for row in ROWS).encode(),
    ),
    "mac.jsonl": ("lines that end with CR alone", "\r".join(map(json.dumps, ROWS)).encode()),
}


@pytest.mark.parametrize("name", FILES)
def test_tables_are_read_and_named_where_lines_must_be(tmp_path: Path, name: str) -> None:
    what, raw = FILES[name]
    (tmp_path / name).write_bytes(raw)
    assert [item.id for item in load_data(str(tmp_path / name)).items] == ["q/0", "q/1", "q/2"], "it is read as it is"
    with pytest.raises(
        InnerjudgeError, match=rf"{name}: given {what}, expected JSONL: items are read from it by --data"
    ):
        read_items(tmp_path / name)


def test_items_are_none_of_these() -> None:
    for line in map(json.dumps, ROWS):
        assert known_file(f"{line}\n".encode()) == ""
    assert known_rows(ROWS[0]) == ""


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"labeler": "x", "question": {"problem": "p"}, "label": {"steps": []}}, "a labelled solution of PRM800K"),
        ({"question_id": 81, "judge": ["g", "v"], "user_prompt": "?", "judgment": "[[8]]", "score": 8}, "of MT-Bench"),
        ({"custom_id": "r", "response": {"status_code": 200, "body": {}}}, "a batch of requests"),
    ],
)
def test_rows_of_elsewhere_are_named(tmp_path: Path, row: dict[str, object], what: str) -> None:
    (tmp_path / "r.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    with pytest.raises(InnerjudgeError, match=f"line 1: given .*{what}.*: write "):
        load_data(str(tmp_path / "r.jsonl"))
