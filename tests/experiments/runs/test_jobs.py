"""Steps from file to file: killed and resumed, refused where another job began, equal on both ways."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.judges import pair_judge as face
from innerjudge.experiments.reading import read as views
from innerjudge.experiments.runs import score_job as scoring
from innerjudge.experiments.runs.extracting import extract_job as run
from innerjudge.extraction import Features
from innerjudge.extraction.store import FeatureStore

TRACES = [
    {
        "question_id": f"q{k // 4}",
        "candidate_id": f"{k % 4}",
        "prompt": f"{k // 4}+1?",
        "response": f"<think>{k // 4}+1={k}</think>{k}" if k != 5 else "no markers",
        "answer": f"{k}",
        "correct": k % 4 == 1,
    }
    for k in range(12)
]


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in TRACES), "utf-8")
    return path


def same(one: Features, two: Features) -> None:
    assert one.ids == two.ids
    assert one.groups == two.groups
    assert one.missing == two.missing
    assert one.texts == two.texts
    assert one.arrays.keys() == two.arrays.keys()
    for name in one.arrays:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


def stored(folder: Path) -> Features:
    return FeatureStore.open(folder, check="checksums").features()


def stamps_in(folder: Path) -> dict[Path, int]:
    """When each file was changed, but for the lock, which is taken by every run."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("data", ["traces", "builtin:choose"])
def test_a_killed_extraction_goes_on(
    cli, traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str
) -> None:
    spec = traces if data == "traces" else data
    args = ("extract", "--data", spec, "--limit", 12, "--batch-size", 2, "--shard-items", 4, "--out")
    assert cli(*args, tmp_path / "whole").code == 0
    done = 0
    read = run.read

    def killed(lm: Any, items: Any, passes: Any) -> Features:
        nonlocal done
        done += 1
        if done == 3:
            raise KeyboardInterrupt
        return read(lm, items, passes)

    monkeypatch.setattr(run, "read", killed)
    monkeypatch.setattr(run, "bytes_to_come", lambda *_: 0)  # reads some texts to measure them
    stopped = cli(*args, tmp_path / "cut")
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1].startswith("innerjudge: stopped")
    assert len(list((tmp_path / "cut").glob("**/index/*"))) == 2
    judge = "length" if data == "traces" else "letter-logits"
    short = cli("fit", "--features", tmp_path / "cut", "--judge", judge, "--out", tmp_path / "j")
    assert short.code == 2
    assert "store.json" in short.err or "missing or damaged" in short.err
    assert cli(*args, tmp_path / "cut").code == 0
    parts = {"traces": 3, "builtin:choose": 6}[data]
    assert done == parts + 1, "a part that was there was read again"
    for inner in ("", "permuted") if data != "traces" else ("",):
        same(stored(tmp_path / "cut" / inner), stored(tmp_path / "whole" / inner))
    assert names(tmp_path / "cut") == names(tmp_path / "whole") >= {"job.json", "items.jsonl", "store.json"}

    def never(*_: Any) -> Features:
        raise AssertionError("a complete folder was read again")

    monkeypatch.setattr(run, "read", never)
    stamps = stamps_in(tmp_path / "cut")
    again = cli(*args, tmp_path / "cut")
    assert (again.code, again.out.strip()) == (0, f"{tmp_path / 'cut'} is complete already: 12 items.")
    assert stamps_in(tmp_path / "cut") == stamps
    other = cli(*(*args[:3], "--seed", 9, "--limit", 8, "--shard-items", 4, "--out"), tmp_path / "cut")
    assert other.code == 2
    assert "begun by another job (other limit, seed)" in other.err
    assert stamps_in(tmp_path / "cut") == stamps


def test_score_from_features_and_from_data_agree(cli, traces: Path, tmp_path: Path) -> None:
    assert cli("extract", "--data", traces, "--out", tmp_path / "features").code == 0
    for judge in ("clue", "logistic-probe", "lager", "token-log-probability"):
        folder = tmp_path / judge
        assert cli("fit", "--features", tmp_path / "features", "--judge", judge, "--out", folder).code == 0
        again = cli("fit", "--features", tmp_path / "features", "--judge", judge, "--out", folder)
        assert (again.code, again.out.strip()) == (0, f"{folder} is complete already.")
        stored, live = tmp_path / f"{judge}.stored", tmp_path / f"{judge}.live"
        assert cli("score", "--judge", folder, "--features", tmp_path / "features", "--out", stored).code == 0
        assert cli("score", "--judge", folder, "--data", traces, "--batch-size", 3, "--out", live).code == 0
        one, two = rows_of(stored), rows_of(live)
        assert [(r["question"], r["candidate"]) for r in one] == [(t["question_id"], t["candidate_id"]) for t in TRACES]
        for a, b in zip(one, two, strict=True):
            assert (a["unscored"], a["label"], a["truth"]) == (b["unscored"], b["label"], b["truth"])
            assert a["score"] == pytest.approx(b["score"], abs=1e-3)
    stamp = live.stat().st_mtime_ns
    assert "complete already" in cli("score", "--judge", folder, "--data", traces, "--out", live).out
    assert live.stat().st_mtime_ns == stamp
    other = cli("score", "--judge", tmp_path / "clue", "--data", traces, "--out", live)
    assert other.code == 2
    assert "holds something else" in other.err
    assert live.stat().st_mtime_ns == stamp


