"""``fit --labels-from``: labels of one rater, or of several put together, stand for those of the traces."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from innerjudge import CLUE, stats
from innerjudge.experiments.judges import saved
from innerjudge.extraction.store import FeatureStore

#: Labels of the items are upside down, to see that none of them is used.
TRACES = [
    {
        "question_id": f"q{q}",
        "candidate_id": f"{c}",
        "prompt": f"Start with {q}. Add 1.",
        "response": f"<think>{q}+1={q + 1 + c}</think>{q + 1 + c}",
        "correct": c != 0,
    }
    for q in range(12)
    for c in range(2)
]
TRUTH = [not row["correct"] for row in TRACES]


def said(folder: Path, name: str, labels: list[object], data: str = "") -> Path:
    """A file of verdicts by one judge."""
    rows = [
        {"data": data, "question": row["question_id"], "candidate": row["candidate_id"], "judge": name, "label": label}
        for row, label in zip(TRACES, labels, strict=True)
        if label is not None
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder / f"{name}.jsonl"


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from innerjudge.experiments.cli.main import app

    folder = tmp_path_factory.mktemp("given")
    (folder / "traces.jsonl").write_text("".join(json.dumps(row) + "\n" for row in TRACES), "utf-8")
    data, out = str(folder / "traces.jsonl"), str(folder / "f")
    app(["extract", "--data", data, "--out", out, "--log", "plain"], standalone_mode=False)
    return folder / "f"


def test_labels_of_one_rater_stand_for_those_of_the_traces(cli, features: Path, tmp_path: Path) -> None:
    anna = said(tmp_path, "anna", [v if k < 16 else None for k, v in enumerate(TRUTH)], data="any.jsonl")
    out = tmp_path / "judge"
    done = cli("fit", "--features", features, "--judge", "clue", "--labels-from", anna, "--out", out)
    assert (done.code, "fitted on 16 items" in done.out) == (0, True), done.err
    store = FeatureStore.open(features)
    mine = CLUE().fit(store.features(CLUE().reads, np.arange(16)), np.array(TRUTH[:16]))
    assert np.array_equal(saved.load(out)[0].centroids_, mine.centroids_)
    again = cli("fit", "--features", features, "--judge", "clue", "--labels-from", anna, "--out", out)
    assert "complete already" in again.out
    other = cli("fit", "--features", features, "--judge", "clue", "--out", out)
    assert (other.code, "features or labels" in other.err) == (2, True), "other labels are another fit"


def test_several_raters_become_one_label(cli, features: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = {
        name: [bool(t) if rng.random() < right else not t for t in TRUTH]
        for name, right in (("anna", 0.9), ("ben", 0.8), ("cleo", 0.7))
    }
    files = [one for name, its in labels.items() for one in ("--labels-from", said(tmp_path, name, its))]
    typed = ("fit", "--features", features, "--judge", "clue", *files)
    voted = cli(*typed, "--out", tmp_path / "vote")
    assert voted.code == 0, voted.err
    vote = [one[True] > 0.5 for one in stats.aggregate(labels, "vote").labels]
    store = FeatureStore.open(features)
    mine = CLUE().fit(store.features(CLUE().reads), np.array(vote))
    assert np.array_equal(saved.load(tmp_path / "vote")[0].centroids_, mine.centroids_)
    for how in ("mean", "one-coin", "dawid-skene"):
        done = cli(*typed, "--aggregate", how, "--out", tmp_path / how)
        assert (done.code, "fitted on 24 items" in done.out) == (0, True), done.err
        soft = [label[True] for label in stats.aggregate(labels, how).labels]  # type: ignore[arg-type]
        mine = CLUE().fit(store.features(CLUE().reads), np.array(soft))
        assert np.allclose(saved.load(tmp_path / how)[0].centroids_, mine.centroids_), "the soft labels themselves"
    one = cli(*typed, "--rater", "ben", "--out", tmp_path / "ben")
    assert one.code == 0, one.err
    mine = CLUE().fit(store.features(CLUE().reads), np.array(labels["ben"]))
    assert np.array_equal(saved.load(tmp_path / "ben")[0].centroids_, mine.centroids_)


def test_labels_that_are_not_sure_are_told_to_the_fit(features: Path, tmp_path: Path) -> None:
    from innerjudge.experiments.runs.fit_job import _relabelled
    from innerjudge.experiments.runs.job import read_items_of

    by = {"anna": [True, False, True], "ben": [True, False, False]}
    files = [said(tmp_path, name, [*its, *[None] * (len(TRACES) - 3)]) for name, its in by.items()]
    items = _relabelled(read_items_of(features), files, (), "mean")
    assert [(i.correct, i.extra["p_correct"]) for i in items[:4]] == [
        (True, None),
        (False, None),
        (True, 0.5),
        (None, None),
    ]
    own = replace(
        read_items_of(features)[0], steps=(TRACES[0]["response"],), step_labels=(True,), extra={"span_labels": [True]}
    )
    (item,) = _relabelled([own], files, (), "mean")
    assert (item.correct, item.step_labels, item.first_error, item.extra["span_labels"]) == (True, None, None, None)


@pytest.mark.parametrize(
    ("labels", "more", "message"),
    [
        ([1.0] * 24, (), "labels by nobody"),  # numbers are no labels
        (TRUTH, ("--rater", "ben"), "expected one who labels in the files: anna"),
        (TRUTH, ("--aggregate", "dawid-skene"), "labels by anna, expected one of"),
        (TRUTH, ("--aggregate", "most"), "most"),
        ([True] * 24, (), "given 24 correct and 0 incorrect traces"),
    ],
)
def test_refused_in_one_line(
    cli, features: Path, tmp_path: Path, labels: list[object], more: tuple[str, ...], message: str
) -> None:
    anna, out = said(tmp_path, "anna", labels), tmp_path / "judge"
    done = cli("fit", "--features", features, "--judge", "clue", "--labels-from", anna, *more, "--out", out)
    assert (done.code, len(done.err.strip().splitlines()), out.exists()) == (2, 1, False), done.err
    assert message in done.err


def test_a_promise_needs_labels_that_are_sure(cli, features: Path, tmp_path: Path) -> None:
    """Shares between no and yes are no losses: the mean is refused where raters differ, and is the vote elsewhere."""
    anna, ben = (said(tmp_path, name, TRUTH) for name in ("anna", "ben"))
    cleo = said(tmp_path, "cleo", [not TRUTH[0], *TRUTH[1:]])
    typed = ("fit", "--features", features, "--judge", "clue", "--pass-at-most", 0.6, "--confidence", 0.8)
    files = [one for file in (anna, ben, cleo) for one in ("--labels-from", file)]
    soft = cli(*typed, *files, "--aggregate", "mean", "--out", tmp_path / "no")
    assert (soft.code, len(soft.err.strip().splitlines()), (tmp_path / "no").exists()) == (2, 1, False), soft.err
    assert "given q0/0 with p_correct for a promise" in soft.err
    assert "--aggregate vote" in soft.err
    rows = [{**row, "correct": label} for row, label in zip(TRACES, TRUTH, strict=True)]
    (tmp_path / "turned.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert cli("extract", "--data", tmp_path / "turned.jsonl", "--out", tmp_path / "f").code == 0
    for name, its in {
        "voted": (*typed, *files),
        "mean": (*typed, *files[:4], "--aggregate", "mean"),
        "own": (*typed[:2], tmp_path / "f", *typed[3:]),
    }.items():
        done = cli(*its, "--out", tmp_path / name)
        assert (done.code, "the 6 that it was calibrated on" in done.out) == (0, True), (done.err, done.out)
    found = [saved.load(tmp_path / name)[0] for name in ("voted", "mean", "own")]
    assert len({str(judge.promise_) for judge in found}) == 1
    assert all(np.array_equal(judge.centroids_, found[2].centroids_) for judge in found)


def test_labels_of_other_data_are_none(cli, features: Path, tmp_path: Path) -> None:
    row = {"question": "elsewhere", "candidate": "0", "judge": "anna", "label": True}
    (tmp_path / "other.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    typed = ("fit", "--features", features, "--judge", "clue", "--labels-from", tmp_path / "other.jsonl")
    done = cli(*typed, "--out", tmp_path / "judge")
    assert (done.code, "none of the 24 items to fit on has a label" in done.err) == (2, True), done.err


def test_nothing_that_is_told_of_the_data_is_learned_from(cli, tmp_path: Path) -> None:
    rows = [row | {"quality": float(row["correct"])} for row in TRACES]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert cli("extract", "--data", tmp_path / "t.jsonl", "--out", tmp_path / "f").code == 0
    fit = ("fit", "--features", tmp_path / "f", "--judge", "ranked-probe", "--out")
    own, theirs = tmp_path / "own", tmp_path / "theirs"
    assert cli(*fit, own).code == 0
    assert cli(*fit, theirs, "--labels-from", said(tmp_path, "anna", list(TRUTH))).code == 0
    assert not np.array_equal(saved.load(own)[0].coef_, saved.load(theirs)[0].coef_)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--rater", "anna"], "given --rater or --aggregate without --labels-from"),
        (["--labels-from", "FILE", "--rater", "bob"], "given --rater bob, expected one who labels in the files: anna"),
    ],
)
def test_a_rater_who_is_not_there(more: list[str], why: str, cli, features: Path, tmp_path: Path) -> None:
    file = str(said(tmp_path, "anna", list(TRUTH)))
    given = [file if one == "FILE" else one for one in more]
    done = cli("fit", "--features", features, "--judge", "clue", "--out", tmp_path / "j", *given)
    assert done.code == 2
    assert why in done.err


#: Log-odds of one judge in three wordings, the last of them far too strict: by its own labels nothing is right.
ODDS = np.where(TRUTH, 1.0, -1.0)[:, None] + np.random.default_rng(0).normal(0, 0.3, (24, 3)) + [0.5, 0.0, -4.0]


def in_wordings(folder: Path, *, labels: bool = True, judge: str = "gpt") -> Path:
    rows = [
        {"question": row["question_id"], "candidate": row["candidate_id"], "judge": judge, "template": name,
         "score": odds, **({"label": bool(odds > 0)} if labels else {})}
        for row, its in zip(TRACES, ODDS.tolist(), strict=True)
        for name, odds in zip(("plain", "kind", "strict"), its, strict=True)
    ]  # fmt: skip
    (folder / f"{judge}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder / f"{judge}.jsonl"


@pytest.mark.parametrize("labels", [True, False])
def test_wordings_of_one_judge_become_labels_with_weights(cli, features: Path, tmp_path: Path, labels: bool) -> None:
    file, out = in_wordings(tmp_path, labels=labels), tmp_path / "judge"
    typed = ("fit", "--features", features, "--judge", "logistic-probe", "--labels-from", file)
    done = cli(*typed, "--aggregate", "centred", "--out", out)
    assert (done.code, "fitted on 24 items" in done.out) == (0, True), done.err
    p, weight = stats.wording_labels(ODDS)
    assert (p == np.array(TRUTH)).mean() > 0.9
    judge = saved.load(out)[0]
    store = FeatureStore.open(features).features(judge.reads)
    mine = type(judge)(**judge.get_params()).fit(store, p, weight)
    np.testing.assert_allclose(judge.decision_function(store), mine.decision_function(store), atol=1e-6)


def test_wordings_are_raters_of_the_other_ways(cli, features: Path, tmp_path: Path) -> None:
    typed = ("fit", "--features", features, "--judge", "clue", "--labels-from", in_wordings(tmp_path))
    by = {name: (column > 0).tolist() for name, column in zip("abc", ODDS.T, strict=True)}
    store = FeatureStore.open(features)
    for how in ("vote", "mean", "dawid-skene"):
        done = cli(*typed, "--aggregate", how, "--out", tmp_path / how)
        assert (done.code, "fitted on 24 items" in done.out) == (0, True), done.err
        soft = [label[True] for label in stats.aggregate(by, how).labels]  # type: ignore[arg-type]
        mine = CLUE().fit(store.features(CLUE().reads), np.array(soft))
        assert np.allclose(saved.load(tmp_path / how)[0].centroids_, mine.centroids_)


def test_wordings_of_several_judges_and_one_wording(cli, features: Path, tmp_path: Path) -> None:
    files = ("--labels-from", in_wordings(tmp_path), "--labels-from", said(tmp_path, "anna", list(TRUTH)))
    typed = ("fit", "--features", features, "--judge", "logistic-probe", *files, "--out", tmp_path / "judge")
    for more, message in (
        ((), "given labels by gpt, anna, of whom some answer in several templates"),
        (("--aggregate", "centred"), "given verdicts by gpt, anna, expected one judge"),
        (("--aggregate", "centred", "--rater", "anna"), "24 scores in 1 wordings"),
    ):
        done = cli(*typed, *more)
        assert (done.code, len(done.err.strip().splitlines())) == (2, 1), done.err
        assert message in done.err
    assert cli(*typed, "--rater", "gpt").code == 0
