"""Losses of orders: constants of the papers, differences, choix; and the probe on worlds whose order is known."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from innerjudge import InnerjudgeError
from innerjudge.extraction.features import Features
from innerjudge.probes import BaseJudge, RankedProbe, RidgeProbe
from innerjudge.probes.ranked import Orders
from scipy.special import softmax
from scipy.stats import kendalltau, spearmanr

LOSSES: Any = ("pairs", "soft-pairs", "plackett-luce", "list-mle")


def features_of(x: np.ndarray, groups: list[str]) -> Features:
    return Features.from_arrays({"hidden/a": x[:, None].repeat(2, axis=1)}, provenance="drawn", groups=groups)


def naive(s: np.ndarray, t: np.ndarray, groups: tuple[str, ...], loss: str, tau: float) -> float:
    """The definitions, answer by answer."""
    total = 0.0
    for group in dict.fromkeys(groups):
        at = [k for k, one in enumerate(groups) if one == group]
        if len({t[k] for k in at}) == 1:
            continue
        level = (t[at] - t[at].mean()) / t[at].std()
        alpha = softmax(level / tau) if loss == "plackett-luce" else np.ones(len(at))
        for a, i in zip(alpha, at, strict=True):
            worse = [j for j in at if t[j] < t[i]]
            if loss == "pairs":
                total += sum(np.log1p(np.exp(s[j] - s[i])) for j in worse) / len(at)
            elif loss == "soft-pairs":  # i wins against every j as often as its log-odds say
                won = ((1 / (1 + np.exp(t[j] - t[i])), np.log1p(np.exp(s[j] - s[i]))) for j in at if j != i)
                total += sum(p * nats for p, nats in won) / len(at)
            else:
                total += a * (np.log(np.exp(s[i]) + sum(np.exp(s[j]) for j in worse)) - s[i])
    return float(total)


def test_losses_of_the_example_of_the_paper() -> None:
    # t = (log 6, log 3, 0) has the softmax (.6, .3, .1); s = (2, 1, 0) the suffix log-sums 2.4076, 1.3133, 0:
    # PLD = .6 x .407606 + .3 x .313262 + 0 = .338542, ListMLE .720868.
    t, s, groups = np.log([6.0, 3.0, 1.0]), np.array([2.0, 1.0, 0.0]), ("q",) * 3
    lists = Orders(t, groups, "plackett-luce", 1 / t.std())  # standardised qualities over this are t less its mean
    np.testing.assert_allclose(lists.blocks[0][2], [[0.6, 0.3, 0.1]])
    assert lists.losses(s)[0] == pytest.approx(0.338542, abs=1e-6)
    assert lists.losses(s + 5)[0] == pytest.approx(0.338542, abs=1e-6)
    assert Orders(t, groups, "list-mle").losses(s)[0] == pytest.approx(0.720868, abs=1e-6)
    # Pairs at distances 1, 1 and 2: (2 log(1 + 1/e) + log(1 + 1/e^2)) / 3 = (2 x .313262 + .126928) / 3
    assert Orders(t, groups, "pairs").losses(s)[0] == pytest.approx(0.251151, abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_gradients_of_questions_of_any_size_and_ties(loss: Any) -> None:
    rng = np.random.default_rng(1)
    groups = tuple(rng.permutation(list("aabbbbcccdeeeeee")).tolist())
    t, s = rng.integers(3, size=16).astype(float), rng.normal(size=16)
    orders = Orders(t, groups, loss, 0.7)
    value, gradient = orders.losses(s)
    assert value == pytest.approx(naive(s, t, groups, loss, 0.7))
    steps = [(orders.losses(s + e)[0] - orders.losses(s - e)[0]) / 2e-6 for e in 1e-6 * np.eye(16)]
    np.testing.assert_allclose(gradient, steps, atol=1e-6)
    # A tied block is one choice set each: of 0 and 1, every right one against all wrong ones.
    hard = Orders(np.array([1.0, 1, 0]), ("q",) * 3, loss)
    np.testing.assert_array_equal(hard.blocks[0][1][0], [[0, 0, 1], [0, 0, 1], [0, 0, 0]])


def test_kendall_within_questions() -> None:
    rng = np.random.default_rng(2)
    t, s = rng.normal(size=15), rng.normal(size=15)
    groups = tuple("aaaaabbbbcccccc")
    theirs = [kendalltau(t[a:b], s[a:b]).statistic for a, b in ((0, 5), (5, 9), (9, 15))]
    np.testing.assert_allclose(sorted(Orders(t, groups, "pairs").kendall(s)), sorted(theirs))


@pytest.mark.parametrize("loss", ["pairs", "list-mle"])
def test_one_number_an_item_gives_the_worths_of_choix(loss: Any) -> None:
    choix = pytest.importorskip("choix", reason="the oracle of rankings is not installed")
    rng = np.random.default_rng(3)
    rankings = [rng.permutation(4).tolist() for _ in range(30)]
    z = np.concatenate([np.eye(4)[one] for one in rankings])  # best first
    t, groups = np.tile([3.0, 2.0, 1.0, 0.0], 30), tuple(np.repeat(np.arange(30), 4).astype(str))
    mine = Orders(t, groups, loss).path(z, [0.2])[0]
    if loss == "pairs":  # choix has alpha times the square, we half the penalty, and a loss over 4
        pairs = [(one[a], one[b]) for one in rankings for a, b in itertools.combinations(range(4), 2)]
        theirs = choix.opt_pairwise(4, pairs, alpha=0.2 / 2 * 4)
    else:
        theirs = choix.opt_rankings(4, rankings, alpha=0.2 / 2)
    np.testing.assert_allclose(mine, theirs, atol=1e-4)


def drawn(questions: int, seed: int, noise: float = 0.7) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """States, qualities, what a teacher says of them, and questions.

    The teacher has a level, which the states know too, and a scale of each question.
    """
    rng = np.random.default_rng(seed)
    q = np.repeat(np.arange(questions), 8)
    g, level = rng.normal(size=len(q)), rng.normal(0, 3, questions)
    x = rng.normal(size=(len(q), 64)) + rng.normal(size=(questions, 64))[q]
    x[:, 0] += g
    x[:, 1] += level[q]
    teacher = level[q] + rng.uniform(0.3, 3, questions)[q] * (g + noise * rng.normal(size=len(q)))
    return x, g, teacher, [f"q{k}" for k in q]


def correlation(judge: Any, x: np.ndarray, g: np.ndarray, groups: list[str]) -> float:
    s = judge.decision_function(features_of(x, groups)).reshape(-1, 8)
    return float(np.mean([spearmanr(a, b).statistic for a, b in zip(s, g.reshape(-1, 8), strict=True)]))


def test_pairs_are_better_than_pooled_scores_of_a_teacher_with_levels(tmp_path: Any) -> None:
    gains = []
    for seed in range(3):
        x, _, teacher, groups = drawn(100, seed)
        new, features = drawn(100, 50 + seed), features_of(x, groups)
        probes = (RankedProbe(positions=["a"], loss="plackett-luce"), RankedProbe(positions=["a"]))
        for probe in (*probes, ridge := RidgeProbe(positions=["a"])):
            probe.fit(features, teacher)
        pooled = correlation(ridge, new[0], new[1], new[3])
        gains.append([correlation(probe, new[0], new[1], new[3]) - pooled for probe in probes])
    assert np.mean(gains, axis=0).min() >= 0.15
    probe = probes[0]
    probe.save(tmp_path)
    again = BaseJudge.load(tmp_path)
    assert (again.intercept_, again.penalty) == (0.0, probe.penalty_)
    assert again.predict(features_of(x, groups)).tolist() == [None] * len(x)


def test_the_list_with_a_teachers_weights_is_better_where_its_tail_is_noise() -> None:
    gains = []
    for seed in range(3):
        x, _, teacher, groups = drawn(100, seed)
        rng, new = np.random.default_rng(seed), drawn(100, 10 + seed)
        for rows in np.argsort(teacher.reshape(-1, 8), axis=1)[:, :4] + 8 * np.arange(100)[:, None]:
            teacher[rows] = rng.permutation(teacher[rows])  # the worse half in any order
        scored = {
            loss: correlation(
                RankedProbe(positions=["a"], loss=loss).fit(features_of(x, groups), teacher), new[0], new[1], new[3]
            )
            for loss in LOSSES
        }
        gains.append(scored["plackett-luce"] - scored["list-mle"])
    assert np.mean(gains) >= 0.03


@pytest.mark.parametrize("loss", LOSSES)
def test_levels_scales_and_the_order_of_items_change_nothing(loss: Any) -> None:
    x, _, teacher, groups = drawn(20, 4)
    level = np.repeat(np.arange(20.0), 8)
    probe = RankedProbe(positions=["a"], loss=loss).fit(features_of(x, groups), teacher)
    scale = 1 if loss == "soft-pairs" else 3  # the scale of log-odds says how sure they are
    states = features_of(x + level[:, None], groups)
    moved = RankedProbe(positions=["a"], loss=loss).fit(states, scale * teacher + level)
    np.testing.assert_allclose(moved.coef_, probe.coef_, atol=1e-5)
    turn = np.random.default_rng(0).permutation(len(x))
    turned = RankedProbe(positions=["a"], loss=loss).fit(features_of(x[turn], [groups[k] for k in turn]), teacher[turn])
    np.testing.assert_allclose(turned.coef_, probe.coef_, atol=0.03)  # the folds are others, the penalty may be


@pytest.mark.parametrize(
    ("quality", "groups", "message"),
    [
        ([1.0, 1, 2, 2], "aabb", "2 questions of which none has answers of two qualities"),
        ([1.0, 2, 3, 4], "abcd", "4 questions of which none"),
        ([1.0, np.nan, 3, 4], "aabb", "expected finite numbers alone, higher for better"),
        (["a", "b", "c", "d"], "aabb", "expected finite numbers"),
    ],
)
def test_refused(quality: list[Any], groups: str, message: str) -> None:
    with pytest.raises(InnerjudgeError, match=message):
        RankedProbe(positions=["a"]).fit(features_of(np.eye(4), list(groups)), np.array(quality))


@pytest.mark.parametrize("wrong", [{"loss": "listnet"}, {"tau": 0.0}, {"tau": np.inf}, {"candidates": []}])
def test_refused_parameters(wrong: Any) -> None:
    with pytest.raises(InnerjudgeError, match="expected"):
        RankedProbe(**wrong)


def test_weights_are_refused() -> None:
    with pytest.raises(InnerjudgeError, match="and weights"):
        RankedProbe(positions=["a"]).fit(features_of(np.eye(4), list("aabb")), [1.0, 2, 1, 2], np.ones(4))
