"""Kept steps are thrown away, aloud, when something else makes the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from innerjudge.experiments.compare import steps as steps_module
from innerjudge.experiments.compare.steps import MADE_WITH, StepStore, made_with, renew
from innerjudge.experiments.data.verdict_table import Row

NOW = {"innerjudge": "0.2.0", "torch": "2.1", "code": "abc"}


def step(folder: Path) -> None:
    (folder / "steps").mkdir(parents=True, exist_ok=True)
    (folder / "steps" / "judged.jsonl").touch()


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (NOW | {"torch": "2.0"}, "made with torch 2.0, now 2.1"),
        (NOW | {"innerjudge": "0.1.0", "code": "xyz"}, "made with innerjudge 0.1.0, now 0.2.0"),
        (NOW | {"code": "xyz"}, "made with other code of innerjudge 0.2.0"),
        ({"innerjudge": "0.2.0", "code": "abc"}, "made with torch missing, now 2.1"),
    ],
)
def test_what_changed_is_named(tmp_path: Path, before: dict[str, str], why: str) -> None:
    assert renew(tmp_path, before) is None
    step(tmp_path)
    assert renew(tmp_path, before) is None
    assert (tmp_path / "steps").exists()
    assert renew(tmp_path, NOW) == f"1 kept step was thrown away: {why}."
    assert not (tmp_path / "steps").exists()
    assert renew(tmp_path, NOW) is None


@pytest.mark.parametrize("note", [None, "", "{", "[1]", "\udcff"])
def test_steps_of_which_nothing_is_known_are_thrown_away(tmp_path: Path, note: str | None) -> None:
    step(tmp_path)
    if note is not None:
        (tmp_path / MADE_WITH).write_bytes(note.encode("utf-8", "surrogateescape"))
    said = renew(tmp_path, NOW)
    assert said == "1 kept step was thrown away: the versions they were made with are not recorded."
    assert renew(tmp_path, NOW) is None


def test_a_step_is_made_again_by_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def rows() -> list[Row]:
        made.append(1)
        return [Row(question="q", candidate="0", judge="j", score=1.0)]

    said = []
    for code, times in (("a", 1), ("a", 1), ("b", 2), ("b", 2)):
        monkeypatch.setattr(steps_module, "made_with", lambda code=code: NOW | {"code": code})
        kept = StepStore(tmp_path, {})
        kept.rows("step", {}, rows)
        assert len(made) == times
        said.append(kept.lost)
    assert [one is not None for one in said] == [False, False, True, False]


def test_every_library_that_makes_numbers_is_in_it() -> None:
    assert {"innerjudge", "torch", "transformers", "code"} <= made_with().keys()
