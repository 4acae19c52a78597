from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.experiments.data.jsonl import read_items, write_jsonl
from innerjudge.experiments.data.kinds import REQUIRED, item_to_row, kind_of
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Choice, Item, Pair, Rating, Trace

TRACE = {"question_id": "q", "candidate_id": "0", "prompt": "p", "response": "r"}
RATING = {"item_id": "i", "prompt": "p", "response": "r"}
CHOICE = {"question_id": "q", "question": "?", "options": ["x", "y"]}
PAIR = {"pair_id": "p", "prompt": "p", "response_a": "x", "response_b": "y"}
ROWS = {"trace": TRACE, "rating": RATING, "choice": CHOICE, "pair": PAIR}


def write(folder: Path, *rows: object) -> Path:
    path = folder / "data.jsonl"
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ROWS)
def test_each_kind_is_told_by_its_fields(tmp_path: Path, kind: str) -> None:
    (item,) = read_items(write(tmp_path, ROWS[kind] | {"colour": "red"}))
    assert kind_of(item) == kind
    assert item.extra == {"colour": "red"}


def test_optional_fields(tmp_path: Path) -> None:
    assert read_items(write(tmp_path, TRACE | {"answer": "7", "correct": False})) == [
        Trace(question_id="q", candidate_id="0", prompt="p", response="r", answer="7", correct=False)
    ]
    assert read_items(write(tmp_path, RATING | {"scores": [4, 5.0], "criterion": "c", "reference": "f"})) == [
        Rating(item_id="i", prompt="p", response="r", scores=(4.0, 5.0), criterion="c", reference="f")
    ]
    assert read_items(write(tmp_path, CHOICE | {"answer": 1})) == [
        Choice(question_id="q", question="?", options=("x", "y"), answer=1)
    ]
    assert read_items(write(tmp_path, PAIR | {"preference": "tie"})) == [
        Pair(pair_id="p", prompt="p", response_a="x", response_b="y", preference="tie")
    ]


def test_null_counts_as_absent(tmp_path: Path) -> None:
    assert (
        read_items(write(tmp_path, TRACE | {"answer": None, "correct": None}))[0]
        == read_items(write(tmp_path, TRACE))[0]
    )


def test_blank_lines_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(TRACE).encode() + b"\r\n\n  \n")
    assert len(read_items(path)) == 1


