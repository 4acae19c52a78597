"""A promise from file to file: half of the questions calibrate it, it is saved with the judge, sampling acts by it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from innerjudge import calibrate
from innerjudge.experiments.data.splits import split_by_group
from innerjudge.experiments.judges import saved
from innerjudge.experiments.judges.sample_and_judge import Saved
from innerjudge.extraction.store import FeatureStore
from innerjudge.models.loading import LanguageModel

TRACES = [
    {
        "question_id": f"q{q}",
        "candidate_id": f"{c}",
        "prompt": f"Start with {q}. Add 1.",
        "response": f"<think>{q}+1={q + 1 + c}</think>{q + 1 + c}",
        "correct": c == 0,
    }
    for q in range(30)
    for c in range(2)
]
PROMISE = ("--lose-at-most", 0.3, "--confidence", 0.8)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from innerjudge.experiments.cli.main import app

    folder = tmp_path_factory.mktemp("promised")
    (folder / "traces.jsonl").write_text("".join(json.dumps(row) + "\n" for row in TRACES), "utf-8")
    app(
        ["extract", "--data", str(folder / "traces.jsonl"), "--out", str(folder / "f"), "--log", "plain"],
        standalone_mode=False,
    )
    return folder / "f"


def test_no_question_of_the_fit_calibrates(cli, features: Path, tmp_path: Path) -> None:
    out = tmp_path / "judge"
    done = cli("fit", "--features", features, "--judge", "clue-margin", *PROMISE, "--out", out)
    assert done.code == 0, done.err
    judge = saved.load(out)[0]
    store = FeatureStore.open(features)
    everything, labels = store.features(judge.reads), np.array([row["correct"] for row in TRACES])
    fit, held = split_by_group(list(everything.groups), train_fraction=0.5, seed=0)
    refit = type(judge)(rank_by="margin").fit(everything[fit], labels[fit])
    scores = refit.decision_function(everything[held])
    groups = [everything.groups[k] for k in held]
    mine = calibrate(scores, labels[held], groups, risk="lost good answers", level=0.3, confidence=0.8)
    promise = judge.promised()
    assert promise is not None
    assert (promise.threshold, promise.questions) == (pytest.approx(mine.threshold, abs=1e-9), 15)
    assert str(promise) in done.out
    assert str(promise) in (out / "README.md").read_text("utf-8")
    assert (
        "complete already" in cli("fit", "--features", features, "--judge", "clue-margin", *PROMISE, "--out", out).out
    )
    other = cli("fit", "--features", features, "--judge", "clue-margin", "--lose-at-most", 0.4, "--out", out)
    assert (other.code, "other promise" in other.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--lose-at-most", 0.05), "given 15 questions beside the fit for a level of 0.05, expected at least 59"),
        (("--lose-at-most", 0.05, "--confidence", 0), "expected at least 19"),
        (("--lose-at-most", 0.3, "--wrong-at-most", 0.3), "expected one of them"),
        (("--lose-at-most", 1.5), "given a level of 1.5 and --confidence 0.95, expected numbers between 0 and 1"),
        (("--wrong-at-most", 0.01, "--confidence", 0.1), "given 12 questions to test on, of which too many"),
    ],
)
def test_what_cannot_be_promised_is_refused(cli, features: Path, tmp_path: Path, options, said: str) -> None:
    done = cli("fit", "--features", features, "--judge", "clue-margin", *options, "--out", tmp_path / "judge")
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "judge").exists()


def test_sampling_acts_by_the_promise(cli, features: Path, tmp_path: Path) -> None:
    judge, out = tmp_path / "judge", tmp_path / "answers.jsonl"
    cli("fit", "--features", features, "--judge", "clue-margin", *PROMISE, "--out", judge)
    sample = ("sample", "--judge", judge, "--data", "builtin:solve", "--limit", 3, "--n", 2, "--out", out)
    done = cli(*sample, "--lose-at-most", 0.3)
    assert done.code == 0, done.err
    promise = saved.load(judge)[0].promised()
    assert promise is not None
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    scored = [row for row in rows if row["score"] is not None]
    assert scored
    for row in scored:
        assert ("rejected" in row) == (not promise.keeps(row["score"]))
    stopped = sum("rejected" in row for row in rows)
    assert f"{stopped} of them were stopped, which saved about" in done.out
    for options, said in (
        (("--lose-at-most", 0.1), "that promises at most 0.3 of lost good answers"),
        (("--lose-at-most", 0.3, "--reject-below", 0.0), "expected one of them"),
    ):
        refused = cli(*sample[:-1], tmp_path / "no.jsonl", *options)
        assert refused.code == 2
        assert said in refused.err
    plain = tmp_path / "plain"
    cli("fit", "--features", features, "--judge", "clue-margin", "--out", plain)
    refused = cli("sample", "--judge", plain, *sample[3:], "--lose-at-most", 0.3)
    assert "with a judge without a promise" in refused.err


def test_a_promise_along_a_role_from_file_to_file(cli, tmp_path: Path) -> None:
    role = "reasoning/segment(2)"
    (tmp_path / "traces.jsonl").write_text("".join(json.dumps(row) + "\n" for row in TRACES), "utf-8")
    extract = ("extract", "--data", tmp_path / "traces.jsonl", "--out", tmp_path / "f", "--log", "plain")
    done = cli(*extract, "--read", f"hidden/{role}.last")
    assert done.code == 0, done.err
    fit = ("fit", "--features", tmp_path / "f", "--judge", "clue-margin", *PROMISE, "--out")
    done = cli(*fit, tmp_path / "judge", "--along", role)
    assert done.code == 0, done.err
    promise = saved.load(tmp_path / "judge")[0].promised()
    assert promise is not None
    assert promise.along == role
    assert str(promise) in done.out
    assert f"at their lowest over {role} and the end" in (tmp_path / "judge" / "README.md").read_text("utf-8")
    assert "other promise" in cli(*fit, tmp_path / "judge").err
    store = FeatureStore.open(tmp_path / "f")
    everything, labels = store.features(), np.array([row["correct"] for row in TRACES])
    _, held = split_by_group(list(everything.groups), train_fraction=0.5, seed=0)
    judge = saved.load(tmp_path / "judge")[0]
    mine = judge.promise(
        everything[held], labels[held], risk="lost good answers", level=0.3, confidence=0.8, along=role
    )
    assert (mine.threshold, mine.questions) == (promise.threshold, 15)
    out = tmp_path / "answers.jsonl"
    sample = ("sample", "--judge", tmp_path / "judge", "--data", "builtin:solve", "--limit", 3, "--n", 2, "--out", out)
    done = cli(*sample, "--lose-at-most", 0.3)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    stopped = sum("rejected" in row for row in rows)
    assert f"{stopped} of them were stopped, which saved about" in done.out
    for command, said in (
        ((*fit, tmp_path / "no", "--along", "reasoning/segment(3)"), "--read 'hidden/reasoning/segment(3).last'"),
        ((*fit, tmp_path / "no", "--along", "response/segment(2)"), "reads the end of that part"),
        ((*fit[:5], "--out", tmp_path / "no", "--along", role), "without --lose-at-most"),
    ):
        done = cli(*command)
        assert (done.code, said in done.err) == (2, True), done.err


def test_a_promise_of_bad_answers_from_file_to_file(cli, tmp_path: Path) -> None:
    """Fitted with the promise, sampled with exits by it, and the rows say which answers left their reasoning."""
    role, data = "reasoning/segment(2)", tmp_path / "traces.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in TRACES), "utf-8")
    done = cli("extract", "--data", data, "--out", tmp_path / "f", "--log", "plain", "--read", f"hidden/{role}.last")
    assert done.code == 0, done.err
    fit = ("fit", "--features", tmp_path / "f", "--judge", "clue-margin", "--confidence", 0.8, "--out")
    done = cli(*fit, tmp_path / "judge", "--pass-at-most", 0.6, "--along", role)
    assert done.code == 0, done.err
    promise = saved.load(tmp_path / "judge")[0].promised()
    assert promise is not None
    assert (promise.risk, promise.level, promise.along) == ("passed bad answers", 0.6, role)
    assert str(promise) in done.out
    assert f"at their highest over {role} and the end" in (tmp_path / "judge" / "README.md").read_text("utf-8")
    sample = ("sample", "--judge", tmp_path / "judge", "--data", "builtin:solve", "--limit", 4, "--n", 2, "--out")
    done = cli(*sample, tmp_path / "answers.jsonl", "--pass-at-most", 0.6)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()]
    exited = sum("exited" in row for row in rows)
    assert f"0 of them were stopped, {exited} left their reasoning early" in done.out
    number = ("--exit-above", -1e9, "--along", role, "--reject-below", -1e9)
    done = cli(*sample, tmp_path / "all.jsonl", *number)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text("utf-8").splitlines()]
    assert sum("on the way, -1e+09 or more" in row.get("exited", "") for row in rows) > 4
    assert all(row["score"] is None or row["correct"] in (True, False) for row in rows)
    for command, said in (
        ((*sample, "no", "--pass-at-most", 0.1), "that promises at most 0.6 of passed bad answers"),
        ((*sample, "no", "--pass-at-most", 0.6, "--exit-above", 0), "given --pass-at-most and --exit-above"),
        ((*sample, "no", "--lose-at-most", 0.6), "of passed bad answers, expected one that promises"),
        ((*sample, "no", "--exit-above", 0), "expected a role of the reasoning to exit along"),
        ((*fit, "no", "--pass-at-most", 0.6, "--lose-at-most", 0.6), "a judge has one promise"),
        ((*fit, "no", "--wrong-at-most", 0.6, "--along", role), "without --lose-at-most or --pass-at-most"),
    ):
        done = cli(*command)
        assert (done.code, said in done.err) == (2, True), done.err


def test_tokens_saved_by_hand(reference: LanguageModel) -> None:
    after = [len(reference.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in ("12", "ok 36")]
    answers: list[tuple[str, dict[str, str]]] = [
        ("<think>1</think>", {"rejected": "no"}),
        ("<think>2</think>12", {}),
        ("<think>3</think>ok 36", {}),
        ("4", {}),
    ]
    found = Saved.of(reference, answers, "</think>")
    # One of four was stopped; the two others that close their reasoning write so many tokens after it on average.
    assert found == (1, sum(after) / 2, 0)
    sizes = [len(reference.tokenizer(text, add_special_tokens=False)["input_ids"]) for text, _ in answers]
    short = len(reference.tokenizer("<think>5", add_special_tokens=False)["input_ids"])
    # One that was stopped within its reasoning: the two others that are longer ("4" is not) write so much more.
    more = Saved.of(reference, [("<think>5", {"rejected": "no"}), *answers[1:]], "</think>")
    assert sizes[3] <= short < min(sizes[1:3])
    assert more == (1, sum(sizes[1:3]) / 2 - short, 0)
    assert Saved.of(reference, answers[:1], "</think>") == (1, 0, 0)
    # One that left its reasoning early, and wrote 6=6 after it: of the others one reasoned longer, by 10 tokens (each
    # character is one), and answered with 2 fewer: 8 saved.
    left, long = ("<think>6</think>6=6", {"exited": "yes"}), ("<think>6+1=7;7+1=8</think>8", {})
    assert len(reference.tokenizer("+1=7;7+1=8", add_special_tokens=False)["input_ids"]) == 10
    assert Saved.of(reference, [left, long, *answers[1:]], "</think>") == (0, 8, 1)
    # One that went on behind the marker for longer than that has saved less than nothing.
    on = ("<think>6</think>+1=7;7+1=8;8+0=8", {"exited": "yes"})
    assert Saved.of(reference, [on, long, *answers[1:]], "</think>") == (0, 10 + 1 - 16, 1)
    assert Saved.of(reference, [left, ("4", {})], "</think>") == (0, 0, 1)
