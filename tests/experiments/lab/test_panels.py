"""Panels of judges, and labels that they contradict."""

from __future__ import annotations

import numpy as np
import pytest
from innerjudge import InnerjudgeError
from innerjudge.experiments.lab.label_errors import ensemble, repaired, suspects
from innerjudge.experiments.lab.panels import elo, exam_weights, mean_jury, weighted_vote, without_family


def test_mean_jury_by_hand() -> None:
    assert mean_jury([[1, 2, None], [3, None, None]]) == [2.0, 2.0, None]
    # z-scores of 1, 3 and of 10, 30 are the same
    assert mean_jury([[1, 3], [10, 30]], z_score=True) == pytest.approx([-np.sqrt(0.5), np.sqrt(0.5)])
    with pytest.raises(InnerjudgeError, match="0 or more each"):
        mean_jury([[1.0]], weights=[-1])


def test_votes_by_hand() -> None:
    columns = [["a", "a", None], ["b", "b", None], ["b", None, None]]
    assert weighted_vote(columns) == ["b", None, None]
    assert weighted_vote(columns, weights=[2, 1, 1]) == [None, "a", None]
    assert weighted_vote(columns, weights=[2, 1, 0]) == ["a", "a", None]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("uniform", [1 / 2, 1 / 2]),
        ("log-odds", [np.log(9) / (np.log(9) + np.log(3)), np.log(3) / (np.log(9) + np.log(3))]),
        ("exponential", [np.exp(1.8) / (np.exp(1.8) + np.exp(1.5)), np.exp(1.5) / (np.exp(1.8) + np.exp(1.5))]),
        ("power", [0.81 / (0.81 + 0.5625), 0.5625 / (0.81 + 0.5625)]),
    ],
)
def test_exam_weights_by_hand(by: str, expected: list[float]) -> None:
    found = exam_weights({"a": 0.9, "b": 0.75, "c": 0.3}, by=by, alpha=2.0)
    assert list(found) == ["a", "b"]
    assert list(found.values()) == pytest.approx(expected)


def test_log_odds_have_no_sign_and_no_infinity() -> None:
    found = exam_weights({"sure": 1.0, "coin": 0.5, "bad": 0.2}, passing=0.0)
    assert found == {"sure": 1.0, "coin": 0.0, "bad": 0.0}
    with pytest.raises(InnerjudgeError, match="lower the pass mark"):
        exam_weights({"a": 0.5})
    with pytest.raises(InnerjudgeError, match="expected shares"):
        exam_weights({"a": 50})


def test_elo_by_hand() -> None:
    # 1000 against 1000: a win gives 8. Then 1008 against 1000: expected 1 / (1 + 10^(-8/400)) = 0.511512
    found = elo([("x", "y", 1.0), ("x", "z", 0.0)])
    assert found["x"] == pytest.approx(1008 - 16 * 0.5115119)
    assert sum(found.values()) == pytest.approx(3000)


def test_own_family_sits_out() -> None:
    assert without_family({"a": "ours", "b": "theirs"}, "ours") == ("b",)


def test_suspects_by_hand() -> None:
    labels = [True, False, True, None, False]
    judges = [[0.1, 0.9, 0.6, 0.0, 0.3], [0.3, 1.0, None, 0.0, 0.1]]
    assert ensemble(judges) == [0.2, 0.95, 0.6, 0.0, 0.2]
    found = suspects(labels, judges)
    assert [(s.row, s.label, s.confidence, s.judges) for s in found] == [(1, False, 0.95, 2), (0, True, 0.8, 2)]
    assert repaired(labels, found) == [False, True, True, None, False]
    assert repaired(labels, found, how="drop") == [None, None, True, None, False]
    with pytest.raises(InnerjudgeError, match="calibrate the judges"):
        suspects([True], [[2.0]])
    with pytest.raises(InnerjudgeError, match=r"expected 0\.5 to 1"):
        suspects([True], [[0.2]], threshold=0.4)


def test_planted_label_errors_come_first() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(600) < 0.5
    wrong = rng.random(600) < 0.1
    labels = (truth ^ wrong).tolist()
    judges = [np.clip(0.5 + 0.35 * np.where(truth, 1, -1) + rng.normal(scale=0.2, size=600), 0, 1) for _ in range(4)]
    found = suspects(labels, judges, threshold=0.7)
    first = [s.row for s in found[: wrong.sum() // 2]]
    assert np.mean(wrong[first]) > 0.9
    mended = np.array(repaired(labels, found), dtype=bool)
    assert (mended != truth).mean() < wrong.mean() / 2