BAD = {
    "broken": ([TRACE, "{not json"], "data.jsonl line 2: given broken JSON"),
    "nan": ([json.dumps(RATING)[:-1] + ', "scores": [NaN]}'], "line 1: given broken JSON (NaN is no JSON number)"),
    "not an object": ([TRACE, "[1]"], "line 2: given a list, expected an object"),
    "deep": (["[" * 100_000], "line 1: given broken JSON"),
    "missing": (
        [TRACE, {k: v for k, v in TRACE.items() if k != "response"}],
        "line 2: field 'response': given nothing",
    ),
    "missing first": ([{k: v for k, v in TRACE.items() if k != "candidate_id"}], "line 1: field 'candidate_id'"),
    "missing id": ([{k: v for k, v in PAIR.items() if k != "pair_id"}], "line 1: field 'pair_id': given nothing"),
    "no kind": ([{"text": "x"}], "line 1: given fields ['text'], expected those of one kind (trace: question_id"),
    "two kinds in one": ([TRACE | RATING], "line 1: given the fields of a trace and of a rating"),
    "mixed": ([TRACE, CHOICE], "line 2: given a choice, expected a trace as in data.jsonl line 1"),
    "number for text": (
        [TRACE, TRACE | {"candidate_id": "1"}, TRACE | {"candidate_id": "2", "response": 5}],
        "data.jsonl line 3: field 'response': given a number, expected a string: put the value in quotes",
    ),
    "null for text": ([TRACE | {"prompt": None}], "field 'prompt': given null, expected a string"),
    "empty id": ([TRACE | {"question_id": ""}], "field 'question_id': given an empty string, expected an id"),
    "number id": ([CHOICE | {"question_id": 3}], "field 'question_id': given a number, expected a string"),
    "text for flag": ([TRACE | {"correct": "yes"}], "field 'correct': given a string, expected true or false"),
    "number for answer": ([TRACE | {"answer": 18}], "field 'answer': given a number, expected a string"),
    "scores no list": (
        [RATING | {"scores": 4}],
        "field 'scores': given a number, expected a list of at least one number",
    ),
    "scores empty": ([RATING | {"scores": []}], "field 'scores': given an empty list"),
    "scores text": ([RATING | {"scores": [4, "5"]}], "field 'scores': given a list with a string"),
    "scores flag": ([RATING | {"scores": [True]}], "field 'scores': given a list with true"),
    "scores huge": (
        [json.dumps(RATING)[:-1] + ', "scores": [1e999]}'],
        "line 1: given broken JSON (a number beyond the range of a float)",
    ),
    "options no list": ([CHOICE | {"options": "xy"}], "field 'options': given a string"),
    "options number": ([CHOICE | {"options": ["x", 2]}], "field 'options': given a list with a number"),
    "options null": ([CHOICE | {"options": ["x", None]}], "field 'options': given a list with null"),
    "one option": ([CHOICE | {"options": ["x"]}], "field 'options': given a list of 1, expected a list of at least 2"),
    "answer too high": ([CHOICE | {"answer": 2}], "field 'answer': given 2, expected a whole number from 0 to 1"),
    "answer negative": ([CHOICE | {"answer": -1}], "field 'answer': given -1, expected a whole number from 0 to 1"),
    "answer flag": ([CHOICE | {"answer": True}], "field 'answer': given true, expected a whole number"),
    "answer letter": ([CHOICE | {"answer": "B"}], "field 'answer': given a string, expected a whole number"),
    "preference": ([PAIR | {"preference": "A"}], 'field \'preference\': given \'A\', expected "a", "b" or "tie"'),
    "preference number": ([PAIR | {"preference": 1}], "field 'preference': given a number, expected a string"),
    "duplicate": ([TRACE, "", TRACE], "data.jsonl line 3: field 'question_id' and 'candidate_id': given the id 'q/0'"),
    "duplicate pair": ([PAIR, PAIR], "line 2: field 'pair_id': given the id 'p' that stands in data.jsonl line 1"),
    "empty": ([], "data.jsonl: given an empty file, expected one item per line"),
    "blank": (["", "  "], "data.jsonl: given an empty file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_names_file_line_and_field(tmp_path: Path, case: str) -> None:
    rows, message = BAD[case]
    with pytest.raises(InnerjudgeError) as caught:
        read_items(write(tmp_path, *rows))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("data.jsonl")


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(json.dumps(TRACE).encode() + b'\n{"prompt": "\xff"}\n')
    with pytest.raises(InnerjudgeError, match=r"d\.jsonl line 2: given broken JSON \(not UTF-8\)"):
        read_items(path)


@pytest.mark.parametrize(
    ("name", "said"), [("absent.jsonl", "expected a JSONL file"), (".", "a folder, expected a file")]
)
def test_no_file(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(InnerjudgeError, match=said):
        read_items(tmp_path / name)


text = st.text(max_size=12)
ident = st.text(min_size=1, max_size=6)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
_taken = {name for names in REQUIRED.values() for name in names} | {
    "answer", "correct", "criterion", "reference", "scores", "preference"
}  # fmt: skip
extra = st.dictionaries(text.filter(lambda name: name not in _taken), json_value, max_size=3)
number = st.floats(-10, 10)
ITEMS: dict[str, st.SearchStrategy[Item]] = {
    "trace": st.builds(
        Trace, question_id=ident, candidate_id=ident, prompt=text, response=text,
        answer=st.none() | text, correct=st.none() | st.booleans(), extra=extra,
    ),
    "rating": st.builds(
        Rating, item_id=ident, prompt=text, response=text, criterion=st.none() | text, reference=st.none() | text,
        scores=st.none() | st.lists(number, min_size=1, max_size=3).map(tuple), extra=extra,
    ),
    "choice": st.lists(text, min_size=2, max_size=4).flatmap(
        lambda options: st.builds(
            Choice, question_id=ident, question=text, options=st.just(tuple(options)),
            answer=st.none() | st.integers(0, len(options) - 1), extra=extra,
        )
    ),
    "pair": st.builds(
        Pair, pair_id=ident, prompt=text, response_a=text, response_b=text,
        preference=st.sampled_from([None, "a", "b", "tie"]), extra=extra,
    ),
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(ITEMS)).flatmap(
        lambda k: st.lists(ITEMS[k], min_size=1, max_size=4, unique_by=lambda i: i.id)
    )
)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, items: list[Item]) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "d.jsonl"
    write_jsonl(path, map(item_to_row, items))
    assert read_items(path) == items


@pytest.mark.parametrize("where", ["response", "question_id", "an extra"])
def test_half_a_surrogate_pair_is_refused_where_it_stands(tmp_path: Path, where: str) -> None:
    path = write(tmp_path, json.dumps(TRACE), json.dumps(TRACE | {"candidate_id": "1", where: "\ud800 é"}))
    with pytest.raises(InnerjudgeError, match=r"line 2: given broken JSON .half of a surrogate pair"):
        read_items(path)
    whole = write(tmp_path, json.dumps(TRACE | {where: "\U0001f600"}))  # two escapes that belong together
    assert len(read_items(whole)) == 1


FIELDS = {
    "scale": ([5, 1], [1, 1], [None, 5], ["1", "5"], "1-5", [1, 2, 3], {"low": 1}, 5, [True, 2]),
    "question_id": ([1], {"a": 1}, True, 1.5),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FIELDS.items() for value in values])