def test_answers_to_a_question_are_scored_together(
    cli, traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "PART", 3)
    assert cli("extract", "--data", traces, "--read", "eigenscore", "--out", tmp_path / "features").code == 0
    folder = tmp_path / "judge"
    assert cli("fit", "--features", tmp_path / "features", "--judge", "eigenscore", "--out", folder).code == 0
    assert cli("score", "--judge", folder, "--features", tmp_path / "features", "--out", tmp_path / "stored").code == 0
    assert cli("score", "--judge", folder, "--data", traces, "--batch-size", 3, "--out", tmp_path / "live").code == 0
    by_question = defaultdict(set)
    for one, two in zip(rows_of(tmp_path / "stored"), rows_of(tmp_path / "live"), strict=True):
        assert one["unscored"] == two["unscored"]
        assert one["score"] == (None if two["score"] is None else pytest.approx(two["score"], abs=1e-3))
        by_question[one["question"]] |= {one["score"]}
    assert all(len(scores - {None}) == 1 for scores in by_question.values())


def test_a_cut_score_goes_on(cli, traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "PART", 4)
    assert cli("extract", "--data", traces, "--out", tmp_path / "features").code == 0
    assert cli("fit", "--features", tmp_path / "features", "--judge", "lager", "--out", tmp_path / "lager").code == 0
    assert cli("fit", "--features", tmp_path / "features", "--judge", "length", "--out", tmp_path / "length").code == 0
    args = ("score", "--judge", tmp_path / "lager", "--data", traces, "--out")
    assert cli(*args, tmp_path / "whole").code == 0
    chunks: list[int] = []
    read = views.read

    def counted(lm: Any, items: Any, passes: views.Passes) -> Features:
        chunks.append(len(items))
        if len(chunks) == 3:
            raise KeyboardInterrupt
        return read(lm, items, passes)

    monkeypatch.setattr(face, "read", counted)
    assert cli(*args, tmp_path / "cut").code == 130
    assert not (tmp_path / "cut").exists()
    part = tmp_path / "cut.part"
    lines = part.read_text("utf-8").splitlines(keepends=True)
    assert len(lines) == 1 + 8
    part.write_text("".join(lines[:-1]) + lines[-1][:20], "utf-8")  # the disk kept half of the last line
    other = cli("score", "--judge", tmp_path / "length", "--data", traces, "--out", tmp_path / "cut")
    assert other.code == 2
    assert "begun by another job" in other.err
    assert len(part.read_text("utf-8").splitlines()) == 9
    assert cli(*args, tmp_path / "cut").code == 0
    assert len(chunks) == 5, "the chunk that was whole was read again, or the cut one was not"
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()
    assert not part.exists()


def test_rank(cli, traces: Path, tmp_path: Path) -> None:
    assert cli("extract", "--data", traces, "--out", tmp_path / "features").code == 0
    assert cli("fit", "--features", tmp_path / "features", "--judge", "clue-margin", "--out", tmp_path / "j").code == 0
    for name, source in (("live", ("--data", traces)), ("stored", ("--features", tmp_path / "features"))):
        out = tmp_path / f"{name}.jsonl"
        assert cli("rank", "--judge", tmp_path / "j", *source, "--out", out).code == 0
        rows = rows_of(out)
        assert [row["question_id"] for row in rows] == ["q0", "q1", "q2"]
        verdicts = {f"{v['question']}/{v['candidate']}": v for v in rows_of(Path(f"{out}.verdicts.jsonl"))}
        assert len(verdicts) == 12
        for row in rows:
            scores = [one["score"] for one in row["ranking"]]
            assert scores == sorted(scores, reverse=True)
            assert [one["rank"] for one in row["ranking"]] == list(range(1, len(scores) + 1))
            assert all(verdicts[one["id"]]["score"] == one["score"] for one in row["ranking"])
            assert all(one["answer"] == TRACES[int(one["answer"])]["answer"] for one in row["ranking"])
        assert [len(row["ranking"]) for row in rows] == [4, 3, 4]
        assert [row["unscored"] for row in rows][::2] == [[], []]
        (lost,) = rows[1]["unscored"]
        assert lost["id"] == "q1/1"
        assert "<think>" in lost["reason"]


def test_sampled_items_are_kept_with_their_ids(cli, tmp_path: Path) -> None:
    args = ("extract", "--data", "builtin:solve", "--limit", 2, "--candidates", 2, "--out", tmp_path / "f")
    assert cli(*args).code == 0
    items = rows_of(tmp_path / "f" / "items.jsonl")
    assert len(items) == 4
    assert all(item["response_ids"] and isinstance(item["correct"], bool) for item in items)
