"""The damage test: a short one passes, and what nobody seals is called silent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from innerjudge.experiments.bench.damage.__main__ import FILE, main
from innerjudge.experiments.bench.damage.artefacts import ARTEFACTS, KILLED, MADE, Artefact, matching
from innerjudge.experiments.bench.damage.flips import OUTCOMES, flip
from innerjudge.experiments.bench.damage.typed import Typist

VERDICTS = next(one for one in ARTEFACTS if one.name == "verdicts")


def test_a_short_run_loses_nothing(tmp_path: Path) -> None:
    out = tmp_path / "d.md"
    assert main(["--flips", "1", "--kills", "1", "--only", "score", "--out", str(out)]) == 0
    record = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert [one["artefact"] for one in record["flips"]] == ["part of score"]
    assert [one["command"] for one in record["kills"]] == ["score", "score items"]
    assert all(one["same"] == one["kills"] == 1 and not one["lost"] for one in record["kills"])
    assert "| part of score | 1 | 1 | 1 |" in out.read_text("utf-8")


def test_what_nobody_seals_is_called_silent(tmp_path: Path) -> None:
    """A verdict file without its checksum may be anybody's: a digit that changes is believed, and the test sees it."""
    rows = [{"question_id": f"q{k}", "candidate_id": "0", "answer": "a", "score": 0.123456789} for k in range(20)]
    (tmp_path / "v.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    bare = replace(VERDICTS, files=("v.jsonl",), readers=(("select", "--scores", "v.jsonl", "--out", "read/p.jsonl"),))
    with Typist() as typist:
        found = flip(replace(bare, again=False, outcome=()), tmp_path, typist, flips=30, seed=0)
    assert found.rounds["silent"] > 0
    assert found.rounds["noticed"] > 3
    assert found.worst


def test_every_command_that_writes_is_there() -> None:
    made = {typed[0] for typed in MADE.values()}
    assert (
        made == {MADE[name][0] for name in KILLED} == {"extract", "fit", "score", "sample", "sweep", "compare", "study"}
    )


@pytest.mark.skipif(
    not FILE.with_suffix(".json").is_file(),
    reason="the table is not there yet: `python -m innerjudge.experiments.bench.damage` takes hours",
)
def test_the_committed_table_has_no_silence() -> None:
    record = json.loads(FILE.with_suffix(".json").read_text("utf-8"))
    assert {one["artefact"] for one in record["flips"]} == {one.name for one in ARTEFACTS}
    assert {one["command"] for one in record["kills"]} == KILLED.keys()
    for one in record["flips"]:
        assert set(one["rounds"]) == set(OUTCOMES)
        assert one["rounds"]["silent"] == 0
        assert one["flips"] >= 200 * one["files"] * 0.9  # empty files have no byte to flip
    for one in record["kills"]:
        assert one["kills"] == one["same"] == 20
        assert not one["lost"]


@pytest.mark.parametrize("pattern", ["a*", "**/*"])
def test_locks_hold_nothing(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "a.json").touch()
    (tmp_path / "lock").touch()
    assert [path.name for path in matching(tmp_path, [pattern])] == ["a.json"]
    assert isinstance(VERDICTS, Artefact)
