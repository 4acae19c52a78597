"""The probe from counts: posteriors by counting all labellings, one step by hand, both signs, and what is refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from innerjudge import BaseJudge, Features, InnerjudgeError
from innerjudge.experiments.bench.weak.worlds import features_of, world
from innerjudge.probes import CountedProbe
from innerjudge.probes.counted import _SharedShift, posteriors
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

pytestmark = pytest.mark.filterwarnings("ignore:given .* answers to")


def test_posteriors_by_hand() -> None:
    # Odds 3, 1, 1. One right: 3 : 1 : 1. Two right: 3 (1 and 2), 3 (1 and 3), 1 (2 and 3): 6/7, 4/7, 4/7.
    s = np.log([[3.0, 1, 1], [3.0, 1, 1]])
    r, log_e = posteriors(s, np.array([1, 2]))
    np.testing.assert_allclose(r, [[0.6, 0.2, 0.2], [6 / 7, 4 / 7, 4 / 7]])
    np.testing.assert_allclose(np.exp(log_e), [5, 7])
    np.testing.assert_allclose(posteriors(s + 5, np.array([1, 2]))[0], r)  # a constant changes nothing


def test_posteriors_are_those_of_all_labellings() -> None:
    rng = np.random.default_rng(0)
    s = rng.normal(0, 2, size=(6, 5))
    s[4, 4] = s[5, 2:] = -np.inf  # 4 and 2 answers
    k = np.array([0, 1, 3, 5, 2, 1])
    r, log_e = posteriors(s, k)
    for row, count, found, log_sum in zip(s, k, r, log_e, strict=True):
        here = row[np.isfinite(row)]
        ways = np.array([y for y in product((0, 1), repeat=len(here)) if sum(y) == count])
        odds = np.exp(ways @ here)
        np.testing.assert_allclose(found[: len(here)], odds @ ways / odds.sum(), atol=1e-12)
        assert not found[len(here) :].any()
        assert log_sum == pytest.approx(np.log(odds.sum()))


def test_what_the_published_graph_would_say() -> None:
    """Potentials of LLP-BP: bags {1, 2} and {3}, one right in each, an edge from 1 to 3 of similarity .5, weights 10.

    exp(-10 (y1 + y2 - 1)^2 - 10 (y3 - 1)^2 - 10 * .5 (y1 - y3)^2): the two likely labellings are (1, 0, 1), energy 0,
    and (0, 1, 1), energy 5, so that P(y1) is 1 / (1 + e^-5) = .9933: a near neighbour alone says which one is right.
    Our posteriors know no neighbours: in states that say nothing both are as likely, and counts hold exactly.
    """
    ways = np.array(list(product((0, 1), repeat=3)))
    y1, y2, y3 = ways.T
    weight = np.exp(-10 * (y1 + y2 - 1) ** 2 - 10 * (y3 - 1) ** 2 - 5 * (y1 - y3) ** 2)
    assert (weight @ ways / weight.sum()).round(4) == pytest.approx([0.9933, 0.0068, 1.0])
    r, _ = posteriors(np.array([[0.0, 0.0], [0.0, -np.inf]]), np.array([1, 1]))
    assert r.tolist() == [[0.5, 0.5], [1.0, 0.0]]


def test_one_step_by_hand() -> None:
    # x = 3, 0, -1, one right, posteriors .6 .2 .2: centred 7/3, -2/3, -5/3; N = 1 - 1/3 = 2/3;
    # shift = (.6 * 7/3 - .2 * 2/3 - .2 * 5/3) / (2/3) = 1.4; S = (78/9 - 2/3 * 1.96) / 2 = 3.68; w = 1.4 / 3.68.
    z = np.array([[7.0], [-2.0], [-5.0]]) / 3
    model = _SharedShift(z, np.zeros(3, int), np.array([3]), np.array([1]), 0.0)
    w, _, done, _ = model.fitted(np.log([3.0, 1, 1]), 1, 1e-3)
    assert (w.tolist(), done) == (pytest.approx([1.4 / 3.68]), 1)


def test_the_likelihood_is_that_of_the_mixture() -> None:
    """Against densities of all labellings: centred states of a question have one row less, a Helmert basis."""
    rng = np.random.default_rng(1)
    sizes, k = np.array([3, 3, 4]), np.array([1, 2, 2])
    code = np.repeat(np.arange(3), sizes)
    x = rng.normal(size=(10, 2))
    z = np.concatenate([x[code == q] - x[code == q].mean(axis=0) for q in range(3)])
    model = _SharedShift(z, code, sizes, k, 0.3)
    w, _, _, likelihood = model.fitted(rng.normal(size=10), 5, 1e-12)
    r = _previous_posteriors(model, rng, 5)
    shift = r @ z / model.n
    s = (z.T @ z - model.n * np.outer(shift, shift)) / model.freedom
    sigma = 0.7 * s + 0.3 * np.eye(2)
    np.testing.assert_allclose(np.linalg.solve(sigma, shift), w, rtol=1e-8)
    expected = 0.0
    for q in range(3):
        n = int(sizes[q])
        basis = np.linalg.svd(np.eye(n) - 1 / n)[0][:, : n - 1].T  # rows at right angles to the ones
        ways = np.array([y for y in product((0, 1), repeat=n) if sum(y) == k[q]])
        densities = [
            multivariate_normal(np.zeros(2), sigma).logpdf(basis @ (z[code == q] - np.outer(y - y.mean(), shift))).sum()
            for y in ways
        ]
        expected += np.log(np.mean(np.exp(densities)))
    constant = -model.freedom * 2 / 2 * np.log(2 * np.pi)  # left out, the same for both signs
    assert likelihood + constant == pytest.approx(expected)


def _previous_posteriors(model: _SharedShift, rng: Any, rounds: int) -> Any:
    """Posteriors that the last step of ``rounds`` was made from."""
    start = np.random.default_rng(1)
    start.normal(size=(10, 2))
    return model.fitted(start.normal(size=10), rounds - 1, 1e-12)[1]


def drawn(questions: int, *, seed: int, **how: Any) -> tuple[Features, Any, Any]:
    x, y, q = world(questions, seed=seed, **how)
    return features_of(x, q), y, np.bincount(q, y)[q].astype(int)


def within(scores: Any, y: Any) -> float:
    each = [
        roc_auc_score(b, a) for a, b in zip(scores.reshape(-1, 8), y.reshape(-1, 8), strict=True) if 0 < b.sum() < 8
    ]
    return float(np.mean(each))


def test_counts_are_worth_nearly_as_much_as_labels_and_more_than_shares() -> None:
    from innerjudge import LogisticProbe

    gains, losses = [], []
    for seed in range(3):
        f, y, counts = drawn(200, seed=seed)
        new, new_y, _ = drawn(200, seed=seed + 100, like=seed)
        probe = CountedProbe(positions=["state"]).fit(f, counts)
        plain = LogisticProbe(positions=["state"])
        found, share, labels = (
            within(judge.decision_function(new), new_y)
            for judge in (probe, clone(plain).fit(f, counts / 8), clone(plain).fit(f, y))
        )
        gains.append(found - share)
        losses.append(labels - found)
        assert probe.log_likelihood_[0] != probe.log_likelihood_[1]
        np.testing.assert_allclose(probe.held_.reshape(-1, 8).sum(axis=1), counts[::8], atol=1e-6)
    assert np.mean(gains) >= 0.15
    assert np.mean(losses) <= 0.03


def test_booleans_are_counted_and_rates_are_rounded(tmp_path: Any) -> None:
    f, y, counts = drawn(60, seed=0)
    probe = CountedProbe(positions=["state"])
    found = clone(probe).fit(f, counts).decision_function(f)
    np.testing.assert_array_equal(clone(probe).fit(f, y).decision_function(f), found)
    rate = clone(probe).fit(f, counts * 3, np.full(480, 24))  # of three times as many
    np.testing.assert_array_equal(rate.decision_function(f), found)
    rate.save(tmp_path)
    back = BaseJudge.load(tmp_path)
    assert isinstance(back, CountedProbe)
    np.testing.assert_array_equal(back.decision_function(f), found)
    assert back.log_likelihood_ == rate.log_likelihood_
    order = np.random.default_rng(0).permutation(480)
    np.testing.assert_allclose(clone(probe).fit(f[order], counts[order]).decision_function(f), found, rtol=1e-6)


def test_both_likelihoods_are_equal_where_the_sign_cannot_be_told() -> None:
    # Half of each question right: what is right and what is wrong may trade places.
    z = np.random.default_rng(0).normal(size=(40, 2))
    z = (z.reshape(10, 4, 2) - z.reshape(10, 4, 2).mean(axis=1, keepdims=True)).reshape(40, 2)
    model = _SharedShift(z, np.repeat(np.arange(10), 4), np.full(10, 4), np.full(10, 2), 0.1)
    s = z[:, 0]
    assert model.fitted(s, 50, 1e-6)[3] == pytest.approx(model.fitted(-s, 50, 1e-6)[3], abs=1e-9)
    states = {"hidden/a": z[:, None].repeat(2, axis=1)}
    f = Features.from_arrays(states, provenance="m", groups=np.repeat(range(10), 4).tolist())
    with pytest.raises(InnerjudgeError, match="half of each in all of them"):
        CountedProbe(positions=["a"]).fit(f, np.full(40, 2))


@pytest.mark.parametrize(
    ("counts", "sampled", "message"),
    [
        ([1, 2, 1, 1, 1, 1], None, "question p with 2 right of 3, expected one count"),
        (
            [4, 4, 4, 1, 1, 1],
            None,
            "question p with 4 right of 3, expected 0 to as many as its answers: pass n_sampled",
        ),
        ([-1, -1, -1, 1, 1, 1], None, "expected 0 to as many as its answers"),
        ([0, 0, 0, 3, 3, 3], None, "none of them with both"),
        ([0.5, 0.5, 0.5, 1, 1, 1], None, "expected whole numbers"),
        ([4, 4, 4, 4, 4, 4], [8, 8, 8, 4, 8, 8], "one n_sampled"),
    ],
)
def test_counts_that_cannot_be(counts: Any, sampled: Any, message: str) -> None:
    states = np.random.default_rng(0).normal(size=(6, 2, 1))
    f = Features.from_arrays({"hidden/a": states}, provenance="m", groups="pppqqq")
    with pytest.raises(InnerjudgeError, match=message):
        CountedProbe(positions=["a"]).fit(f, counts, sampled)


@pytest.mark.filterwarnings("default")
def test_few_answers_for_wide_states_are_said() -> None:
    states = np.random.default_rng(0).normal(size=(6, 2, 5))
    f = Features.from_arrays({"hidden/a": states}, provenance="m", groups="pppqqq")
    with pytest.warns(UserWarning, match="6 answers to 2 questions for states of 5 numbers, expected four times"):
        CountedProbe(positions=["a"]).fit(f, [1, 1, 1, 2, 2, 2])
    for wrong in ({"rounds": 0}, {"tolerance": 0.0}, {"shrinkage": 2.0}, {"shrinkage": 0.0}):
        with pytest.raises(InnerjudgeError, match=r"given {}={}.*expected a".format(*next(iter(wrong.items())))):
            CountedProbe(**wrong)  # type: ignore[arg-type]
