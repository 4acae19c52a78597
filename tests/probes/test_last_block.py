"""Judges say which block they need, take features of passes that went that far, and refuse those that did not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from innerjudge.extraction import Features
from innerjudge.models import InnerjudgeError
from innerjudge.probes import (
    CLUE,
    LAGER,
    AttentionScore,
    DifferenceOfMeans,
    LogisticProbe,
    QKScore,
    QuestionOnly,
    RidgeProbe,
    TokenLogProb,
)
from innerjudge.probes.row_judge import choose_row
from innerjudge.probes.storage import load, save

CORRECT = np.random.default_rng(4).random(24) < 0.5
ANSWERS = np.random.default_rng(5).integers(0, 5, size=24)


def stopped(features: Features, last: int) -> Features:
    """What a pass that stopped after block ``last`` of 3 would have given."""
    arrays = {}
    for name, array in features.arrays.items():
        if name.startswith("hidden/"):
            arrays[name] = array[:, : last + 1]
        elif name == "logits/score":
            arrays[name] = array[:, :, : last + 1]
        elif name.startswith("qk/") or name == "attention":
            arrays[name] = array[:, :last]
        elif name != "logprob":
            arrays[name] = array
    return replace(features, arrays=arrays, provenance=replace(features.provenance, last_block=last))


@pytest.mark.parametrize("judge", [QKScore(), AttentionScore(), QKScore(n_heads=3)])
def test_heads_need_their_own_blocks(judge, make) -> None:
    features, new = make(), make(seed=1)
    assert judge.last_block is None  # not known before the fit
    judge.fit(features, ANSWERS)
    last = max(block for block, _ in judge.heads_)
    assert judge.last_block == last
    whole = judge.decision_function(new)
    for far in range(1, 4):
        part = stopped(new, far)
        if far >= last:
            np.testing.assert_array_equal(judge.decision_function(part), whole)
        else:
            with pytest.raises(InnerjudgeError, match=f"last_block {far} instead of None"):
                judge.decision_function(part)


@pytest.mark.parametrize(
    ("judge", "labels"),
    [
        (DifferenceOfMeans(row=2), CORRECT),
        (LogisticProbe(row=1, candidates=[0.1]), CORRECT),
        (RidgeProbe(row=-4), ANSWERS),  # rows h[0] to h[3] and the normed one: -4 is h[1]
        (QuestionOnly(row=0), CORRECT),
    ],
)
def test_probes_need_the_block_of_their_row(judge, labels, make, tmp_path) -> None:
    features, new = make(), make(seed=1)
    judge.fit(features, labels)
    expected = {"DifferenceOfMeans": 2, "LogisticProbe": 1, "RidgeProbe": 1, "QuestionOnly": 1}[type(judge).__name__]
    assert judge.last_block == expected
    whole = judge.decision_function(new)
    np.testing.assert_array_equal(judge.decision_function(stopped(new, expected)), whole)
    save(judge, tmp_path)
    again = load(tmp_path)
    assert again.last_block == expected
    np.testing.assert_array_equal(again.decision_function(stopped(new, expected)), whole)


def test_fitted_on_a_pass_that_stopped(make) -> None:
    features, new = make(), make(seed=1)
    early = stopped(features, 2)
    # The last row is a raw state then, and means the same row of a whole pass.
    probe = DifferenceOfMeans(row=-1).fit(early, CORRECT)
    assert (probe.row_, probe.last_block) == (2, 2)
    np.testing.assert_array_equal(probe.decision_function(new), probe.decision_function(stopped(new, 2)))
    np.testing.assert_allclose(probe.coef_, DifferenceOfMeans(row=2).fit(features, CORRECT).coef_)
    # A judge of all blocks reads all that there were, and no others.
    clue = CLUE().fit(early, CORRECT)
    assert (clue.last_block, clue.centroids_.shape) == (2, (2, 2, 4))
    by_hand = new["hidden/reasoning_end"][:, 1:3] - new["hidden/reasoning_start"][:, 1:3]
    apart = np.linalg.norm(by_hand.astype(float) - clue.centroids_[1], axis=-1).mean(axis=-1)
    np.testing.assert_allclose(clue.decision_function(stopped(new, 2)), -apart)
    for other in (new, stopped(new, 1)):
        with pytest.raises(InnerjudgeError, match=f"last_block {other.provenance.last_block} instead of 2"):
            clue.decision_function(other)


@pytest.mark.parametrize("judge", [CLUE(), DifferenceOfMeans(), LAGER(), TokenLogProb()])
def test_others_need_the_whole_pass(judge, make) -> None:
    if hasattr(judge, "fit") and judge.learns:
        judge.fit(make(), CORRECT)
    assert judge.last_block is None


def test_another_model_is_refused_however_far_its_pass_went(make) -> None:
    judge = QKScore().fit(make(), ANSWERS)
    with pytest.raises(InnerjudgeError, match="fingerprint"):
        judge.decision_function(stopped(make(fingerprint="g"), 3))


def test_one_standard_error_by_hand() -> None:
    # 16 items, one a question. Row 2 errs 4 times (1/4), row 1 5 times, row 0 7 times.
    losses = np.zeros((16, 3))
    losses[:7, 0], losses[:5, 1], losses[:4, 2] = 1, 1, 1
    questions = tuple(f"q{k}" for k in range(16))
    # Standard error of the best: sqrt(1/4 * 3/4 / 16) = 0.108. 0.25 + 0.108 = 0.358 >= 5/16 = 0.3125, < 7/16 = 0.4375.
    assert choose_row(losses, questions, "best") == 2
    assert choose_row(losses, questions, "earliest") == 1
    # Four items a question, and the errors of the best all in one: sums 4 - 1 = 3, then -1, -1, -1: sqrt(12) / 16 =
    # 0.2165. 0.25 + 0.2165 = 0.4665 >= 0.4375: now the first row is within it.
    assert choose_row(losses, tuple(f"q{k // 4}" for k in range(16)), "earliest") == 0


def known_at(make, rows: dict[int, float]) -> tuple[Features, np.ndarray]:
    """Features of 60 items that tell their class in some rows, with so much strength against noise of 1."""
    features = make(60, seed=3)
    correct = np.arange(60) % 2 == 0
    states = features["hidden/reasoning_end"].copy()
    for row, strength in rows.items():
        states[:, row, 0] += strength * (2 * correct - 1)
    return replace(features, arrays={**features.arrays, "hidden/reasoning_end": states}), correct


def test_probes_choose_their_row(make) -> None:
    features, correct = known_at(make, {2: 8.0, 3: 8.0, 4: 8.0})
    for prefer in ("best", "earliest"):
        probe = DifferenceOfMeans(row=prefer).fit(features, correct)
        assert (probe.row_, probe.last_block) == (2, 2)
        by_hand = DifferenceOfMeans(row=2).fit(features, correct)
        np.testing.assert_array_equal(probe.coef_, by_hand.coef_)
        assert probe.intercept_ == by_hand.intercept_
    # Row 1 errs at times; the normed one never, so that nothing is within a standard error of it.
    features, correct = known_at(make, {1: 1.0, 4: 20.0})
    for prefer in ("best", "earliest"):
        probe = LogisticProbe(row=prefer, candidates=[0.1]).fit(features, correct)
        assert (probe.row_, probe.last_block) == (-1, None)
    ratings = np.where(correct, 5.0, 1.0)
    features = replace(features, arrays={**features.arrays, "hidden/score": features["hidden/reasoning_end"]})
    assert RidgeProbe(row="best", candidates=[1.0]).fit(features, ratings).row_ == -1


def test_a_row_cannot_be_chosen_without_other_questions(make) -> None:
    features = replace(make(6), groups=("q",) * 6)
    with pytest.raises(InnerjudgeError, match="expected at least two questions"):
        DifferenceOfMeans(row="best").fit(features, [True, False] * 3)
    with pytest.raises(InnerjudgeError, match=r"row='latest' .*expected int or float or 'best' or 'earliest'"):
        DifferenceOfMeans(row="latest")  # type: ignore[arg-type]
