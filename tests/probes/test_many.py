"""Many probes at once are what a loop over scikit-learn gives, probe by probe."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.models.errors import InnerjudgeError
from innerjudge.probes.labels import folds
from innerjudge.probes.regression import LOGISTIC_CANDIDATES, RIDGE_CANDIDATES, ManyProbes, fit_many
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PROBES, N, WIDTH = 3, 60, 7


def drawn(seed: int, *, n: int = N, width: int = WIDTH) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(PROBES, n, width)).astype(np.float32) * rng.uniform(0.1, 30, size=width) + 5
    signal = (x[:, :, 0] - 5) / x[:, :, 0].std() * np.array([2.0, 0.5, 0.0])[:, None]
    truth = signal[0] + signal[1] + rng.normal(size=n)
    return x, truth > np.median(truth), truth, [f"q{k // 4}" for k in range(n)]


def naive_logistic(x: np.ndarray, y: np.ndarray, groups: list[str]) -> tuple[np.ndarray, float, float, np.ndarray]:
    """One probe, by a loop over scikit-learn with its exact solver."""

    def model(c: float) -> object:
        return make_pipeline(StandardScaler(), LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12))

    losses, held = [], []
    for c in LOGISTIC_CANDIDATES:
        scores, loss = np.zeros(len(y)), 0.0
        for train, test in folds(tuple(groups)):
            fitted = model(c).fit(x[train], y[train])
            scores[test] = fitted.decision_function(x[test])
            loss += log_loss(y[test], fitted.predict_proba(x[test])[:, 1], labels=[False, True]) * len(test)
        losses.append(loss)
        held.append(scores)
    best = int(np.argmin(losses))
    whole = model(LOGISTIC_CANDIDATES[best]).fit(x, y)
    return whole.decision_function(x), LOGISTIC_CANDIDATES[best], losses[best], held[best]


@pytest.mark.parametrize("width", [WIDTH, 200])
def test_logistic_is_the_loop_over_scikit_learn(width: int) -> None:
    x, y, _, groups = drawn(0, width=width)
    found = fit_many("logistic", x, y, groups)
    for k in range(PROBES):
        scores, c, _, held = naive_logistic(x[k].astype(np.float64), y, groups)
        assert found.penalty[k] == c
        np.testing.assert_allclose(found.decision_function(x)[k], scores, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found.held_out[k], held, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [WIDTH, 200])
def test_ridge_is_the_loop_over_scikit_learn(width: int) -> None:
    x, _, truth, groups = drawn(1, width=width)
    found = fit_many("ridge", x, truth, groups)
    for k in range(PROBES):
        own, losses, held = x[k].astype(np.float64), [], []
        for alpha in RIDGE_CANDIDATES:
            scores = np.zeros(N)
            for train, test in folds(tuple(groups)):
                model = make_pipeline(StandardScaler(), Ridge(alpha=alpha, solver="svd"))
                scores[test] = model.fit(own[train], truth[train]).predict(own[test])
            losses.append(((scores - truth) ** 2).sum())
            held.append(scores)
        best = int(np.argmin(losses))
        whole = make_pipeline(StandardScaler(), Ridge(alpha=RIDGE_CANDIDATES[best], solver="svd")).fit(own, truth)
        assert found.penalty[k] == RIDGE_CANDIDATES[best]
        np.testing.assert_allclose(found.coef[k], whole[1].coef_ / whole[0].scale_, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(found.decision_function(x)[k], whole.predict(own), rtol=1e-6)
        np.testing.assert_allclose(found.held_out[k], held[best], rtol=1e-6)


def test_processes_change_nothing() -> None:
    x, y, _, groups = drawn(4)
    one, two = (fit_many("logistic", x, y, groups, n_jobs=n) for n in (None, 2))
    np.testing.assert_array_equal(one.coef, two.coef)
    np.testing.assert_array_equal(one.held_out, two.held_out)


@pytest.mark.parametrize("width", [3, 40])
def test_vectors_that_do_not_vary_say_the_share_of_right(width: int) -> None:
    # Nothing to learn but the intercept: 3 of 4 are right, log-odds log 3.
    found = fit_many("logistic", np.ones((1, 8, width)), [True, True, True, False] * 2, list("abcdefgh"))
    assert (found.coef == 0).all()
    np.testing.assert_allclose(found.intercept, np.log(3), rtol=1e-6)


def test_ridge_by_hand() -> None:
    # x = -1, 1 (mean 0, deviation 1), y = 0, 2: slope = sum(x * (y - 1)) / (sum(x^2) + alpha) = 2 / (2 + 2) = 0.5
    found = fit_many("ridge", np.array([[[-1.0], [1.0]]]), [0.0, 2.0], ["a", "b"], candidates=[2.0])
    assert found.coef.tolist() == [[0.5]]
    assert found.intercept.tolist() == [1.0]
    # Without "b" the mean of the rest is 0 and nothing varies: "b" is given 0; "a" is given 2.
    assert found.held_out.tolist() == [[2.0, 0.0]]


def test_held_out_scores_never_saw_their_question() -> None:
    x, y, _, groups = drawn(2)
    found = fit_many("logistic", x, y, groups)
    flipped = y.copy()
    rows = np.array([g == groups[0] for g in groups])
    flipped[rows] = ~flipped[rows]
    again = fit_many("logistic", x, flipped, groups, candidates=[1e-2])
    same = fit_many("logistic", x, y, groups, candidates=[1e-2])
    np.testing.assert_array_equal(again.held_out[:, rows], same.held_out[:, rows])
    assert isinstance(found, ManyProbes)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 12))
def test_a_probe_does_not_depend_on_its_neighbours(seed: int, width: int) -> None:
    x, y, _, groups = drawn(seed, n=24, width=width)
    together = fit_many("logistic", x, y, groups)
    for k in range(PROBES):
        alone = fit_many("logistic", x[k : k + 1], y, groups)
        np.testing.assert_allclose(
            together.decision_function(x)[k], alone.decision_function(x[k : k + 1])[0], atol=1e-4
        )


def test_separable_classes_and_constant_dimensions_end() -> None:
    x = np.zeros((1, 20, 3))
    x[0, :, 0] = np.arange(20)
    x[0, :, 1] = 7.0
    y = np.arange(20) >= 10
    found = fit_many("logistic", x, y, [str(k) for k in range(20)], candidates=[1e4])
    assert np.isfinite(found.coef).all()
    assert ((found.decision_function(x)[0] > 0) == y).all()


def test_what_cannot_be_fitted_is_told() -> None:
    x, y, truth, groups = drawn(3)
    with pytest.raises(InnerjudgeError, match="'logistic' or 'ridge'"):
        fit_many("svm", x, y, groups)  # type: ignore[arg-type]
    with pytest.raises(InnerjudgeError, match="probes, items, width"):
        fit_many("logistic", x[0], y, groups)
    with pytest.raises(InnerjudgeError, match="one an item"):
        fit_many("ridge", x, truth[:-1], groups)
    with pytest.raises(InnerjudgeError):
        fit_many("logistic", x, np.ones(N, bool), groups)
    x[0, 0, 0] = np.nan
    with pytest.raises(InnerjudgeError, match="infinite values or NaN"):
        fit_many("logistic", x, y, groups)
