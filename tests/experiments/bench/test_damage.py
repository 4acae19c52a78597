"""The damage test: a short one passes, and what nobody seals is called silent."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from innerjudge.experiments.bench.damage.__main__ import FILE, main
from innerjudge.experiments.bench.damage.artefacts import (
    ARTEFACTS,
    KILLED,
    MADE,
    SAID,
    Artefact,
    inputs_of,
    make,
    matching,
    typed_of,
)
from innerjudge.experiments.bench.damage.flips import OUTCOMES, flip
from innerjudge.experiments.bench.damage.kills import kill, left_by
from innerjudge.experiments.bench.damage.typed import Ended, Typist
from innerjudge.experiments.cli.main import app
from innerjudge.experiments.cli.store import store_app
from typer.main import get_command

VERDICTS = next(one for one in ARTEFACTS if one.name == "verdicts")


@pytest.fixture(scope="module")
def typist() -> Iterator[Typist]:
    """One for all tests: it imports everything first."""
    with Typist() as found:
        yield found


def test_a_short_run_loses_nothing_and_a_part_keeps_the_rest(
    typist: Typist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innerjudge.experiments.bench.damage.__main__.Typist", lambda: nullcontext(typist))
    out = tmp_path / "d.md"
    few = ["--flips", "1", "--kills", "2", "--jobs", "1", "--out", str(out)]
    assert main([*few, "--only", "part of score", "--only", "select"]) == 0
    record = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert [one["artefact"] for one in record["flips"]] == ["part of score", "store that select reads"]
    (killed,) = record["kills"]
    assert (killed["command"], killed["kills"], killed["at_changes"], killed["same"]) == ("select", 2, 2, 4)
    assert "| part of score | 1 | 1 | 1 |" in out.read_text("utf-8")
    assert "| `innerjudge select` | 2 | 2 | 4 | 0 |" in out.read_text("utf-8")
    # Another part: its rows come in the order of the table, and the others stay.
    assert main([*few, "--only", "judges", "--only", "picks"]) == 0
    joined = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert joined["flips"][:2] == record["flips"]
    assert [one["artefact"] for one in joined["flips"][2:]] == ["picks"]
    assert joined["kills"][0] == killed
    assert [one["command"] for one in joined["kills"][1:]] == ["judges"]
    assert not out.with_suffix(".part.json").exists()
    # Rows of other numbers are no part of this table.
    with pytest.raises(SystemExit):
        main(["--flips", "2", "--kills", "2", "--out", str(out), "--only", "judges"])
    assert json.loads(out.with_suffix(".json").read_text("utf-8")) == joined


def test_what_is_half_written_is_called_lost(typist: Typist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is refused once a killed run left something, and one that leaves something itself."""
    monkeypatch.setitem(MADE, "careless", ("look", "traces.jsonl", "--out", "x"))  # no such option: it ends with 2
    base = tmp_path / "base"
    make(base, typist, [])
    with pytest.raises(SystemExit, match="careless"):
        kill("careless", base, tmp_path / "a", typist, 1, 0)
    found = kill("select", _with_verdicts(base), tmp_path / "b", typist, 1, 0)
    assert (found.kills, found.lost) == (1, [])
    left = tmp_path / "left"
    left.mkdir()
    (left / "picks.jsonl.part").touch()
    (left / ".innerjudge-x").mkdir()
    (left / "index").mkdir()
    (left / "index" / "0.parquet").touch()
    assert left_by("select", left, Ended(0, "said", "", 0.0)) == ({"picks.jsonl.part": b"", ".innerjudge-x": b""}, "")
    assert left_by("look", left, Ended(0, "said", "", 0.0))[1] == "said"


