"""``label_widget``: the buttons of a notebook write what the keys of the command write."""

from __future__ import annotations

from pathlib import Path

import pytest
from innerjudge import InnerjudgeError, Trace, label_widget
from innerjudge.experiments.data.verdict_files import read_table

pytest.importorskip("ipywidgets")
TRACES = [
    Trace(question_id="q", candidate_id=str(c), prompt="q?", response=f"so {answer}", answer=answer, correct=None)
    for c, answer in enumerate(["2", "3", "2.0"])
]


def test_every_button(tmp_path: Path) -> None:
    said, text, row = label_widget(TRACES, tmp_path / "l.jsonl", spread=True, rater="ben").children
    right, wrong, skip, back = row.children
    assert text.value == "q?\n\nso 2"
    assert said.value == "q/0: 0 labelled or skipped, 3 left"
    right.click()  # holds for 2.0 as well
    assert said.value == "q/1: 2 labelled or skipped, 1 left"
    back.click()
    assert said.value == "q/0: 0 labelled or skipped, 3 left"
    wrong.click()
    skip.click()
    assert said.value == "nothing left: 3 labelled or skipped, 0 left"
    assert (text.value, right.disabled, back.disabled) == ("", True, False)
    table = read_table(tmp_path / "l.jsonl")
    assert dict(zip([c for _, _, c in table.items], table.labels("ben"), strict=True)) == {
        "0": False,
        "2": False,
        "1": None,
    }
    # It goes on where it was.
    assert label_widget(TRACES, tmp_path / "l.jsonl", rater="ben").children[0].value.startswith("nothing left")


def test_other_items_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InnerjudgeError, match="no traces"):
        label_widget([], tmp_path / "l.jsonl")
