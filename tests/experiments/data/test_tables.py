"""Tables of every form give the same items; limits of what is compressed; ids, sides and kinds that are made."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge import InnerjudgeError, Pair, Rating, Trace, items_from
from innerjudge.experiments.data.datasets import check_spec, load_data, open_data
from innerjudge.experiments.data.jsonl import read_items, write_jsonl
from innerjudge.experiments.data.kinds import item_to_row
from innerjudge.experiments.data.variants import Responses
from innerjudge.experiments.data.verdict_files import item_columns

ROWS: list[dict[str, Any]] = [
    {"question": "1+1?", "answer text": '2, of\ncourse; "yes"', "right": 1, "level": "é"},
    {"question": "1+1?", "answer text": "3", "right": 0, "level": "b"},
    {"question": "2+2?", "answer text": "0", "right": 0, "level": "c"},
]
MAP = {"prompt": "question", "response": "answer text", "correct": "right"}
FRAME = pd.DataFrame(ROWS)


def _files(folder: Path) -> dict[str, Path]:
    zstandard = pytest.importorskip("zstandard")
    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    made = {
        "r.jsonl": lines,
        "r.jsonl.gz": gzip.compress(lines),
        "two.gz": gzip.compress(lines[:40]) + gzip.compress(lines[40:]),
        "r.jsonl.zst": zstandard.ZstdCompressor().compress(lines),
        "r.json": json.dumps(ROWS, indent=2).encode(),
        "pretty.json": "\n".join(json.dumps(row, indent=1) for row in ROWS).encode(),
        "mac.jsonl": "\r".join(map(json.dumps, ROWS)).encode(),
        "bom.json": b"\xef\xbb\xbf" + json.dumps(ROWS).encode(),
        "r.csv": FRAME.to_csv(index=False).encode(),
        "r.tsv": FRAME.to_csv(index=False, sep="\t").encode(),
        "semicolon": FRAME.to_csv(index=False, sep=";").encode(),
        "bom.csv": FRAME.to_csv(index=False).encode("utf-8-sig"),
    }
    for name, raw in made.items():
        (folder / name).write_bytes(raw)
    FRAME.to_parquet(folder / "r.parquet")
    return {path.name: path for path in folder.iterdir()}


WANTED = [
    Trace(
        question_id="q1",
        candidate_id="1",
        prompt="1+1?",
        response=ROWS[0]["answer text"],
        correct=True,
        extra={"level": "é"},
    ),
    Trace(question_id="q1", candidate_id="2", prompt="1+1?", response="3", correct=False, extra={"level": "b"}),
    Trace(question_id="q2", candidate_id="1", prompt="2+2?", response="0", correct=False, extra={"level": "c"}),
]


def test_every_form_of_a_table_gives_the_same_items(tmp_path: Path) -> None:
    for name, path in _files(tmp_path).items():
        assert items_from(path, MAP) == WANTED, name
        assert list(load_data(str(path), columns=MAP).items) == WANTED, name
        assert list(open_data(str(path), columns=MAP).items) == WANTED, name
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    for table in (ROWS, tuple(ROWS), FRAME, pa.Table.from_pylist(ROWS), columns):
        assert items_from(table, MAP) == WANTED, type(table)


def test_data_sets_of_datasets_in_memory_and_on_disk(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    held = datasets.Dataset.from_list(ROWS)
    assert items_from(held, MAP) == WANTED
    held.save_to_disk(tmp_path / "saved")
    assert items_from(tmp_path / "saved", MAP) == list(load_data(str(tmp_path / "saved"), columns=MAP).items) == WANTED
    both = datasets.DatasetDict({"train": held, "test": held})
    both.save_to_disk(tmp_path / "both")
    with pytest.raises(InnerjudgeError, match="pass data\\['train'\\]"):
        items_from(both, MAP)
    with pytest.raises(InnerjudgeError, match=r"one split of it: .*both/test.*both/train"):
        items_from(tmp_path / "both", MAP)
    with pytest.raises(InnerjudgeError, match=r"data\.take"):
        items_from(held.to_iterable_dataset(), MAP)
    (tmp_path / "saved" / "state.json").write_text('{"_data_files": [{"filename": "../x"}]}')
    with pytest.raises(InnerjudgeError, match="stands elsewhere"):
        items_from(tmp_path / "saved", MAP)


def test_a_pattern_is_all_its_files_in_order(tmp_path: Path) -> None:
    for k, row in enumerate(ROWS):
        (tmp_path / f"part-{k}.json").write_text(json.dumps([row]))
    assert items_from(str(tmp_path / "part-*.json"), MAP) == WANTED
    assert list(load_data(str(tmp_path / "part-*.json"), columns=MAP).items) == WANTED
    with pytest.raises(InnerjudgeError, match="a pattern that no file fits"):
        items_from(str(tmp_path / "x*"))
    with pytest.raises(InnerjudgeError, match=r"a folder, expected .*/\*\.json'"):
        items_from(tmp_path)


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"[" + b" " * (8 << 20)))  # 8 MB of 8 kB: 1000 times its size
    with pytest.raises(InnerjudgeError, match=r"unpacks to more than [0-9]+ bytes"):
        items_from(tmp_path / "bomb.gz")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(json.dumps(ROWS).encode())[:-20])
    with pytest.raises(InnerjudgeError, match="a damaged archive"):
        items_from(tmp_path / "cut.gz")


def test_kinds_are_found_from_the_columns() -> None:
    pair = {"prompt": "?", "chosen": "x", "rejected": "y"}
    assert isinstance(items_from([pair])[0], Pair)
    (rated,) = items_from([{"prompt": "?", "response": "x", "score": "4.5"}])
    assert isinstance(rated, Rating)
    assert rated.scores == (4.5,)
    for answer in (1, 1.0, "B", "pear", "1"):
        (one,) = items_from([{"question": "?", "choices": np.array(["iron", "pear"]), "answer": answer}])
        assert (one.answer, one.options) == (1, ("iron", "pear")), answer  # type: ignore[union-attr]
    (said,) = items_from([{"prompt": "?", "response": "x", "mark": None}], kind="rating")
    assert isinstance(said, Rating)


def test_the_chosen_one_is_not_always_a_and_stays_where_it_is() -> None:
    rows = [{"prompt": f"{k}?", "chosen": f"good {k}", "rejected": f"bad {k}"} for k in range(200)]
    pairs = items_from(rows)
    sides = Counter(one.preference for one in pairs)  # type: ignore[union-attr]
    assert 70 <= sides["a"] <= 130  # 200 fair draws: 100, six times sqrt(50) = 42 beside it would be odd
    for one in pairs:
        assert isinstance(one, Pair)
        assert (one.response_a if one.preference == "a" else one.response_b).startswith("good")
    by_prompt = {one.prompt: one.preference for one in items_from(rows[::-1])}  # type: ignore[union-attr]
    assert by_prompt == {one.prompt: one.preference for one in pairs}, "whatever the order"  # type: ignore[union-attr]
    assert items_from(rows, seed=1) != pairs


def test_messages_of_preferences_are_their_prompt_and_answers() -> None:
    def talk(answer: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": answer}]

    (one,) = items_from([{"chosen": talk("yes"), "rejected": talk("no")}])
    assert isinstance(one, Pair)
    assert (one.prompt, {one.response_a, one.response_b}) == ("Hi?", {"yes", "no"})
    other = [{"role": "user", "content": "Ho?"}, *talk("no")[1:]]
    with pytest.raises(InnerjudgeError, match="field 'rejected': given messages before the last that are not"):
        items_from([{"chosen": talk("yes"), "rejected": other}])


BAD: dict[str, tuple[Any, dict[str, str] | None, str]] = {
    "no such column": ([{"text": "x", "questoin": "?"}], {"prompt": "question"}, "did you mean 'questoin'"),
    "no such field": ([{"question": "?"}], {"promt": "question"}, "given the field 'promt' .*'prompt'\\?"),
    "no kind": (
        [{"question": "?", "response": "x", "label": 1}],
        None,
        "given the columns question, response, label, expected those .*--map prompt=question --map correct=label",
    ),
    "not this kind's": (
        [{"item_id": "i", "prompt": "?", "response": "x", "l": 1}],
        {"correct": "l"},
        "field of a rating",
    ),
    "value": (
        [{"q": "?", "response": "x", "label": "maybe"}],
        {"prompt": "q", "correct": "label"},
        "row 1: field 'correct' \\(column 'label'\\): given 'maybe', expected true or false, or 1 or 0",
    ),
    "no option": (
        [{"question": "?", "options": ["x", "y"], "answer": "z"}],
        None,
        "field 'answer': given 'z', expected one",
    ),
    "two meanings": ([{"question": "?", "options": ["B", "A"], "answer": "A"}], None, "field 'answer': given 'A'"),
    "score": (
        [{"prompt": "?", "response": "x", "score": "good"}],
        None,
        "field 'scores' .*given \"'good'\"|given 'good'",
    ),
    "late id": (
        [{"prompt": "?", "response": "x"}, {"prompt": "?", "response": "y", "question_id": "7"}],
        None,
        "row 2: field 'question_id': given an id, expected none as in row 1",
    ),
    "bytes": ([{"prompt": "?", "response": "x", "image": b"x"}], None, "column 'image': given a bytes, expected text"),
    "no rows": ([], None, "given no items"),
    "not rows": (5, None, "given a int, expected a list"),
    "one row": ({"prompt": "?", "response": "x"}, None, "given one mapping, expected a list of them"),
    "list of text": (["x"], None, "row 1: given a str"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named(case: str) -> None:
    rows, columns, message = BAD[case]
    with pytest.raises(InnerjudgeError, match=message) as caught:
        items_from(rows, columns)
    assert "\n" not in str(caught.value)


def test_wrong_csv_names_the_row(tmp_path: Path) -> None:
    for text, message in {
        "prompt,response\na,b\na,b,c\n": "row 2: given 3 cells, expected 2 as in the header",
        "prompt,prompt\na,b\n": "given the header 'prompt,prompt'",
        'prompt,response\na,"b\n': "given broken CSV",
        "": "given an empty file",
        "prompt,response\n": "given an empty file",
    }.items():
        (tmp_path / "t.csv").write_text(text)
        with pytest.raises(InnerjudgeError, match=message):
            items_from(tmp_path / "t.csv")


def test_nothing_of_pandas_is_no_value() -> None:
    frame = pd.DataFrame(
        {
            "prompt": ["a", "b"],
            "response": ["x", "y"],
            "correct": [1, None],
            "when": [pd.NaT, pd.Timestamp(0)],
            "n": pd.array([1, None], dtype="Int64"),
        }
    )
    one, two = items_from(frame)
    assert (one.correct, two.correct) == (True, None)  # type: ignore[union-attr]
    assert one.extra == {"when": None, "n": 1}
    assert two.extra["when"].startswith("1970-01-01")


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(text, text, st.none() | st.booleans()), min_size=1, max_size=5))
def test_items_of_our_own_files_are_read_alike(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    path = tmp_path_factory.mktemp("own") / "d.jsonl"
    items = [
        Trace(question_id=q, candidate_id=str(k), prompt=q, response=r, correct=c) for k, (q, r, c) in enumerate(rows)
    ]
    write_jsonl(path, map(item_to_row, items))
    assert read_items(path) == items_from(path) == items_from(items) == list(load_data(str(path)).items) == items
    assert check_spec(str(path))[0] == "lines"


def test_pairs_of_one_prompt_are_of_one_question() -> None:
    rows = [{"prompt": p, "chosen": str(k), "rejected": "no"} for k, p in enumerate("xxy")]
    pairs = items_from(rows)
    assert [(one.id, one.group) for one in pairs] == [("p1", "q1"), ("p2", "q1"), ("p3", "q2")]
    assert [one.group for one in Responses(pairs[1:])] == ["q1", "q1", "q2", "q2"]
    assert item_columns(pairs[1])["candidate"] == "p2/a|p2/b", "the rows of two pairs of a question differ"
    alone = Pair(pair_id="p", prompt="x", response_a="1", response_b="2", extra={"question_id": ""})
    assert (alone.group, item_columns(alone)["candidate"]) == ("p", "a|b")


def test_a_conversation_is_its_prompt_and_the_last_answer() -> None:
    ask, said, more = ({"role": r, "content": c} for r, c in (("user", "?"), ("assistant", "x"), ("user", "why?")))
    rows = [{"messages": [ask, said | {"weight": 1}, more], "correct": 1}, {"messages": [ask, said | {"content": "y"}]}]
    assert [(one.id, one.prompt, one.response, one.correct) for one in items_from(rows)] == [
        ("q1/1", "?", "x", True),
        ("q1/2", "?", "y", None),
    ]
    (theirs,) = items_from([{"conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "x"}]}])
    assert (theirs.prompt, theirs.response) == ("?", "x")
    (own,) = items_from([{"messages": [ask], "said": "x"}], {"prompt": "messages", "response": "said"})
    assert (own.prompt, own.response) == ("?", "x")
    with pytest.raises(InnerjudgeError, match=r"row 1: field 'messages': given no answer .* --map prompt=messages"):
        items_from([{"messages": [ask], "said": "x"}])
    (inner,) = items_from(
        [{"messages": [ask, said]}], {"prompt": "messages.0.content", "response": "messages.1.content"}
    )
    assert (inner.prompt, inner.response) == ("?", "x")
    (mine,) = items_from([{"q": "1?", "a": "2", "messages": [ask]}], {"prompt": "q", "response": "a"})
    assert (mine.prompt, mine.response, mine.extra["messages"]) == ("1?", "2", [ask])
    (pair,) = items_from([{"prompt": "?", "chosen": "x", "rejected": "y", "conversations": [ask, said]}])
    assert isinstance(pair, Pair)
    for odd in ("hello", [{"from": ["x"], "value": "y"}]):
        with pytest.raises(InnerjudgeError, match="messages"):
            items_from([{"messages": odd}])


def test_a_number_that_is_an_index_and_another_options_text_is_refused() -> None:
    """The right option would depend on the file: a table of text cannot tell 2 from "2"."""
    row = {"question": "?", "options": ["4", "2", "1"]}
    with pytest.raises(InnerjudgeError, match=r"field 'answer'.*expected one option"):
        items_from([row | {"answer": "2"}])
    assert [items_from([row | {"answer": said}])[0].answer for said in ("4", "B", 2)] == [0, 1, 2]
    assert items_from([{"question": "?", "options": ["0", "1"], "answer": "1"}])[0].answer == 1  # one and the same


def test_an_answer_in_a_row_without_options_is_no_traceback() -> None:
    rows = [{"question": "?", "choices": ["x", "y"], "answer": "B"}, {"question": "!", "answer": "B"}]
    with pytest.raises(InnerjudgeError, match="row 2: field 'options'"):
        items_from(rows)


def test_an_id_within_another_field_is_an_id() -> None:
    rows = [{"doc": {"id": one}, "prompt": "p", "response": "r"} for one in "ab"]
    assert [item.question_id for item in items_from(rows, columns={"question_id": "doc.id"})] == ["a", "b"]


def test_blank_lines_above_a_header_are_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\n\nprompt,response\np,r\n", "utf-8")
    assert [item.response for item in items_from(tmp_path / "t.csv")] == ["r"]


@pytest.mark.parametrize("nothing", ["", "NaN", "nan", " NaN "])
def test_no_value_as_pandas_writes_it_is_no_label(nothing: str, tmp_path: Path) -> None:
    """An empty cell, and NaN in a column of labels or scores; in a text it is a text."""
    (tmp_path / "t.csv").write_text(
        f"question_id,candidate_id,prompt,response,correct\nq,0,?,NaN,1.0\nq,1,?,nan,{nothing}\n"
    )
    assert [(one.response, one.correct) for one in items_from(tmp_path / "t.csv")] == [("NaN", True), ("nan", None)]
    (tmp_path / "r.csv").write_text(f"item_id,prompt,response,scores\na,?,!,4\nb,?,!,{nothing}\n")
    assert [one.scores for one in items_from(tmp_path / "r.csv")] == [(4.0,), None]
    (tmp_path / "p.csv").write_text(f"prompt,response_a,response_b,preference\n?,x,y,a\n?,x,z,{nothing}\n")
    assert [one.preference for one in items_from(tmp_path / "p.csv")] == ["a", None]
    options = '"[""x"", ""y""]"'
    (tmp_path / "c.csv").write_text(f"question,options,answer\n?,{options},1.0\n!,{options},{nothing}\n")
    assert [one.answer for one in items_from(tmp_path / "c.csv")] == [1, None]