def _with_verdicts(base: Path) -> Path:
    rows = [
        {"question": f"q{k // 2}", "candidate": str(k % 2), "judge": "j", "answer": "a", "score": k / 9, "truth": True}
        for k in range(20)
    ]
    (base / "verdicts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return base


def test_changes_are_counted_and_killed_at(typist: Typist, tmp_path: Path) -> None:
    """A selection opens a file aside, makes and fills that of the checksum, renames, deletes what is aside, seals."""
    base = tmp_path / "base"
    make(base, typist, [])
    _with_verdicts(base)
    typed = MADE["select"]
    whole = typist.run(base, typed)
    assert (whole.code, whole.refused) == (0, False)
    names = {path.name for path in base.iterdir()}
    for path in base.glob("picks*"):
        path.unlink()
    left = []
    for place in range(1, whole.changes + 1):
        assert typist.run(base, typed, kill_at=place).code == -signal.SIGKILL
        left.append({path.name for path in base.glob("picks*")})
        for path in base.glob("picks*"):
            path.unlink()
    assert left[-6:] == [
        set(),
        {"picks.jsonl.tmp"},
        *[{"picks.jsonl.tmp", "picks.jsonl.sha256"}] * 2,
        *[{"picks.jsonl", "picks.jsonl.sha256"}] * 2,
    ]
    assert typist.run(base, typed, kill_at=whole.changes + 1).code == 0
    assert {path.name for path in base.iterdir()} == names


def test_what_nobody_seals_is_called_silent(typist: Typist, tmp_path: Path) -> None:
    """A verdict file without its checksum may be anybody's: a digit that changes is believed, and the test sees it."""
    rows = [{"question_id": f"q{k}", "candidate_id": "0", "answer": "a", "score": 0.123456789} for k in range(20)]
    (tmp_path / "v.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    bare = replace(VERDICTS, files=("v.jsonl",), readers=(("select", "--scores", "v.jsonl", "--out", "read/p.jsonl"),))
    found = flip(replace(bare, again=False, outcome=()), tmp_path, typist, flips=30, seed=0)
    assert found.rounds["silent"] > 0
    assert found.rounds["noticed"] > 3
    assert found.worst


def test_every_command_is_there() -> None:
    """All but ``serve``, which ends when it is told to."""
    commands = {name for name in get_command(app).list_commands(None) if name != "store"}  # type: ignore[attr-defined]
    commands |= {f"store {name}" for name in get_command(store_app).list_commands(None)}  # type: ignore[attr-defined]
    killed = {" ".join(typed_of(name)[: 1 + (typed_of(name)[0] == "store")]) for name in KILLED}
    assert killed == commands - {"serve"}
    assert all(("--out" in typed_of(name)) != (name in SAID) for name in KILLED)


def test_what_a_command_is_given_is_made_first() -> None:
    assert inputs_of(MADE["sample"]) == ["fit"]
    assert inputs_of(MADE["sweep"]) == ["extract"]
    assert inputs_of(MADE["store merge"]) == ["extract traces", "extract others"]
    assert inputs_of(("select", "--scores", "ranking.jsonl.verdicts.jsonl", "--out", "read/p")) == ["rank"]
    assert inputs_of(("diff", "comparison", "study", "--all")) == ["compare", "study"]
    assert inputs_of(typed_of("agree")) == ["ask", "label"]
    assert inputs_of(MADE["study"]) == inputs_of(MADE["extract"]) == []


@pytest.mark.skipif(
    not FILE.with_suffix(".json").is_file(),
    reason="the table is not there yet: `python -m innerjudge.experiments.bench.damage` takes hours",
)
def test_the_committed_table_has_no_silence() -> None:
    record = json.loads(FILE.with_suffix(".json").read_text("utf-8"))
    assert {one["artefact"] for one in record["flips"]} == {one.name for one in ARTEFACTS}
    assert {one["command"] for one in record["kills"]} == {*KILLED}
    for one in record["flips"]:
        assert set(one["rounds"]) == set(OUTCOMES)
        assert one["rounds"]["silent"] == 0
        assert one["flips"] >= 200 * one["files"] * 0.9  # empty files have no byte to flip
    for one in record["kills"]:
        assert one["kills"] == 20
        assert (one["at_changes"] > 0) == (one["command"] not in SAID)
        assert one["same"] == one["kills"] + one["at_changes"]
        assert not one["lost"]


@pytest.mark.parametrize("pattern", ["a*", "**/*"])
def test_locks_hold_nothing(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "a.json").touch()
    (tmp_path / "lock").touch()
    assert [path.name for path in matching(tmp_path, [pattern])] == ["a.json"]
    assert isinstance(VERDICTS, Artefact)
