"""Rows that a loader refuses are named by file, record and field; odd ones that it takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from innerjudge.experiments.data.loaders import load
from innerjudge.models.errors import InnerjudgeError

GSM = {"question": "?", "ground_truth": "A: 1", "m": {"solution": "A: 1", "is_correct": True}}


BAR = {"input": "?", "output_1": "x", "output_2": "y", "label": 1}


PANDA = {"idx": 0, "instruction": "?", "input": "", "response1": "x", "response2": "y"} | {
    f"annotator{k}": 1 for k in (1, 2, 3)
}


SUMM = {
    "src": "s",
    "sys_summs": {
        "M1": {"sys_summ": "x", "scores": dict.fromkeys(("coherence", "consistency", "fluency", "relevance"), 3.0)}
    },
}


CHAT = {
    "source": "s",
    "context": "c",
    "system_id": "m",
    "system_output": "x",
    "scores": dict.fromkeys(
        ("understandability", "naturalness", "coherence", "engagingness", "groundedness", "overall"), 1
    ),
}


PROMPT = (
    "###The instruction to evaluate:\nDo it.\n\n###Response to evaluate:\nDone.\n\n"
    "###Reference Answer (Score 5):\nGood.\n\n###Score Rubrics:\n[Is it?]\nScore 1: no\n\n###Feedback: "
)


PROM = {"idx": 1, "response_source": "m", "category": None, "instruction": PROMPT, "gpt4_score": [5]}


BAD = {
    "gsm flag": (
        "gsm8k-solutions",
        [GSM, GSM | {"m": {"solution": "", "is_correct": 1}}],
        "f line 2, in 'm': field 'is_correct': given a number, expected true or false",
    ),
    "gsm no model": (
        "gsm8k-solutions",
        [{"question": "", "ground_truth": ""}],
        "f line 1: field 'MODEL': given nothing",
    ),
    "gsm model": ("gsm8k-solutions", [GSM | {"m": 3}], "f line 1: field 'm': given a number, expected an object"),
    "bar label": ("llmbar", [BAR, BAR | {"label": 3}], "f row 2: field 'label': given 3, expected one of 1, 2"),
    "bar missing": (
        "llmbar",
        [{k: v for k, v in BAR.items() if k != "output_2"}],
        "f row 1: field 'output_2': given nothing",
    ),
    "bar object": ("llmbar", {"a": 1}, "f line 1: field 'input': given nothing"),
    "bar item": ("llmbar", [BAR, 3], "f row 2: given a number, expected an object"),
    "empty": ("llmbar", [], "f: given an empty file"),
    "panda annotator": (
        "pandalm",
        [PANDA | {"annotator3": 3}],
        "field 'annotator3': given 3, expected a whole number from 0 to 2",
    ),
    "panda idx": ("pandalm", [PANDA | {"idx": None}], "field 'idx': given None, expected a number"),
    "panda twice": ("pandalm", [PANDA, PANDA], "f, item 2: field 'pair_id': given the id 'pandalm-0'"),
    "summ list": ("summeval", [SUMM], "f: given a list, expected an object of records"),
    "summ score": (
        "summeval",
        {"d": SUMM | {"sys_summs": {"M1": {"sys_summ": "", "scores": {"coherence": 6}}}}},
        "f record 'd', in 'sys_summs', in 'M1', in 'scores': field 'coherence': given 6, expected a number from 1",
    ),
    "chat scale": (
        "topical-chat",
        [CHAT | {"scores": CHAT["scores"] | {"groundedness": 2}}],
        "field 'groundedness': given 2, expected a number from 0 to 1",
    ),
    "prom section": (
        "prometheus",
        [PROM | {"instruction": "###Response to evaluate:\nx"}],
        "f row 1: field 'instruction': given no section '###The instruction to evaluate:'",
    ),
    "prom rubric": (
        "prometheus",
        [PROM | {"instruction": PROMPT.split("###Score")[0]}],
        "no section '###Score Rubrics:'",
    ),
    "prom response": ("prometheus", [PROM | {"instruction": PROMPT.split("###Resp")[0]}], "no section '###Response to"),
    "prom score": ("prometheus", [PROM | {"gpt4_score": 5}], "field 'gpt4_score': given a number, expected a list"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_records_name_file_record_and_field(tmp_path: Path, case: str) -> None:
    name, value, message = BAD[case]
    lines = [json.dumps(v) for v in value] if name.startswith("gsm") else [json.dumps(value)]
    (tmp_path / "f").write_text("\n".join(lines))
    with pytest.raises(InnerjudgeError) as caught:
        load(f"{name}:{tmp_path / 'f'}")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("q,1,2,3,A", "x_val.csv record 2: given 5 cells, expected 6"),
        ("q,1,2,3,4,E", "x_val.csv record 2: field 'answer': given 'E', expected A, B, C or D"),
        ("q,1,2,3,4,AB", "field 'answer': given 'AB'"),
        ("q,1,,3,4,A", "x_val.csv record 2: field 'B': given an empty cell"),
        ('q,"1"x,2,3,4,A', "x_val.csv record 2: given broken CSV"),
    ],
)
def test_bad_mmlu_rows(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "x_val.csv").write_text(f"q,1,2,3,4,A\n{row}\n")
    with pytest.raises(InnerjudgeError) as caught:
        load(f"mmlu:{tmp_path}")
    assert message in str(caught.value)


def test_a_quoted_cell_may_hold_lines_and_commas(tmp_path: Path) -> None:
    (tmp_path / "x_test.csv").write_text('"one,\n two ""three""",1,2,3,4,D\n')
    (item,) = load(f"mmlu:{tmp_path / 'x_test.csv'}")
    assert (item.question, item.answer, item.id) == ('one,\n two "three"', 3, "x/0")


def test_a_response_may_quote_a_heading(tmp_path: Path) -> None:
    quoted = PROMPT.replace("Done.", "Done.\n###Score Rubrics:\nnot this one")
    (tmp_path / "f").write_text(json.dumps([PROM | {"instruction": quoted}]))
    (item,) = load(f"prometheus:{tmp_path / 'f'}")
    assert item.response == "Done.\n###Score Rubrics:\nnot this one"
    assert (item.reference, item.criterion) == ("Good.", "[Is it?]\nScore 1: no")


def test_a_prompt_without_reference(tmp_path: Path) -> None:
    bare = PROMPT.replace("###Reference Answer (Score 5):\nGood.\n\n", "")
    (tmp_path / "f").write_text(json.dumps([PROM | {"instruction": bare}]))
    (item,) = load(f"prometheus:{tmp_path / 'f'}")
    assert (item.response, item.reference) == ("Done.", None)


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xff\xfe")
    with pytest.raises(InnerjudgeError, match="f: given bytes that are not UTF-8"):
        load(f"llmbar:{tmp_path / 'f'}")


def test_labels_of_a_file_are_cut_before_they_are_said(tmp_path: Path) -> None:
    """What fuzzing found: the labels that an answer may be are the file's own."""
    labels = ["9" * 4000, "\x1b[2J"]
    row = {"id": "q", "question": "?", "choices": {"text": ["x", "y"], "label": labels}, "answerKey": "A"}
    (tmp_path / "f.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    with pytest.raises(InnerjudgeError, match="field 'answerKey'") as error:
        load(f"arc:{tmp_path / 'f.jsonl'}")
    assert len(str(error.value)) < 400
    assert "\x1b" not in str(error.value)
