"""From an item file with soft labels, weights and counts to saved judges, by the commands that users type."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from innerjudge.experiments.judges import saved
from innerjudge.extraction.store import FeatureStore
from innerjudge.probes import CountedProbe, LogisticProbe, RankedProbe

pytestmark = pytest.mark.usefixtures("no_pixels")

ROWS = [
    {
        "question_id": f"q{q}",
        "candidate_id": f"{c}",
        "prompt": f"Start with {q}. Add 1.",
        "response": f"<think>{q}+1={q + 1 + c}</think>{q + 1 + c}",
        "p_correct": [0.9, 0.4, 0.1][c],
        "sample_weight": 1 + q % 3,
        "n_correct": 2 * (q % 3),
        "n_sampled": 6,
        "quality": q + [3, 1, 2][c],
    }
    for q in range(8)
    for c in range(3)
]


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from innerjudge.experiments.cli.main import app

    folder = tmp_path_factory.mktemp("weak")
    (folder / "traces.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    command = ["extract", "--data", str(folder / "traces.jsonl"), "--out", str(folder / "f"), "--log", "plain"]
    command += ["--read", "mean-probe"]
    app(command, standalone_mode=False)
    return folder / "f"


def columns() -> list[np.ndarray]:
    names = ("p_correct", "sample_weight", "n_correct", "n_sampled")
    return [np.array([float(row[name]) for row in ROWS]) for name in names]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["logistic-probe", "logistic-centred", "clue", "difference-of-means", "mean-probe"])
def test_fit_reads_soft_labels_and_weights(cli, features: Path, tmp_path: Path, name: str) -> None:
    done = cli("fit", "--features", features, "--judge", name, "--out", tmp_path / "judge")
    assert done.code == 0, done.err
    judge = saved.load(tmp_path / "judge")[0]
    store = FeatureStore.open(features).features(judge.reads)
    p, weight, _, _ = columns()
    mine = type(judge)(**judge.get_params()).fit(store, p, weight)
    np.testing.assert_allclose(judge.decision_function(store), mine.decision_function(store), atol=1e-6)


def test_fit_reads_counts(cli, features: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="expected four times as many answers"):
        done = cli("fit", "--features", features, "--judge", "counted-probe", "--out", tmp_path / "judge")
    assert done.code == 0, done.err
    judge = saved.load(tmp_path / "judge")[0]
    store = FeatureStore.open(features).features(judge.reads)
    assert isinstance(judge, CountedProbe)
    with pytest.warns(UserWarning, match="expected four times"):
        mine = CountedProbe().fit(store, *columns()[2:])
    np.testing.assert_allclose(judge.decision_function(store), mine.decision_function(store), atol=1e-6)


def test_fit_reads_qualities(cli, features: Path, tmp_path: Path) -> None:
    done = cli("fit", "--features", features, "--judge", "ranked-probe", "--out", tmp_path / "no")
    assert (done.code, "and weights, expected finite numbers alone" in done.err) == (2, True), "they have weights too"
    kept = ("question_id", "candidate_id", "prompt", "response", "quality")
    rows = "".join(json.dumps({name: row[name] for name in kept}) + "\n" for row in ROWS)
    (tmp_path / "graded.jsonl").write_text(rows, "utf-8")
    assert cli("extract", "--data", tmp_path / "graded.jsonl", "--out", tmp_path / "f").code == 0
    done = cli("fit", "--features", tmp_path / "f", "--judge", "ranked-probe", "--out", tmp_path / "judge")
    assert (done.code, "fitted on 24 items" in done.out) == (0, True), done.err
    judge, store = saved.load(tmp_path / "judge")[0], FeatureStore.open(tmp_path / "f")
    mine = RankedProbe().fit(store.features(judge.reads), [row["quality"] for row in ROWS])
    np.testing.assert_allclose(
        judge.decision_function(store.features(judge.reads)), mine.decision_function(store.features(judge.reads))
    )
    scored = cli("score", "--judge", tmp_path / "judge", "--data", tmp_path / "graded.jsonl", "--out", tmp_path / "s")
    assert scored.code == 0, scored.err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("fit", "--judge", "length"), "RidgeProbe, CLUE without balance, DifferenceOfMeans, LogisticProbe"),
        (("fit", "--judge", "clue", "--lose-at-most", 0.3, "--confidence", 0.8), "q0/0 with p_correct for a promise"),
        (("sweep",), "q0/0 with p_correct=0.9, expected correct=true or false: only the fit"),
    ],
)
def test_others_refuse_them(cli, features: Path, tmp_path: Path, command: tuple[str, ...], said: str) -> None:
    done = cli(command[0], "--features", features, *command[1:], "--out", tmp_path / "out")
    assert done.code == 2
    assert said in " ".join(done.err.split())


def test_compare_refuses_them(cli, features: Path, tmp_path: Path) -> None:
    done = cli("compare", "--data", features.parent / "traces.jsonl", "--judges", "clue", "--out", tmp_path / "out")
    assert done.code == 2
    assert "only the fit of some judges takes numbers between" in " ".join(done.err.split())


def test_an_unlabelled_answer_takes_part_in_the_mean_of_its_question(cli, tmp_path: Path) -> None:
    kept = ("question_id", "candidate_id", "prompt", "response")
    rows = [
        {k: row[k] for k in kept} | ({"correct": row["candidate_id"] == "0"} if row["candidate_id"] != "2" else {})
        for row in ROWS
    ]
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert cli("extract", "--data", tmp_path / "some.jsonl", "--out", tmp_path / "f").code == 0
    done = cli("fit", "--features", tmp_path / "f", "--judge", "logistic-centred", "--out", tmp_path / "judge")
    assert done.code == 0, done.err
    assert "16 items" in done.out
    judge = saved.load(tmp_path / "judge")[0]
    store = FeatureStore.open(tmp_path / "f").features(judge.reads)
    right, known = (np.array([row["candidate_id"] in which for row in rows]) for which in ("0", "01"))
    mine = LogisticProbe(centre="question").fit(store, right, known.astype(float))
    np.testing.assert_allclose(judge.decision_function(store), mine.decision_function(store), atol=1e-6)
