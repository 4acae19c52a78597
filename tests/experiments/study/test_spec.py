"""The file of a study: what is refused, and how paths are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from innerjudge import InnerjudgeError
from innerjudge.experiments.study.spec import read_study


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "given no fields"),
        ("data: [", "broken YAML"),
        ("judges: [text]", "given nothing for data"),
        ("data: [{source: x}]\nsplit: {fit: 0.5}", "given {'fit': 0.5} for split, expected: extra inputs"),
        ("data: [{source: x}]\nsplits: {fit: 0.7, calibrate: 0.4}", "leave nothing to report on"),
        ("data: [{source: x}]\naudits: {references: [rude]}", "audits.references.0"),
        ("data: [{source: x}]\ntarget_accuracy: many", "given 'many' for target_accuracy"),
    ],
)
def test_bad_study_files_are_named(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InnerjudgeError) as said:
        read_study(path)
    assert str(said.value).startswith("s.yaml: ")
    assert says in str(said.value)


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "mmlu").mkdir()
    (tmp_path / "items.jsonl").write_text("", encoding="utf-8")
    (tmp_path / "s.yaml").write_text(
        "data: [{source: items.jsonl}, {source: 'mmlu:mmlu'}, {source: builtin:rate}]\nrows: [items.jsonl]\naudits: all"
    )
    study = read_study(tmp_path / "s.yaml")
    assert [d.source for d in study.data] == [
        str(tmp_path / "items.jsonl"),
        f"mmlu:{tmp_path / 'mmlu'}",
        "builtin:rate",
    ]
    assert study.rows == (str(tmp_path / "items.jsonl"),)
    assert study.audits.distractors
    assert study.audits.references == ("none", "self", "given", "wrong")
