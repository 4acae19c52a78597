"""The sweep: every cell is what the judge of that cell says, nothing tested is fitted on, and luck is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from innerjudge.experiments.compare.report.judge_plots import sweep_plot
from innerjudge.experiments.compare.sweep import Sweep, _normalised, sentences, sweep
from innerjudge.experiments.data.splits import split_by_group
from innerjudge.experiments.stats.metrics.accuracy import within_question_auroc
from innerjudge.experiments.stats.metrics.correlation import spearman
from innerjudge.extraction.features import Features
from innerjudge.extraction.provenance import Provenance
from innerjudge.extraction.ragged import Ragged
from innerjudge.models.errors import InnerjudgeError
from innerjudge.probes import (
    BaseJudge,
    DifferenceOfMeans,
    LogisticProbe,
    PooledProbe,
    QKScore,
    RidgeProbe,
    register_judge,
    storage,
)

N, BLOCKS, WIDTH = 96, 3, 5


def features(seed: int = 0) -> tuple[Features, list[bool], list[float]]:
    rng = np.random.default_rng(seed)
    right = rng.random(N) < 0.5
    start, end = (rng.normal(size=(N, BLOCKS + 2, WIDTH)).astype(np.float32) for _ in range(2))
    end[:, 2, 0] += 2.0 * right  # h[2] knows
    arrays = {"hidden/reasoning_start": start, "hidden/reasoning_end": end, "logprob": np.ones((N, 2), np.float32)}
    groups = tuple(f"q{k // 6}" for k in range(N))
    made = Features(
        ids=tuple(f"i{k}" for k in range(N)),
        groups=groups,
        provenance=Provenance("m", None, "f", "", "", ""),
        arrays=arrays,
    )
    return made, right.tolist(), (right + rng.normal(size=N)).tolist()


def cell(found: Sweep, **names: Any) -> pd.Series:
    part = found.table
    for name, value in names.items():
        part = part[part[name] == value]
    assert len(part) == 1
    return part.iloc[0]


def test_cells_are_the_judges_of_the_package() -> None:
    made, right, _ = features()
    found = sweep(made, right, "trace", seed=1, n_splits=20)
    fit, test = split_by_group(made.groups, seed=1)
    groups, truth = [made.groups[k] for k in test], [right[k] for k in test]
    at = {"position": "reasoning_end - reasoning_start", "row": 2, "normalisation": "as it is"}
    pair = ("reasoning_start", "reasoning_end")
    judges = {
        "logistic": LogisticProbe(positions=pair, combine="delta", row=2),
        "difference of means": DifferenceOfMeans(positions=pair, row=2),
    }
    for name, judge in judges.items():
        judge.fit(made.take(fit), np.array(right)[fit])
        expected = within_question_auroc(truth, judge.decision_function(made.take(test)), groups).value
        assert cell(found, judge=name, **at)["test"] == pytest.approx(expected)
    assert cell(found, judge="logistic", **at)["penalty"] == judges["logistic"].C_
    assert (found.n_fit, found.n_test) == (len(fit), len(test))
    assert found.table.loc[found.picked, "row"] == 2
    # 3 positions x 5 rows, under three judges; the logistic probe standardises by itself.
    assert len(found.table) == 3 * 5 * (2 + 3 + 3)


def test_a_judge_of_somebody_else_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    class FirstNumber(BaseJudge):
        needs = ("hidden/state",)

        @classmethod
        def sweep_presets(cls, kind: str) -> dict[str, BaseJudge]:
            return {"first number": cls()} if kind == "trace" else {}

        def _scores(self, features: Features) -> Any:
            return features["hidden/state"][:, -1, 0].astype(float)

        def _labels(self, scores: Any, features: Features) -> list[Any]:
            return [None] * len(scores)

    monkeypatch.setattr(storage, "_theirs", {})
    register_judge(FirstNumber)
    made, right, _ = features()
    found = sweep(made, right, "trace", seed=1, n_splits=5)
    _, test = split_by_group(made.groups, seed=1)
    first = made["hidden/reasoning_end"][test, 2, 0].tolist()
    expected = within_question_auroc([right[k] for k in test], first, [made.groups[k] for k in test]).value
    got = cell(found, judge="first number", position="reasoning_end", row=2, normalisation="as it is")
    assert got["test"] == pytest.approx(expected)


def test_ratings_and_the_logits_of_each_block() -> None:
    made, _, human = features()
    logits = np.random.default_rng(1).normal(size=(N, 2, BLOCKS + 1, 3)).astype(np.float32)
    whole = Features(
        ids=made.ids, groups=made.groups, provenance=made.provenance, arrays=made.arrays | {"logits/score": logits}
    )
    found = sweep(whole, human, "rating", n_splits=10)
    fit, test = split_by_group(made.groups, seed=0)
    probe = RidgeProbe(positions=["reasoning_end"], row=2).fit(made.take(fit), np.array(human)[fit])
    expected = spearman([human[k] for k in test], probe.decision_function(made.take(test))).value
    got = cell(found, judge="ridge", position="reasoning_end", row=2, normalisation="as it is")
    assert got["test"] == pytest.approx(expected)
    p = np.exp(logits[test, 1, 3].astype(float))
    scores = (p @ [1, 2, 3]) / p.sum(axis=1)
    got = cell(found, judge="expected score of one block", normalisation="final norm", row=3)
    assert got["test"] == pytest.approx(spearman([human[k] for k in test], scores).value)


def test_heads_are_those_that_the_judge_would_choose() -> None:
    rng = np.random.default_rng(2)
    answers = rng.integers(0, 3, size=40)
    qk = rng.normal(size=(40, 2, 3, 3)).astype(np.float32)
    qk[np.arange(40), 1, 2, answers] += 3.0
    made = Features(
        ids=tuple(map(str, range(40))),
        groups=tuple(map(str, range(40))),
        provenance=Provenance("m", None, "f", "", "", ""),
        arrays={"qk/before": qk, "labels": np.full(40, 3, np.float32)},
    )
    found = sweep(made, answers.tolist(), "choice", n_splits=10)
    fit, _ = split_by_group(made.groups, seed=0)
    judge = QKScore().fit(made.take(fit), answers[fit])
    best = found.table.loc[found.picked]
    assert judge.heads_ == ((best["row"], best["head"]),) == ((2, 2),)
    assert best["fit"] == judge.head_accuracy_[1, 2]


def test_labels_of_tested_questions_change_no_fit() -> None:
    made, right, _ = features(3)
    _, test = split_by_group(made.groups, seed=0)
    turned = [not r if k in set(test.tolist()) else r for k, r in enumerate(right)]
    one, other = sweep(made, right, "trace", n_splits=5), sweep(made, turned, "trace", n_splits=5)
    pd.testing.assert_series_equal(one.table["fit"], other.table["fit"])
    np.testing.assert_allclose(one.table["test"], 1 - other.table["test"], atol=1e-12)


def test_luck_is_named_where_there_is_nothing_to_find() -> None:
    made, _, _ = features(4)
    coins = (np.random.default_rng(5).random(N) < 0.5).tolist()
    found = sweep(made, coins, "trace", n_splits=60)
    assert found.noise.optimism > 0.1
    assert abs(found.noise.honest - 0.5) < 0.12
    said = " ".join(sentences(found))
    assert f"{found.noise.optimism:+.3f}" in said
    assert f"best of {len(found.table)} cells" in said


def test_positions_that_few_have_are_left_out_with_a_note() -> None:
    made, right, _ = features()
    half = {f"i{k}": "no <think> in the response" for k in range(N // 2)}
    made = replace(made, missing={"hidden/reasoning_start": half, "hidden/reasoning_end": {"i0": "cut"}})
    found = sweep(made, [*right[:-1], None], "trace", n_splits=5)
    assert set(found.table["position"]) == {"reasoning_end"}
    assert found.notes == (
        "hidden/reasoning_start is left out: only 49% of the items have it.",
        "1 items that lack a position are left out.",
    )
    made = replace(made, missing={"hidden/reasoning_start": half, "hidden/reasoning_end": half})
    with pytest.raises(InnerjudgeError, match="at least 90% of them"):
        sweep(made, right, "trace")
    with pytest.raises(InnerjudgeError, match="expected one of"):
        sweep(made, right, "pair")


def test_roles_with_several_states_are_read_by_their_mean() -> None:
    made, right, _ = features()
    rng = np.random.default_rng(7)
    steps = [rng.normal(size=(k % 3 + 1, 2, WIDTH)).astype(np.float32) + right[k] for k in range(N)]
    held = {"hidden/reasoning/step_end.none[2,-1]": Ragged.of(steps), "tokens/response.entropy": Ragged.of(steps)}
    several = replace(made, ragged=held)
    found = sweep(several, right, "trace", roles=["reasoning/step_end"], n_splits=5)
    assert set(found.table["position"]) == {"reasoning/step_end.none[2,-1]"}
    assert set(found.table["row"]) == {2, -1}, "the rows that were kept, by their names"
    lines = [line for axes in sweep_plot(found).axes for line in axes.lines]
    assert {tuple(line.get_xdata()) for line in lines} == {(2, 3)}, "the final-normed state is drawn last"
    fit, test = split_by_group(made.groups, seed=0)
    means = np.stack([one.mean(axis=0) for one in steps])
    alone = replace(made, arrays={"hidden/mean": means})
    judge = LogisticProbe(positions=["mean"], row=1).fit(alone.take(fit), np.array(right)[fit])
    groups, truth = [made.groups[k] for k in test], [right[k] for k in test]
    expected = within_question_auroc(truth, judge.decision_function(alone.take(test)), groups).value
    assert cell(found, judge="logistic", row=-1, normalisation="as it is")["test"] == pytest.approx(expected)
    both = sweep(several, right, "trace", roles=["reasoning_end", "reasoning/step_end.none[2,-1]"], n_splits=5)
    assert set(both.table["position"]) == {"reasoning_end", "reasoning/step_end.none[2,-1]"}
    role = "reasoning/step_end.none"  # whatever rows of it were kept
    by_name = sweep(several, right, "trace", roles=[role], heads=["nearest centroid"], n_splits=5)
    assert set(by_name.table["position"]) == {"reasoning/step_end.none[2,-1]"}
    assert len(set(sweep(several, right, "trace", n_splits=5).table["position"])) == 4, "all, and a difference"
    none = replace(several, ragged={n: Ragged.of([[], *steps[1:]], (2, WIDTH)) for n in held})
    assert sweep(none, right, "trace", n_splits=5).notes == ("1 items that lack a position are left out.",)
    with pytest.raises(InnerjudgeError, match="role 'reasoning', of which no states were kept, expected one of reason"):
        sweep(several, right, "trace", roles=["reasoning"])


def test_heads_are_named() -> None:
    made, right, _ = features()
    quick = ["logistic", "difference of means", "nearest centroid"]
    assert sorted(set(sweep(made, right, "trace", n_splits=5).table["judge"])) == sorted(quick)
    found = sweep(made, right, "trace", heads=["mlp", "logistic"], roles=["reasoning_end"], n_splits=5)
    assert len(found.table) == 2 * 2 * (BLOCKS + 2)  # both standardise by themselves, so under two normalisations
    fit, test = split_by_group(made.groups, seed=0)
    states = {"hidden/named(state).none[-1]": made["hidden/reasoning_end"][:, 2:3]}
    alone = replace(made, arrays=states)
    judge = PooledProbe(role="named(state)", widths=[64]).fit(alone.take(fit), np.array(right)[fit])
    groups, truth = [made.groups[k] for k in test], [right[k] for k in test]
    expected = within_question_auroc(truth, judge.decision_function(alone.take(test)), groups).value
    assert cell(found, judge="mlp", row=2, normalisation="as it is")["test"] == pytest.approx(expected)
    for kind, head in (("trace", "ridge"), ("choice", "mlp")):
        with pytest.raises(InnerjudgeError, match=f"head '{head}' for {kind} items, expected one of"):
            sweep(made, right, kind, heads=[head])


def test_the_command_writes_the_table_the_pick_and_a_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from innerjudge.experiments.cli.main import app

    def run(*args: Any) -> str:
        app([str(a) for a in args], prog_name="innerjudge", standalone_mode=False)
        return capsys.readouterr().out

    run("extract", "--data", "builtin:choose", "--limit", 16, "--out", tmp_path / "f")
    said = run("sweep", "--features", tmp_path / "f", "--out", tmp_path / "s", "--splits", 5, "--top", 2)
    table = pd.read_csv(tmp_path / "s" / "sweep.csv")
    text = (tmp_path / "s" / "sweep.json").read_text(encoding="utf-8")
    record = json.loads(text, parse_constant=lambda said: pytest.fail(f"{said} is no JSON"))
    assert record["cells"] == len(table) == record["optimism"]["n_candidates"]
    assert record["picked"]["penalty"] is None
    assert record["said"][0].split(".")[0] in " ".join(said.split())
    assert (tmp_path / "s" / "sweep.png").stat().st_size > 1000
    run("sweep", "--features", tmp_path / "f", "--out", tmp_path / "s", "--splits", 5)
    with pytest.raises(InnerjudgeError):
        run("sweep", "--features", tmp_path / "f", "--out", tmp_path / "f")


def test_a_constant_is_not_blown_up() -> None:
    """0.1 in float32 sums of three items spreads by rounding alone: it stays as it is, and 2 and 4 become -1 and 1."""
    x = np.array([[[0.1, 2.0], [0.1 + 1e-9, 4.0], [0.1, 4.0]]])
    found = _normalised(x, "standardised", np.array([0, 1]))
    np.testing.assert_allclose(found[0, :, 0], 0.1, atol=1e-8)
    np.testing.assert_allclose(found[0, :, 1], [2.0, 4.0, 4.0])  # std of 2 and 4 is 1
