"""Steps of items in files: read, written back, and refused with file, line and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from innerjudge import items_from
from innerjudge.experiments.data.datasets import load_data
from innerjudge.experiments.data.jsonl import read_items
from innerjudge.experiments.data.kinds import hash_item, item_to_row, record_to_item
from innerjudge.experiments.data.records import Record
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace

ROW = {"question_id": "q", "candidate_id": "0", "prompt": "?", "response": "a b"}


@pytest.mark.parametrize("steps", [["a", "b"], [[0, 1], [2, 3]]])
def test_a_row_is_read_and_written_back(steps: Any) -> None:
    row = ROW | {"steps": steps, "step_labels": [True, None], "first_error": None}
    item = record_to_item(Record(row, "here"), "trace")
    assert isinstance(item, Trace)
    assert item.step_texts == ("a", "b")
    again = json.loads(json.dumps(item_to_row(item)))
    assert again == {name: value for name, value in row.items() if value is not None}
    assert hash_item(record_to_item(Record(again, "here"), "trace")) == hash_item(item)


def test_a_refusal_names_file_line_and_field(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [ROW | {"steps": ["a", "b"]}, ROW | {"candidate_id": "1", "steps": ["a", "b"], "first_error": 2}]
    path.write_text("\n".join(map(json.dumps, rows)))
    said = "mine.jsonl line 2: field 'first_error': given 2, expected the place of a step from 0 to 1, or -1 for none"
    for read in (read_items, items_from, lambda path: load_data(str(path))):
        with pytest.raises(InnerjudgeError) as caught:
            read(path)
        assert said in str(caught.value)


def test_a_csv_has_lists_as_json(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text('prompt,response,parts,first\n?,a b,"[""a"", ""b""]",1\n?,c,"[""c""]",-1\n')
    one, two = items_from(path, columns={"steps": "parts", "first_error": "first"})
    assert (one.steps, one.step_labels, one.first_error) == (("a", "b"), (True, False), 1)
    assert (two.step_labels, two.first_error) == ((True,), -1)


def test_steps_of_public_data_may_begin_with_white_space(tmp_path: Path) -> None:
    row = {"id": "a", "problem": "?", "steps": ["One.", " Two.", "\n# Three"], "label": -1}
    (tmp_path / "p.jsonl").write_text(json.dumps(row))
    [item] = load_data(f"processbench:{tmp_path / 'p.jsonl'}").items
    assert isinstance(item, Trace)
    assert item.response == "One.\n\n Two.\n\n\n# Three"
    assert item.step_texts == ("One.", " Two.", "\n# Three")
    asked = {"problem": "?", "pre_generated_steps": None}
    blank = {"completions": [{"text": " ", "rating": 1}], "chosen_completion": 0}
    none = {"question": asked, "label": {"steps": [blank], "finish_reason": "give_up"}}
    (tmp_path / "n.jsonl").write_text(json.dumps(none))
    with pytest.raises(InnerjudgeError, match=r"n\.jsonl line 1"):
        load_data(f"prm800k:{tmp_path / 'n.jsonl'}")


def test_marks_of_many_steps_are_found_in_one_walk(tmp_path: Path) -> None:
    """A mark of two letters is one character of the label."""
    mark = "\u043a\u0438"
    steps = "".join(f"\nb{k} {mark}" for k in range(20_000))
    given = {"input": f"Q Step 1:a {mark}{steps}", "label": f"Q Step 1:a +{steps.replace(mark, '-')}"}
    (tmp_path / "m.jsonl").write_text(json.dumps(given | {"task": "x"}))
    [item] = load_data(f"math-shepherd:{tmp_path / 'm.jsonl'}").items
    assert isinstance(item, Trace)
    assert item.step_labels == (True, *[False] * 20_000)
    assert item.step_texts[:2] == ("Step 1:a", "b0")
