"""Panels of judges, and labels that they contradict."""

from __future__ import annotations

import numpy as np
import pytest
from innerjudge import InnerjudgeError
from innerjudge.experiments.stats.agreement.confusion import ensemble, one_of, repaired, right_or_wrong, suspects
from innerjudge.experiments.stats.agreement.juries import exam_weights, mean_jury, weighted_vote


def test_mean_jury_by_hand() -> None:
    assert mean_jury([[1, 2, None], [3, None, None]]) == [2.0, 2.0, None]
    with pytest.raises(InnerjudgeError, match="0 or more each"):
        mean_jury([[1.0]], weights=[-1])


def test_votes_by_hand() -> None:
    columns = [["a", "a", None], ["b", "b", None], ["b", None, None]]
    assert weighted_vote(columns) == ["b", None, None]
    assert weighted_vote(columns, weights=[2, 1, 1]) == [None, "a", None]
    assert weighted_vote(columns, weights=[2, 1, 0]) == ["a", "a", None]


def test_exam_weights_by_hand() -> None:
    found = exam_weights({"a": 0.9, "b": 0.75, "c": 0.3})
    assert list(found) == ["a", "b"]
    both = np.log(9) + np.log(3)  # odds of 0.9 / 0.1 and of 0.75 / 0.25
    assert list(found.values()) == pytest.approx([np.log(9) / both, np.log(3) / both])


def test_log_odds_have_no_sign_and_no_infinity() -> None:
    found = exam_weights({"sure": 1.0, "coin": 0.5, "bad": 0.2}, passing=0.0)
    assert found == {"sure": 1.0, "coin": 0.0, "bad": 0.0}
    with pytest.raises(InnerjudgeError, match="lower the pass mark"):
        exam_weights({"a": 0.5})
    with pytest.raises(InnerjudgeError, match="expected shares"):
        exam_weights({"a": 50})


def test_suspects_by_hand() -> None:
    labels = [True, False, True, None, False]
    judges = [right_or_wrong(p) for p in ([0.1, 0.9, 0.6, 0.0, 0.3], [0.3, 1.0, None, 0.0, 0.1])]
    # means of "right": (0.1 + 0.3) / 2 = 0.2, (0.9 + 1) / 2 = 0.95, 0.6, 0, (0.3 + 0.1) / 2 = 0.2
    assert [vote[True] for vote in ensemble(judges)] == pytest.approx([0.2, 0.95, 0.6, 0.0, 0.2])
    # against the label: 1 - 0.2 = 0.8 in row 0, 0.95 in row 1; row 3 has no label, row 4 agrees
    found = suspects(labels, judges)
    assert [(s.row, s.label, s.instead, s.confidence, s.judges) for s in found] == [
        (1, False, True, 0.95, 2),
        (0, True, False, 0.8, 2),
    ]
    assert repaired(labels, found) == [False, True, True, None, False]
    with pytest.raises(InnerjudgeError, match="calibrate the judges"):
        right_or_wrong([2.0])
    with pytest.raises(InnerjudgeError, match=r"expected 0\.5 to 1"):
        suspects([True], [right_or_wrong([0.2])], threshold=0.4)


def test_suspects_among_options_by_hand() -> None:
    # three options; judge 1 picks 2 (90 % sure) and 0 (70 %), judge 2 picks 2 (80 %) and 1 (60 %)
    judges = [one_of([2, 0], [0.9, 0.7], options=[0, 1, 2]), one_of([2, 1], [0.8, 0.6], options=[0, 1, 2])]
    mean = ensemble(judges)
    # row 0: options 0 and 1 have (0.05 + 0.1) / 2 = 0.075 each, option 2 (0.9 + 0.8) / 2 = 0.85
    assert mean[0] == pytest.approx({0: 0.075, 1: 0.075, 2: 0.85})
    # row 1: option 0 (0.7 + 0.2) / 2 = 0.45, option 1 (0.15 + 0.6) / 2 = 0.375, option 2 (0.15 + 0.2) / 2 = 0.175
    assert mean[1] == pytest.approx({0: 0.45, 1: 0.375, 2: 0.175})
    found = suspects([0, 1], judges, threshold=0.5)  # row 1: the best other option has less than one half
    assert [(s.row, s.label, s.instead, s.confidence) for s in found] == [(0, 0, 2, 0.85)]
    assert repaired([0, 1], found) == [2, 1]
    with pytest.raises(InnerjudgeError, match="expected two at least"):
        one_of([0], [1.0], options=[0])
    with pytest.raises(InnerjudgeError, match="given the verdict 7"):
        one_of([7], [1.0], options=[0, 1])


def test_suspects_among_preferences_by_hand() -> None:
    # P(a): (0.1 + 0.3) / 2 = 0.2, so b with 0.8; a tie has no label that could be wrong
    votes = [right_or_wrong([0.1, 0.9], classes=("a", "b")), right_or_wrong([0.3, 0.9], classes=("a", "b"))]
    assert [(s.row, s.instead, s.confidence) for s in suspects(["a", None], votes)] == [(0, "b", 0.8)]


def test_planted_label_errors_come_first() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(600) < 0.5
    wrong = rng.random(600) < 0.1
    labels = (truth ^ wrong).tolist()
    said = [np.clip(0.5 + 0.35 * np.where(truth, 1, -1) + rng.normal(scale=0.2, size=600), 0, 1) for _ in range(4)]
    found = suspects(labels, [right_or_wrong(p) for p in said], threshold=0.7)
    first = [s.row for s in found[: wrong.sum() // 2]]
    assert np.mean(wrong[first]) > 0.9
    mended = np.array(repaired(labels, found), dtype=bool)
    assert (mended != truth).mean() < wrong.mean() / 2
