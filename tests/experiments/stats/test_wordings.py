"""Labels of one judge's wordings: the examples of the notes by hand, every way, tables, and a world drawn as there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from innerjudge import Features, InnerjudgeError, stats
from innerjudge.experiments.data.verdict_table import Row, Table
from innerjudge.experiments.stats.biases.consistency import consensus
from innerjudge.probes import LogisticProbe

HOWS: Any = ("centred", "mean", "share", "majority", "dawid-skene")
labelled = stats.wording_labels


def test_medians_of_wordings_are_taken_off() -> None:
    # Medians of (2, 1, -1) and (.5, -.5, -2): 1 and -.5. Less them (1, 0, -2) and (1, 0, -1.5): means 1, 0, -1.75.
    found = labelled([[2, 0.5], [1, -0.5], [-1, -2]])
    assert found.labels.tolist() == [1.0, 0.5, 0.0]
    assert found.weights.tolist() == [1.0, 0.0, 1.75]
    odds = np.array([[2, 0.5], [1, -0.5], [-1, -2]])
    chances = labelled(1 / (1 + np.exp(-odds)))
    assert chances.weights == pytest.approx([1, 0, 1.75])
    # A wording that is asked of other items too: medians are of the items that both score.
    more = labelled([[2, 0.5], [1, -0.5], [-1, -2], [3, None], [None, None]])  # (3 - 1) alone; nothing
    assert more.labels.tolist() == [1.0, 0.5, 0.0, 1.0, 0.5]
    assert more.weights.tolist() == [1.0, 0.0, 1.75, 2.0, 0.0]


def test_the_consensus_of_the_published_example() -> None:
    # Verdicts 1, 1, 1, 0, 1: four of five, more than half.
    assert consensus([[1], [1], [1], [0], [1]]) == [1]
    assert labelled([[1, 1, 1, 0, 1]], how="majority") == ([1.0], [1.0])


def test_other_ways_by_hand() -> None:
    p = [[0.9, 0.6, 0.2], [0.4, 0.3, 0.8], [0.7, np.nan, 0.5], [np.nan] * 3]
    assert labelled(p, how="mean").labels == pytest.approx([1.7 / 3, 0.5, 0.6, 0.5])
    # .5 is no verdict: of the third item one wording says right, of three
    assert labelled(p, how="share").labels == pytest.approx([2 / 3, 1 / 3, 1, 0.5])
    share = labelled(p, how="majority")
    assert (share.labels.tolist(), share.weights.tolist()) == ([1, 0, 0.5, 0.5], [1, 1, 0, 0])
    assert labelled(p, how="mean").weights.tolist() == [1, 1, 1, 0]
    said = [[1, 1, 0], [1, 1, 1], [0, 0, 1], [1, 1, 0], [0, 0, 0], [0, 0, 1]]  # of the notes on Dawid and Skene
    soft = labelled(said, how="dawid-skene").labels
    assert soft.round(4).tolist() == [0.9851, 0.9855, 0.0149, 0.9851, 0.0145, 0.0149]


def rows(judge: str, by: dict[str, list[Any]], *, field: str = "score") -> list[Row]:
    return [
        Row(question=f"q{k}", candidate="0", judge=judge, template=name, **{field: value})
        for name, column in by.items()
        for k, value in enumerate(column)
        if value is not None
    ]


def test_a_table_of_one_judge_in_several_templates() -> None:
    by = {"plain": [2.0, 1.0, -1.0, None], "kind": [0.5, -0.5, -2.0, 0.0]}
    found = labelled(Table(rows("j", by)))
    assert found.labels.tolist() == [1.0, 0.5, 0.0, 1.0]  # 0 less -.5
    assert found.weights.tolist() == [1.0, 0.0, 1.75, 0.5]
    both = [
        Row(question=f"q{k}", candidate="0", judge="j", template=name, score=s, label=s > 1.5)
        for name, column in by.items()
        for k, s in enumerate(column)
        if s is not None
    ]
    # Labels are the judge's own: its threshold is 1.5, not 0.
    assert labelled(Table(both), how="share").labels.tolist() == [0.5, 0, 0, 0]
    assert labelled(Table(both)).weights.tolist() == [1.0, 0.0, 1.75, 0.5]
    said = Table(rows("j", {"a": [True, False], "b": [True, True], "c": [True, False]}, field="label"))
    for how in ("share", "mean"):
        assert labelled(said, how=how).labels == pytest.approx([1, 1 / 3], abs=1e-5)


@pytest.mark.parametrize(
    ("scores", "how", "message"),
    [
        ([[1.0], [2.0]], "centred", "2 scores in 1 wordings"),
        ([[1.0, 2.0]], "best", "given how='best'"),
        ([[1, 0], [0, 1]], "centred", "take the share"),
        ([[0.5, None], [None, 0.2]], "centred", "of the same items"),
        ([[None, None]], "mean", "given how='mean' and 0 scores"),
        ([0.5, 0.2], "mean", "given scores that are no table"),
        ([["a", "b"]], "mean", "given scores that are no table"),
        ([[np.inf, 1.0]], "mean", "given scores that are no table"),
        ([[1, 0], [0, 1]], "dawid-skene", "three raters"),
        (
            Table([*rows("a", {"x": [1.0]}), *rows("b", {"x": [1.0]})]),
            "centred",
            "given verdicts by a, b, expected one",
        ),
        (Table([]), "mean", "expected one judge"),
    ],
)
def test_refused(scores: Any, how: Any, message: str) -> None:
    with pytest.raises(InnerjudgeError) as error:
        labelled(scores, how=how)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("how", HOWS)
def test_the_order_of_items_and_of_wordings_changes_nothing(how: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5)) + rng.normal(size=(40, 1)) * 2 + rng.normal(size=5)
    items, wordings = rng.permutation(40), rng.permutation(5)
    for a, b in zip(labelled(x, how=how), labelled(x[items][:, wordings], how=how), strict=True):
        np.testing.assert_allclose(a[items], b, atol=1e-9)


def test_judges_in_several_templates_each_would_be_cliques() -> None:
    """Templates of one judge are its raters: they were not read, and nobody said so."""
    by = {"x": [True, False, True], "y": [True, False, False], "z": [True, True, False]}
    mine = rows("j", by, field="label")
    assert stats.aggregate(Table(mine), "mean").raters.keys() == {"x", "y", "z"}
    assert stats.aggregate(Table(mine), "vote").labels == stats.aggregate(by, "vote").labels
    alone = [row for row in mine if row.template == "y"]
    assert list(stats.aggregate(Table(alone), "vote").raters) == ["j"]
    with pytest.raises(InnerjudgeError, match="given labels by j, k, of whom some answer in several templates"):
        stats.aggregate(Table([*mine, *rows("k", {"x": [True]}, field="label")]), "vote")


def auroc_of(x: np.ndarray, y: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Of a probe on the first 800, on the others."""
    groups = [f"q{k}" for k in range(len(y))]
    f = Features.from_arrays({"hidden/a": x[:, None].repeat(2, axis=1)}, provenance="m", groups=groups)
    probe = LogisticProbe(positions=["a"]).fit(f[:800], labels, sample_weight=weights)
    at, truth = probe.decision_function(f[800:]), y[800:]
    return float((at[truth == 1][:, None] > at[truth == 0]).mean())


def test_the_world_of_the_notes() -> None:
    """Seven wordings of other leniency: centred labels are worth more to a probe than those of one wording."""
    gains = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, 2400)
        x = rng.normal(size=(2400, 32)) + 1.2 * (2 * y[:, None] - 1) * np.eye(32)[0]
        wordings = 1.2 * (2 * y[:800, None] - 1) + rng.normal(0, 2, (800, 7)) + rng.normal(0, 1.5, 7)

        one = np.mean([auroc_of(x, y, (w > 0) * 1.0, np.ones(800)) for w in wordings.T])
        ours = [auroc_of(x, y, *labelled(wordings, how=how)) for how in ("centred", "majority")]
        gains.append(np.array(ours) - one)
    centred, majority = np.mean(gains, axis=0)
    assert centred >= 0.02
    assert majority >= 0.01