def test_a_field_of_ones_own_with_a_meaning_of_ours(tmp_path: Path, name: str, value: object) -> None:
    path = write(tmp_path, json.dumps(RATING), json.dumps(RATING | {"item_id": "r2", name: value}))
    with pytest.raises(InnerjudgeError, match=rf"line 2: field '{name}': given .*, expected .*: correct it, or give"):
        read_items(path)


@pytest.mark.parametrize("value", [5, [1.5], [-1], ["a"], [2**31], "1 2", {"ids": [1]}, [True]])
def test_stored_token_ids_that_are_none(tmp_path: Path, value: object) -> None:
    path = write(tmp_path, json.dumps(TRACE | {"response_ids": value}))
    with pytest.raises(InnerjudgeError, match=r"line 1: field 'response_ids': given .*, expected a list of token ids"):
        read_items(path)


@pytest.mark.parametrize("none", [None, ""])
def test_a_rating_without_a_question_is_a_group_of_its_own(tmp_path: Path, none: object) -> None:
    rows = [RATING | {"item_id": f"r{k}", "question_id": none} for k in range(3)]
    path = write(tmp_path, *map(json.dumps, rows), json.dumps(RATING | {"item_id": "r3", "question_id": 7}))
    assert [item.group for item in read_items(path)] == ["r0", "r1", "r2", "7"]


def test_extra_that_hides_a_field_is_refused() -> None:
    with pytest.raises(InnerjudgeError, match=r"extra fields \['answer'\] that a trace has itself"):
        item_to_row(Trace(question_id="q", candidate_id="0", prompt="", response="", extra={"answer": "7"}))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), {1, 2}])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, bad: object) -> None:
    path = tmp_path / "out" / "d.jsonl"
    write_jsonl(path, [{"x": 1}])
    with pytest.raises(InnerjudgeError, match=r"d\.jsonl row 2"):
        write_jsonl(path, [{"x": 2}, {"x": bad}])
    assert path.read_text() == '{"x": 1}\n'
    assert sorted(p.name for p in path.parent.iterdir()) == ["d.jsonl", "d.jsonl.sha256"]


def test_a_row_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def rows():  # type: ignore[no-untyped-def]
        yield {"x": 1}
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_jsonl(tmp_path / "d.jsonl", rows())
    assert not list(tmp_path.iterdir())
