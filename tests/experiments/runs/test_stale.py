"""What is there already is kept by its content, never by its name alone; what differs is said, nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from innerjudge.experiments.runs import job as jobs
from innerjudge.extraction.store import FeatureStore

pytestmark = pytest.mark.usefixtures("no_pixels")


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def traces(off: int, n: int = 8) -> list[dict[str, Any]]:
    return [
        {
            "question_id": f"q{k // 4}",
            "candidate_id": f"{k % 4}",
            "prompt": f"{k}+{off}?",
            "response": f"<think>{k}+{off}={k}</think>{k}",
            "correct": k % 2 == 0,
        }
        for k in range(n)
    ]


RATINGS = [{"item_id": f"r{k}", "prompt": "Hi", "response": "hi " * k, "scores": [1 + k % 5]} for k in range(6)]
CHOICES = [{"question_id": f"c{k}", "question": "?", "options": ["x", "y", f"z{k}"], "answer": k % 3} for k in range(6)]
PAIRS = [
    {"pair_id": f"p{k}", "prompt": "Hi", "response_a": "a b" * k, "response_b": "c", "preference": "ab"[k % 2]}
    for k in range(6)
]


def state(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(said: Any, *words: str) -> None:
    assert said.code == 2, said.out
    assert len(said.refusal) == 1
    for word in words:
        assert word in said.err


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of a test reads the model once loaded."""
    from innerjudge.models import loading

    loaded: dict[str, Any] = {}
    load = loading.load

    def once(name: str, **options: Any) -> Any:
        if name not in loaded:
            loaded[name] = load(name, **options)
        return loaded[name]

    monkeypatch.setattr(loading, "load", once)


@pytest.mark.usefixtures("quick")
def test_edited_data_are_seen(cli, tmp_path: Path) -> None:
    data, features, judge = write(tmp_path / "t.jsonl", traces(1)), tmp_path / "f", tmp_path / "j"
    assert cli("extract", "--data", data, "--out", features).code == 0
    fit = ("fit", "--features", features, "--judge", "clue", "--out", judge)
    assert cli(*fit).code == 0
    assert "complete already" in cli(*fit).out
    refused(cli(*fit, "--limit", 4), "other limit", "choose another --out or delete it")
    score = ("score", "--judge", judge, "--data", data, "--out", tmp_path / "v.jsonl")
    rank = ("rank", "--judge", judge, "--data", data, "--out", tmp_path / "r.jsonl")
    for command in (score, rank):
        assert cli(*command).code == 0
        assert "complete already" in cli(*command).out
    write(data, traces(5))  # the same ids, other texts
    before = state(tmp_path)
    refused(cli("extract", "--data", data, "--out", features), "other items: the data were edited")
    for command in (score, rank):
        refused(cli(*command), "other texts, features, model or settings")
    assert cli("extract", "--data", data, "--out", tmp_path / "g").code == 0
    other = ("--features", tmp_path / "g")
    refused(cli("fit", *other, "--judge", "clue", "--out", judge), "other features or labels", "CLUE()")
    assert {path: blob for path, blob in state(tmp_path).items() if tmp_path / "g" not in path.parents} == before
    stored = ("score", "--judge", judge, "--out", tmp_path / "s.jsonl", "--features")
    assert cli(*stored, features).code == 0
    (tmp_path / "g").rename(tmp_path / "moved")
    features.rename(tmp_path / "g")
    (tmp_path / "moved").rename(features)
    refused(cli(*stored, features), "other texts, features, model or settings")


@pytest.mark.usefixtures("quick")
def test_features_are_limited_by_question_and_take_no_model(cli, tmp_path: Path) -> None:
    features, judge = tmp_path / "f", tmp_path / "j"
    assert cli("extract", "--data", write(tmp_path / "t.jsonl", traces(1, 12)), "--out", features).code == 0
    assert cli("fit", "--features", features, "--judge", "clue", "--device", "cpu", "--out", judge).code == 0
    for command in ("score", "rank"):
        out = tmp_path / f"{command}.jsonl"
        args = (command, "--judge", judge, "--features", features, "--out", out)
        for option in (("--batch-size", 4), ("--model", "reference"), ("--device", "cpu"), ("--dtype", "float32")):
            refused(cli(*args, *option), option[0], "no model is run")
        refused(cli(*args, "--limit", 0), "--limit 0")
        assert not out.exists()
        assert cli(*args, "--limit", 8).code == 0
        rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
        assert len(rows) == {"score": 8, "rank": 2}[command]
        assert len({row["question" if command == "score" else "question_id"] for row in rows}) == 2
        refused(cli(*args), "number of items" if command == "score" else "holds")
    (tmp_path / "thesis.tex").write_text("mine")
    refused(cli("rank", "--judge", judge, "--features", features, "--out", tmp_path / "thesis.tex"), "no ranking")
    assert (tmp_path / "thesis.tex").read_text() == "mine"


