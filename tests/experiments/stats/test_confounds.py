"""Difficulty and length taken out, tests against chance, nested selection."""

from __future__ import annotations

import numpy as np
import pytest
from innerjudge import InnerjudgeError
from innerjudge.experiments.stats.biases.confounds import centred, centred_auroc, length_matched_pairs, residual
from innerjudge.experiments.stats.metrics.accuracy import auroc, within_question_auroc
from innerjudge.experiments.stats.selection_noise import selection_noise


def test_centring_by_hand() -> None:
    assert centred([1, 3, 10, None], list("ppqq")) == [-1.0, 1.0, 0.0, None]
    # q has one class: its rows do not count. p: right 1, wrong 3, centred -1 and 1
    assert centred_auroc([1, 0, 1, 1], [1, 3, 10, 11], list("ppqq")).value == 0.0


def test_a_judge_of_difficulty_falls_to_chance() -> None:
    rng = np.random.default_rng(0)
    ease = np.repeat(rng.random(300), 6)
    labels, groups = rng.random(1800) < ease, np.repeat(np.arange(300), 6).tolist()
    scores = ease + rng.normal(scale=0.05, size=1800)
    assert auroc(labels, scores).value > 0.75
    assert centred_auroc(labels, scores, groups).value == pytest.approx(0.5, abs=0.04)


def test_length_matched_pairs_by_hand() -> None:
    # right 100 long; wrong 105 (near), 95 (near), 150 (far): won against 0.3, lost against 0.8
    labels, scores, lengths = [1, 0, 0, 0], [0.5, 0.3, 0.8, 0.1], [100, 105, 95, 150]
    made = length_matched_pairs(labels, scores, list("qqqq"), lengths)
    assert (made.value, made.n) == (0.5, 2)
    assert "like length" in length_matched_pairs([1, 0], [1, 0], list("qq"), [1, 100]).reason


def test_a_judge_of_length_falls_to_chance_when_length_is_taken_out() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(400), 5).tolist()
    labels = rng.random(2000) < 0.5
    lengths = 100 + 30 * labels + rng.normal(scale=20, size=2000)
    scores = lengths + rng.normal(scale=0.1, size=2000)
    assert within_question_auroc(labels, scores, groups).value > 0.8
    assert length_matched_pairs(labels, scores, groups, lengths, tolerance=0.02).value == pytest.approx(0.5, abs=0.1)
    left = residual(scores, [lengths], groups)
    assert within_question_auroc(labels, left, groups).value == pytest.approx(0.5, abs=0.04)


def test_the_best_of_many_heads_at_chance_flatters() -> None:
    rng = np.random.default_rng(3)
    hits = rng.random((120, 64)) < 0.25
    found = selection_noise(lambda rows: hits[rows].mean(axis=0), list(range(120)), seed=0)
    assert found.n_candidates == 64
    assert found.seen == hits.mean(axis=0).max()
    assert found.optimism > 0.08
    assert found.honest == pytest.approx(0.25, abs=0.03)
    assert found.stability < 0.5


def test_a_head_that_is_really_best_does_not() -> None:
    rng = np.random.default_rng(4)
    hits = np.concatenate([rng.random((120, 1)) < 0.8, rng.random((120, 20)) < 0.25], axis=1)
    found = selection_noise(lambda rows: hits[rows].mean(axis=0), list(range(120)), seed=0)
    assert (found.pick, found.stability) == (0, 1.0)
    assert abs(found.optimism) < 0.02
    with pytest.raises(InnerjudgeError, match="at least 4"):
        selection_noise(lambda rows: hits[rows].mean(axis=0), [0, 1, 2] * 40, seed=0)
