"""Labels of single steps, from a store to a saved judge to verdicts on new traces, by the commands that users type."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
from innerjudge import load
from innerjudge.experiments.data.datasets import load_data
from innerjudge.experiments.data.verdict_files import read_table
from innerjudge.experiments.judges import saved
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.read import _spans
from innerjudge.experiments.runs.job import read_items_of
from innerjudge.extraction.store import FeatureStore
from innerjudge.models import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.probes import PooledProbe


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from innerjudge.experiments.cli.main import app

    folder = tmp_path_factory.mktemp("steps") / "f"
    command = ["extract", "--data", "builtin:steps", "--limit", "120", "--read", "step-probe", "--read", "step-words"]
    app([*command, "--out", str(folder), "--log", "plain"], standalone_mode=False)
    return folder


@pytest.mark.parametrize("name", ["step-probe", "step-words"])
def test_a_judge_of_steps_learns_from_the_labels_of_stored_steps(
    cli, features: Path, tmp_path: Path, name: str
) -> None:
    done = cli("fit", "--features", features, "--judge", name, "--out", tmp_path / "judge")
    assert done.code == 0, done.err
    judge, items = saved.load(tmp_path / "judge")[0], cast(list[Trace], list(read_items_of(str(features))))
    store = FeatureStore.open(features).features(judge.reads)
    labels = np.array([{"steps": one.step_labels, "correct": one.correct} for one in items])
    assert any(None in one["steps"] for one in labels), "what follows a first error has no label"
    mine = type(judge)(**judge.get_params()).fit(store, labels)
    for one, other in zip(judge.step_scores(store), mine.step_scores(store), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_it_scores_the_steps_of_new_traces(cli, features: Path, tmp_path: Path) -> None:
    assert cli("fit", "--features", features, "--judge", "step-probe", "--out", tmp_path / "judge").code == 0
    new = ("--data", "builtin:steps", "--limit", 60, "--seed", 9)
    done = cli("score", "--judge", tmp_path / "judge", *new, "--out", tmp_path / "verdicts.jsonl")
    assert done.code == 0, done.err
    traces = {one.id: one for one in cast(list[Trace], load_data("builtin:steps", limit=60, seed=9).items)}
    assert not {one.prompt for one in traces.values()} & {one.prompt for one in read_items_of(str(features))}
    found = []
    for row in read_table(tmp_path / "verdicts.jsonl"):
        trace = traces[f"{row.question}/{row.candidate}"]
        assert row.step_scores is not None
        assert len(row.step_scores) == len(trace.step_texts)
        if trace.first_error is not None and trace.first_error >= 0:
            found.append(int(np.argmin(row.step_scores)) == trace.first_error)
    assert len(found) > 20
    assert np.mean(found) > 0.8, "a step drawn at random would be right for about a third"


def test_a_sweep_goes_over_roles_and_heads(cli, features: Path, tmp_path: Path) -> None:
    only = ("--role", "reasoning/step", "--head", "difference of means", "--splits", 5)
    done = cli("sweep", "--features", features, *only, "--out", tmp_path / "sweep")
    assert done.code == 0, done.err
    table = pd.read_csv(tmp_path / "sweep" / "sweep.csv")
    assert {*table["position"]} == {"reasoning/step.mean"}
    assert {*table["judge"]} == {"difference of means"}
    assert table["row"].tolist() == 3 * list(range(table["row"].max() + 1)), "every row, under three normalisations"
    done = cli("sweep", "--features", features, "--role", "response", "--out", tmp_path / "none")
    assert done.code == 2
    assert "extract with --read response" in done.err


def test_labels_of_spans_come_from_an_item_file(cli, tmp_path: Path) -> None:
    """Two numbers of each answer are spans, the second named first; tokens of wrong ones are told from all others."""
    rows = []
    for k in range(24):
        response, wrong = f"{k}+1={k + 1} and 2+2={4 + k % 2}", bool(k % 2)
        places = [[response.rindex("=") + 1, len(response)], [response.index("=") + 1, response.index(" ")]]
        known = {"spans": places, "span_labels": [not wrong, None if k % 3 else True], "correct": not wrong}
        rows.append({"question_id": f"q{k}", "candidate_id": "0", "prompt": "Add.", "response": response} | known)
    (tmp_path / "traces.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    done = cli("extract", "--data", tmp_path / "traces.jsonl", "--read", "token-probe", "--out", tmp_path / "f")
    assert done.code == 0, done.err
    done = cli("fit", "--features", tmp_path / "f", "--judge", "token-probe", "--out", tmp_path / "judge")
    assert done.code == 0, done.err
    judge = saved.load(tmp_path / "judge")[0]
    store = FeatureStore.open(tmp_path / "f").features(judge.reads)
    counts = store.ragged[judge.needs[0]].counts
    for row, text, count in zip(rows, store.texts["spans"], counts.tolist(), strict=True):
        (a, b), (c, d) = json.loads(text)
        assert 0 < c < d <= a < b <= count, row["response"]
    labels = [{"spans": tuple(row["span_labels"]), "correct": row["correct"]} for row in rows]
    mine = PooledProbe(**judge.get_params()).fit(store, labels)
    assert np.array_equal(judge.weights_, mine.weights_)  # type: ignore[attr-defined]
    plain = PooledProbe(**judge.get_params()).fit(store, [row["correct"] for row in rows])
    assert not np.allclose(mine.weights_, plain.weights_)
    with pytest.raises(InnerjudgeError, match="given 1 labels for 2 spans"):
        PooledProbe(**judge.get_params()).fit(store, [{"spans": (k % 2 == 0,), "correct": None} for k in range(24)])
    fields = ("question_id", "candidate_id", "prompt", "response")
    twin = Trace(**{name: rows[0][name] for name in fields}, extra={"spans": [[0, 3], [1, 4]]})  # type: ignore[arg-type]
    for spans, places in ((rows[0]["spans"], store.texts["spans"][0]), ([[0, 3], [1, 4]], ""), ([[0, 99]], "")):
        assert _spans(load("reference"), replace(twin, extra={"spans": spans}), Passes()) == places
    bad = {**rows[0], "span_labels": ["no"]}
    (tmp_path / "bad.jsonl").write_text(json.dumps(bad), "utf-8")
    done = cli("extract", "--data", tmp_path / "bad.jsonl", "--out", tmp_path / "none")
    assert (done.code, "field 'span_labels'" in done.err) == (2, True)