@pytest.mark.usefixtures("quick")
def test_a_judge_of_another_kind_is_refused(cli, tmp_path: Path) -> None:
    folders = {}
    for name, rows in (("rating", RATINGS), ("choice", CHOICES), ("pair", PAIRS)):
        folders[name] = tmp_path / name
        data = write(tmp_path / f"{name}.jsonl", rows)
        assert cli("extract", "--data", data, "--out", folders[name]).code == 0
    judge, out = tmp_path / "j", tmp_path / "v.jsonl"
    assert cli("fit", "--features", folders["rating"], "--judge", "e-score", "--out", judge).code == 0
    for source in (("--data", tmp_path / "choice.jsonl"), ("--features", folders["choice"])):
        refused(cli("score", "--judge", judge, *source, "--out", out), "choice items", "fitted on rating items")
    assert not out.exists()
    # Responses of pairs are rated like any other, and a judge can learn which of them people prefer.
    assert cli("score", "--judge", judge, "--features", folders["pair"], "--out", out).code == 0
    fit = ("fit", "--features", folders["pair"], "--out", tmp_path / "p", "--judge")
    refused(cli(*fit, "verdict-logits"), "both responses", "logistic-probe", "innerjudge compare")
    refused(cli(*fit, "ridge-probe"), "'ridge-probe'", "logistic-probe")
    said = cli(*fit, "logistic-probe")
    assert (said.code, "fitted on 12 items" in said.out) == (0, True), said.err
    ranked = ("rank", "--judge", tmp_path / "p", "--features", folders["pair"], "--out", tmp_path / "r.jsonl")
    assert cli(*ranked).code == 0
    assert len((tmp_path / "r.jsonl").read_text("utf-8").splitlines()) == 6


@pytest.mark.usefixtures("quick")
def test_choices_with_and_without_abstain_lines_never_mix(cli, tmp_path: Path) -> None:
    data = write(tmp_path / "c.jsonl", CHOICES)
    for name, flag in (("with", "--abstain"), ("without", "--no-abstain")):
        assert cli("extract", "--data", data, flag, "--out", tmp_path / name).code == 0
        fit = ("fit", "--features", tmp_path / name, "--judge", "qk-score-rotated", "--out", tmp_path / f"j-{name}")
        assert cli(*fit).code == 0
    assert FeatureStore.open(tmp_path / "with").features()["labels"].tolist() == [5.0] * 6
    assert FeatureStore.open(tmp_path / "without").features()["labels"].tolist() == [3.0] * 6
    refused(cli("extract", "--data", data, "--no-abstain", "--out", tmp_path / "with"), "other abstain")
    score = ("score", "--judge", tmp_path / "j-without", "--out", tmp_path / "v.jsonl")
    refused(cli(*score, "--features", tmp_path / "with"), "prompt")
    assert cli(*score, "--data", data).code == 0  # asked as it was fitted
    rows = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text("utf-8").splitlines()]
    assert {len(row["scores"]) for row in rows if row["scores"]} == {3}


@pytest.mark.usefixtures("quick")
def test_a_damaged_header_is_one_line(cli, tmp_path: Path) -> None:
    data, features = write(tmp_path / "t.jsonl", traces(1)), tmp_path / "f"
    assert cli("extract", "--data", data, "--out", features).code == 0
    other, before = write(tmp_path / "o.jsonl", traces(2)), state(features)
    for wrong in ("{", "[]", "{}", '{"kind": "trace", "scale": 3, "seed": 0}'):
        (features / jobs.HEADER).write_text(wrong)
        refused(cli("fit", "--features", features, "--judge", "clue", "--out", tmp_path / "j"), jobs.HEADER, "damaged")
        refused(cli("store", "verify", features), jobs.HEADER)
        refused(cli("extract", "--data", other, "--out", features), "other items than those that the features are of")
        assert (features / jobs.HEADER).read_text() == wrong
        assert cli("extract", "--data", data, "--out", features).code == 0  # the command that began it heals it
        assert state(features) == before
    (features / jobs.HEADER).unlink()
    refused(cli("fit", "--features", features, "--judge", "clue", "--out", tmp_path / "j"), "without job.json")
    assert not (tmp_path / "j").exists()


def test_an_output_that_cannot_be_written(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before a model is loaded: `compare` used to say so after all passes."""
    from innerjudge.models import loading

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the model was loaded first")

    monkeypatch.setattr(loading, "load", never)
    file = tmp_path / "file"
    file.write_text("mine")
    for out in ("/proc/nope", file / "x"):
        if str(out).startswith("/proc") and not Path("/proc/self").exists():
            continue
        for command in (
            ("compare", "--data", "builtin:rate"),
            ("extract", "--data", "builtin:rate"),
            ("score", "--data", "builtin:rate", "--judge", tmp_path),
            ("rank", "--data", "builtin:rate", "--judge", tmp_path),
        ):
            refused(cli(*command, "--out", out), str(out), "could not be written")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
