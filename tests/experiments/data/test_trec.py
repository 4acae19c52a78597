"""Judged passages as TREC, MS MARCO and BEIR write them down, by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from innerjudge import InnerjudgeError, Rating
from innerjudge.experiments.data.datasets import load_data
from innerjudge.experiments.data.loaders import load

CRITERION = "Relevance: the passage answers what the query asks for."
QRELS, PASSAGES = "301 0 p1 3\n301 0 p2 -1\n302 Q0 p1 0\n", "p1\tRust eats iron.\np2\tA pear.\np3\tNot judged.\n"
TOPICS = {
    "queries.tsv": "301\twhat is rust\n302\tpears\r\n303\tnot judged\n",
    "topics.jsonl": "".join(
        json.dumps({"_id": k, "text": t}) + "\n" for k, t in (("301", "what is rust"), ("302", "pears"))
    ),
    "topics.301-302": (
        "<top>\n<num> Number: 301\n<title> what is\nrust\n\n<desc> Description:\nMore.\n</top>\n\n"
        "<top>\n<num>302</num>\n<title>pears</title>\n</top>\n"
    ),
}


def rated(topic: str, passage: str, prompt: str, response: str, score: float) -> Rating:
    extra = {"scale": [0, 3], "question_id": topic}
    return Rating(
        item_id=f"{topic}/{passage}",
        prompt=prompt,
        response=response,
        criterion=CRITERION,
        scores=(score,),
        extra=extra,
    )


#: A grade below 0 is 0, and the scale ends at the highest grade, 3.
WANTED = [
    rated("301", "p1", "what is rust", "Rust eats iron.", 3.0),
    rated("301", "p2", "what is rust", "A pear.", 0.0),
    rated("302", "p1", "pears", "Rust eats iron.", 0.0),
]


@pytest.fixture(params=TOPICS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "2019qrels-pass.txt").write_text(QRELS)
    (tmp_path / request.param).write_text(TOPICS[request.param])
    (tmp_path / "collection.tsv").write_text(PASSAGES)
    (tmp_path / "README.md").write_text("no passages")
    return tmp_path


def test_a_folder_or_its_judgments(folder: Path) -> None:
    assert load(f"trec:{folder}") == WANTED
    assert load(f"trec:{folder / '2019qrels-pass.txt'}") == WANTED
    assert load_data(f"trec:{folder}").kind == "rating"


def test_as_beir_writes_it(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n301\tp1\t3\n301\tp2\t0\n302\tp1\t0\n")
    (tmp_path / "queries.jsonl").write_text(TOPICS["topics.jsonl"])
    rows = [{"_id": "p1", "title": "", "text": "Rust eats iron."}, {"_id": "p2", "title": "", "text": "A pear."}]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert load(f"trec:{tmp_path}") == load(f"trec:{tmp_path / 'qrels' / 'test.tsv'}") == WANTED
    (tmp_path / "qrels" / "dev.tsv").write_text("301\tp1\t3\n")
    with pytest.raises(InnerjudgeError, match=r"dev\.tsv, test\.tsv for the judgments, .*pass one as trec:FILE"):
        load(f"trec:{tmp_path}")


BAD: dict[str, tuple[str, str, str]] = {
    "columns": ("qrels", "301 0 p1 3\n301 p1\n", "qrels line 2: given 2 columns, expected 4 (topic, 0, "),
    "grade": ("qrels", "301 0 p1 high\n", "qrels line 1: field 'grade': given 'high', expected a whole number"),
    "topic": ("qrels", "9 0 p1 1\n", "qrels line 1: field 'topic': given '9', expected an id that queries.tsv holds"),
    "passage": ("qrels", "301 0 p9 1\n", "qrels line 1: field 'passage': given 'p9', expected an id that passages"),
    "twice": ("qrels", "301 0 p1 1\n301 0 p1 2\n", "given the id '301/p1'"),
    "no tab": ("queries.tsv", "301\ta\n302 pears\n", "queries.tsv line 2: given '302 pears', expected an id, a tab"),
    "no text": ("passages.tsv", '{"id": "p1"}\n', "passages.tsv line 1: field 'text': given nothing"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named_by_file_line_field_and_value(tmp_path: Path, case: str) -> None:
    name, text, message = BAD[case]
    files = {"qrels": QRELS, "queries.tsv": TOPICS["queries.tsv"], "passages.tsv": PASSAGES} | {name: text}
    for one, content in files.items():
        (tmp_path / one).write_text(content)
    with pytest.raises(InnerjudgeError) as caught:
        load(f"trec:{tmp_path}")
    assert message in str(caught.value)


@pytest.mark.parametrize("lacking", ["qrels", "queries.tsv", "passages.tsv"])
def test_a_file_that_is_not_there_is_asked_for(tmp_path: Path, lacking: str) -> None:
    for one, content in {"qrels": QRELS, "queries.tsv": TOPICS["queries.tsv"], "passages.tsv": PASSAGES}.items():
        if one != lacking:
            (tmp_path / one).write_text(content)
    role = {"qrels": "judgments", "queries.tsv": "topics", "passages.tsv": "passages"}[lacking]
    with pytest.raises(InnerjudgeError, match=f"with no such file for the {role}, expected one file with"):
        load(f"trec:{tmp_path}")


def test_titles_entities_and_texts_twice(tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text("t1 0 d1 2\n", "utf-8")
    (tmp_path / "topics.txt").write_text("<top><num>Number: t1 <title> AT&amp;T stock </top>", "utf-8")
    passages = tmp_path / "corpus.jsonl"
    passages.write_text('{"_id": "d1", "title": "Paris", "text": "It is a city."}\n', "utf-8")
    (item,) = load(f"trec:{tmp_path}")
    assert (item.prompt, item.response) == ("AT&T stock", "Paris It is a city.")
    passages.write_text('{"_id": "d1", "text": "one"}\n{"_id": "d1", "text": "two"}\n', "utf-8")
    with pytest.raises(InnerjudgeError, match="given two texts of 'd1'"):
        load(f"trec:{tmp_path}")
    passages.write_text('{"_id": "d1", "text": "one"}\n', "utf-8")
    (tmp_path / "topics.txt").write_text("<topics><topic number='1'><query>?</query></topic></topics>", "utf-8")
    with pytest.raises(InnerjudgeError, match="given <top> without topics"):
        load(f"trec:{tmp_path}")
