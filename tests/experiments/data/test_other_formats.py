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


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"custom_id": "r", "result": {"type": "succeeded"}}, "a batch of requests (Anthropic)"),
        ({"doc_id": 0, "doc": {}, "arguments": [["a", "b"]], "resps": [["c"]]}, "write lm-eval-samples:PATH"),
        ({"source": "s", "instruction": "?", "completions": []}, "write ultrafeedback:PATH"),
        ({"question_id": "q", "model_a": "x", "model_b": "y", "winner": "tie"}, "a battle of Chatbot Arena"),
        ({"history": "h", "human_ref_A": "a", "human_ref_B": "b", "labels": 1}, "a row of SHP"),
        ({"instance": {}, "result": {}}, "a request of HELM"),
    ],
)
def test_more_rows_of_elsewhere_are_named(tmp_path: Path, row: dict[str, object], what: str) -> None:
    (tmp_path / "r.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    with pytest.raises(InnerjudgeError) as error:
        load_data(str(tmp_path / "r.jsonl"))
    assert what in str(error.value)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"PK\x03\x04[Content_Types].xml", "a zip archive (or a sheet of Excel, or a log of Inspect)"),
        (b"<!DOCTYPE html><html>404</html>", "a page of HTML or XML"),
        (b'\n<?xml version="1.0"?><a/>', "a page of HTML or XML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:a\nsize 5\n", "a pointer of Git LFS"),
        (b"\x80\x04\x95\x05", "a pickle, which is never read"),
        (b"SQLite format 3\0\x10\0", "an SQLite database"),
        (b"ARROW1\0\0", "an Arrow or Feather file"),
        ("question_id,prompt\nq,a\n".encode("utf-16"), "bytes that are not UTF-8 (they begin as UTF-16)"),
        (b"\x93NUMPY\x01\0", "an array of numpy"),
        (b"BZh91AY&SY", "a compressed file"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x89HDF\r\n", "an HDF5 file"),
    ],
)
def test_files_that_are_no_tables_are_named(tmp_path: Path, raw: bytes, what: str) -> None:
    (tmp_path / "rows.jsonl").write_bytes(raw)
    with pytest.raises(InnerjudgeError) as error:
        load_data(str(tmp_path / "rows.jsonl"))
    assert str(error.value).startswith(f"rows.jsonl: given {what}"), error.value
    assert ", expected " in str(error.value)


@pytest.mark.parametrize("kind", ["trace", "rating", "choice", "pair"])
def test_ids_that_are_null_are_absent(tmp_path: Path, kind: str) -> None:
    """As pandas writes them: the same items as without the columns, and no question called None."""
    fields = {
        "trace": ({"prompt": "?", "response": "!"}, ("question_id", "candidate_id")),
        "rating": ({"prompt": "?", "response": "!", "scores": [1]}, ("item_id", "question_id")),
        "choice": ({"question": "?", "options": ["x", "y"]}, ("question_id",)),
        "pair": ({"prompt": "?", "response_a": "x", "response_b": "y"}, ("pair_id", "question_id")),
    }
    said, ids = fields[kind]
    name = "question" if kind == "choice" else "prompt"
    rows = [said | {name: f"{k}?"} for k in (1, 1, 2)]
    found = []
    for more in ({}, dict.fromkeys(ids)):
        path = tmp_path / f"{len(more)}.jsonl"
        path.write_text("".join(json.dumps(row | more) + "\n" for row in rows), "utf-8")
        found.append([(item.id, item.group) for item in load_data(str(path)).items])
    assert found[0] == found[1]
    assert len({group for _, group in found[0]}) == (3 if kind == "choice" else 2)


def test_ids_in_some_rows_only_are_refused(tmp_path: Path) -> None:
    rows = [{"question_id": q, "prompt": "?", "response": "!"} for q in (None, "q")]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(InnerjudgeError, match="line 2: field 'question_id': given an id, expected none as"):
        load_data(str(tmp_path / "r.jsonl"))
