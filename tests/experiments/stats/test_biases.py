"""Biases: cases by hand, and planted effects of known size within their interval."""

from __future__ import annotations

import numpy as np
import pytest
from innerjudge.experiments.stats.biases.confounds import grades_used, over_scoring, tied_share
from innerjudge.experiments.stats.biases.consistency import flip_probability
from innerjudge.experiments.stats.biases.preferences import (
    accuracy_random,
    first_wins,
    length_beyond_labels,
    length_bias,
    length_bias_denoised,
    position_bias,
    position_bias_denoised,
)
from innerjudge.experiments.stats.intervals import cluster_interval
from innerjudge.experiments.stats.metrics.correlation import spearman
from scipy import stats

N = 3000
GROUPS = [k // 3 for k in range(N)]


def ends(made) -> tuple[float, float]:
    found = cluster_interval(made, GROUPS)
    return found.low, found.high


def test_position_by_hand() -> None:
    # better: a a b b tie. given (a first): a b b a a; swapped (b first): a a b b a
    preferences, given, swapped = [*list("aabb"), "tie"], list("abbaa"), list("aabba")
    # better first: a in given (right, wrong), b in swapped (right, right): 3/4
    # better second: a in swapped (right, right), b in given (right, wrong): 3/4
    assert position_bias(preferences, given, swapped).value == 0.0
    assert accuracy_random(preferences, given, swapped).value == 0.75
    # the first shown wins: given a yes, b no, b no, a yes, a yes = 3; swapped: b yes twice = 2: 5 of 10
    assert first_wins(given, swapped).value == 0.0
    assert first_wins(["a", "tie"], ["b", "tie"]).value == 0.25
    assert first_wins(["a", None], [None, "a"]).reason == "no pair is judged in both orders"


def planted(rng, *, right_first: float, right_second: float, flip: float, repeats: int, n: int = N):
    """Preferences, and verdicts in both orders of a judge that is right so often, with random flips on top."""
    preferences = np.where(rng.random(n) < 0.5, "a", "b")
    settled = {side: rng.random(n) < share for side, share in (("first", right_first), ("second", right_second))}
    columns = {"given": [], "swapped": []}
    for order in columns:
        better_first = (preferences == "a") == (order == "given")
        right = np.where(better_first, settled["first"], settled["second"])
        for _ in range(repeats):
            now = right ^ (rng.random(n) < flip)
            said = np.where(now, preferences, np.where(preferences == "a", "b", "a"))
            columns[order].append(said.tolist())
    return preferences.tolist(), columns["given"], columns["swapped"]


def test_a_planted_position_bias_is_recovered() -> None:
    rng = np.random.default_rng(0)
    preferences, given, swapped = planted(rng, right_first=0.85, right_second=0.65, flip=0.0, repeats=1)
    low, high = ends(position_bias(preferences, given[0], swapped[0]))
    assert low < 0.20 < high
    low, high = ends(first_wins(given[0], swapped[0]))
    assert low < 0.10 < high  # 0.85 first when better, 0.35 when worse: (0.85 + 0.35) / 2 - 1/2


def planted_lengths(rng, *, flip: float, n: int):
    """Preferences, lengths and four runs of a judge that is right in 0.9 where the better is longer, else in 0.6."""
    preferences = np.where(rng.random(n) < 0.5, "a", "b")
    lengths = rng.choice([-40.0, 40.0], n)
    right = rng.random(n) < np.where((lengths > 0) == (preferences == "a"), 0.9, 0.6)
    other = {"a": "b", "b": "a"}
    runs = []
    for _ in range(4):
        now = right ^ (rng.random(n) < flip)
        runs.append([p if r else other[p] for p, r in zip(preferences.tolist(), now, strict=True)])
    return preferences.tolist(), lengths, runs


@pytest.mark.parametrize("effect", ["position", "position, noise taken out", "length", "flips"])
def test_planted_effects_lie_in_their_interval_as_often_as_it_says(effect: str) -> None:
    rng, held, studies, n = np.random.default_rng(7), 0, 600, 180
    groups = [k // 3 for k in range(n)]
    for _ in range(studies):
        flip = 0.0 if effect in ("position", "length") else 0.1
        preferences, given, swapped = planted(rng, right_first=0.85, right_second=0.65, flip=flip, repeats=4, n=n)
        if effect == "position":
            made, truth = position_bias(preferences, given[0], swapped[0]), 0.2
        elif effect == "length":
            preferences, lengths, runs = planted_lengths(rng, flip=0.0, n=n)
            made, truth = length_bias(preferences, runs[0], lengths), 0.3
        elif effect == "flips":
            made, truth = flip_probability(given), 0.1
        else:
            made, truth = position_bias_denoised(preferences, given, swapped), 0.2
        found = cluster_interval(made, groups)
        held += found.low <= truth <= found.high
    room = 3 * np.sqrt(0.95 * 0.05 / studies)
    assert 0.93 - room <= held / studies
    assert held / studies <= 0.97 + room


def test_noise_hides_bias_and_is_taken_out() -> None:
    rng = np.random.default_rng(1)
    preferences, given, swapped = planted(rng, right_first=0.85, right_second=0.65, flip=0.15, repeats=4)
    raw = ends(position_bias(preferences, given[0], swapped[0]))
    assert raw[1] < 0.20  # (1 - 2 * 0.15) * 0.20 = 0.14 is what is seen
    low, high = ends(position_bias_denoised(preferences, given, swapped))
    assert low < 0.20 < high


def test_length_by_hand() -> None:
    # better is longer in items 1 and 2 (one right), not longer in 3 and 4 (none right); item 5 is a human tie
    preferences, verdicts = ["a", "b", "a", "b", "tie"], ["a", "a", "b", "a", "a"]
    assert length_bias(preferences, verdicts, [9, -9, -9, 0, 9]).value == 0.5


@pytest.mark.parametrize("flip", [0.0, 0.15])
def test_a_planted_length_bias_is_recovered(flip: float) -> None:
    rng = np.random.default_rng(2)
    preferences, lengths, runs = planted_lengths(rng, flip=flip, n=N)
    low, high = ends(length_bias_denoised(preferences, runs, lengths))
    assert low < 0.3 < high
    low, high = ends(length_bias(preferences, runs[0], lengths))
    assert (low < 0.3 < high) is (flip == 0.0)


def test_length_beyond_labels_sees_only_length() -> None:
    rng = np.random.default_rng(3)
    right = rng.random(N) < 0.5
    lengths = 100 + 50 * right + rng.normal(scale=20, size=N)  # right answers are longer
    deserved = right + rng.normal(size=N)  # knows only what is right
    by_length = lengths / 20 + rng.normal(size=N)
    one = ["all"] * N
    low, high = ends(length_beyond_labels(deserved, lengths, right, one))
    assert low < 0 < high
    assert spearman(lengths, deserved).value > 0.2
    rho = stats.spearmanr((lengths - 50 * right), by_length - 2.5 * right)[0]
    low, high = ends(length_beyond_labels(by_length, lengths, right, one))
    assert low < rho < high


def test_use_of_the_scale_by_hand() -> None:
    # two of five grades, half each: exp(log 2) / 5
    assert grades_used([1, 1, 5, 5], scale=range(1, 6)).value == pytest.approx(0.4)
    assert grades_used([3, 3.2, 2.9], scale=range(1, 6)).value == pytest.approx(0.2)
    assert grades_used([None], scale=(1, 2)).reason == "no row has a grade"
    assert tied_share([1, 1, 2, 7], list("qqqr")).value == pytest.approx(1 / 3)


def test_gaps_between_groups_by_hand_and_planted() -> None:
    # members: said 0.9 and 0.7 of 1 and 0: over by 0.3 on average; others: 0.5 and 0.5 of 1 and 0: 0
    assert over_scoring([1, 0, 1, 0], [0.9, 0.7, 0.5, 0.5], [True, True, False, False]).value == pytest.approx(0.3)
    assert "outside the group" in over_scoring([1], [1], [True]).reason
    rng = np.random.default_rng(4)
    own = rng.random(N) < 0.3
    labels = rng.random(N) < np.where(own, 0.8, 0.5)  # its responses *are* better
    scores = 0.5 * labels + 0.25 + 0.1 * own  # and it adds 0.1
    # over-scoring of own: 0.1, less half of the difference in labels, since scores lie nearer to the middle
    shrink = -0.5 * (labels[own].mean() - labels[~own].mean())
    low, high = ends(over_scoring(labels, scores, own.tolist()))
    assert low < 0.1 + shrink < high
