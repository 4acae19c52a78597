"""Steps that are kept, and go on where they stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from innerjudge.experiments.compare.steps import StepStore
from innerjudge.experiments.data.verdict_table import Row
from innerjudge.extraction import Features, Provenance


def test_steps_are_kept_until_what_they_depend_on_changes(tmp_path: Path) -> None:
    made = []

    def rows() -> list[Row]:
        made.append(1)
        return [Row(question="q", candidate="0", judge="j", score=1.0, tags={"split": "test"})]

    kept = StepStore(tmp_path, {"model": "m"})
    first = kept.rows("step", {"seed": 0}, rows)
    assert kept.rows("step", {"seed": 0}, rows) == first
    assert len(made) == 1
    kept.rows("step", {"seed": 1}, rows)
    StepStore(tmp_path, {"model": "n"}).rows("step", {"seed": 0}, rows)
    assert len(made) == 3
    assert kept.rows("none", {}, list) == kept.rows("none", {}, list) == []


def test_rows_are_made_again_where_records_beside_them_are_damaged(tmp_path: Path) -> None:
    made = []

    def rows() -> list[Row]:
        made.append(1)
        kept.records("notes", {}, lambda: [{"note": "Text is at chance."}])
        return [Row(question="q", candidate="0", judge="j", score=1.0)]

    kept = StepStore(tmp_path, {"model": "m"})
    for _ in range(2):
        kept.rows("judged", {}, rows, beside=["notes"])
    assert len(made) == 1
    [path] = (tmp_path / "steps").glob("notes-*.jsonl")
    path.write_bytes(path.read_bytes().replace(b"chance", b"choice"))
    kept.rows("judged", {}, rows, beside=["notes"])
    assert len(made) == 2
    assert kept.records("notes", {}, list) == [{"note": "Text is at chance."}]


def test_features_go_on_where_they_stopped(tmp_path: Path) -> None:
    from innerjudge.models.items import Trace

    items = [Trace(question_id=f"q{k}", candidate_id="0", prompt="", response="") for k in range(5)]
    read: list[int] = []

    def part(some, _steps) -> Features:
        if len(read) == 1 and not (tmp_path / "go").exists():
            raise KeyboardInterrupt
        read.append(len(some))
        ids = tuple(i.id for i in some)
        return Features(
            ids=ids,
            groups=ids,
            provenance=Provenance("m", None, "f", "float32", "sdpa", "none"),
            arrays={"x": np.ones((len(some), 1), np.float32)},
        )

    kept = StepStore(tmp_path, {}, part=2)
    with pytest.raises(KeyboardInterrupt):
        kept.features("items", {}, items, part)
    (tmp_path / "go").touch()
    assert kept.features("items", {}, items, part).ids == tuple(i.id for i in items)
    assert read == [2, 2, 1], "a part was read twice"


def test_nothing_is_kept_without_a_folder_and_features_are_the_same(tmp_path: Path) -> None:
    from innerjudge.models.items import Trace

    items = [Trace(question_id=f"q{k}", candidate_id="0", prompt="", response="") for k in range(5)]

    def part(some, _steps) -> Features:
        ids = tuple(i.id for i in some)
        array = np.array([[float(len(some))] for _ in some], np.float32)
        provenance = Provenance("m", None, "f", "float32", "sdpa", "none")
        return Features(ids=ids, groups=ids, provenance=provenance, arrays={"x": array})

    kept = StepStore(tmp_path / "kept", {}, part=2).features("items", {}, items, part)
    loose = StepStore(None, {}, part=2).features("items", {}, items, part)
    assert loose.ids == kept.ids
    np.testing.assert_array_equal(loose["x"], kept["x"])
    assert loose["x"].ravel().tolist() == [2, 2, 2, 2, 1]


def test_what_a_killed_run_left_half_written_goes(tmp_path: Path) -> None:
    StepStore(tmp_path, {}).rows("step", {}, list)
    (tmp_path / "steps" / "other.jsonl.tmp").touch()
    StepStore(tmp_path, {})
    assert {path.suffix for path in (tmp_path / "steps").iterdir()} == {".jsonl", ".sha256"}
