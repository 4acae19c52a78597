"""Linear probes, baselines, and what they learn from, against scikit-learn and by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from innerjudge.models import InnerjudgeError
from innerjudge.probes import CLUE, DifferenceOfMeans, Length, LogisticProbe, QuestionOnly, RidgeProbe, TokenLogProb
from innerjudge.probes.labels import best_threshold
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

CORRECT = np.random.default_rng(4).random(24) < 0.5
RATINGS = np.random.default_rng(5).uniform(1, 5, size=24)


def exact_logistic():
    """scikit-learn's logistic regression of one penalty, carried to its end."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, solver="newton-cholesky", tol=1e-12))


def states(features, *positions, row=-1):
    return np.concatenate([features[f"hidden/{p}"][:, row].astype(float) for p in positions], axis=1)


def test_difference_of_means_is_nearest_centroid(make):
    features, new = make(), make(seed=1)
    probe = DifferenceOfMeans().fit(features, CORRECT)
    x, held = (states(f, "reasoning_end") - states(f, "reasoning_start") for f in (features, new))
    oracle = NearestCentroid().fit(x, CORRECT)
    assert probe.predict(new).tolist() == oracle.predict(held).tolist()
    np.testing.assert_allclose(probe.coef_, oracle.centroids_[1] - oracle.centroids_[0], rtol=1e-9)
    wrong, right = (((held - c) ** 2).sum(axis=1) for c in oracle.centroids_)
    np.testing.assert_allclose(probe.decision_function(new), (wrong - right) / 2, rtol=1e-9)
    first = new.take([0])
    assert probe.predict(first)[0] == (right[0] < wrong[0])


def test_difference_of_means_agrees_with_clue_of_one_layer(make):
    features = make()
    names = ("hidden/reasoning_start", "hidden/reasoning_end")
    features = replace(features, arrays={name: features[name][:, [0, 1, 2]] for name in names})  # one block of rows
    linear, clue = DifferenceOfMeans().fit(features, CORRECT), CLUE().fit(features, CORRECT)
    assert linear.predict(features).tolist() == clue.predict(features).tolist()


@pytest.mark.parametrize(
    ("options", "x"),
    [
        ({}, lambda f: states(f, "reasoning_start", "reasoning_end")),
        ({"combine": "delta"}, lambda f: states(f, "reasoning_end") - states(f, "reasoning_start")),
        ({"row": 2}, lambda f: states(f, "reasoning_start", "reasoning_end", row=2)),
        ({"row": -2}, lambda f: states(f, "reasoning_start", "reasoning_end", row=3)),
        ({"positions": ["score"]}, lambda f: states(f, "score")),
    ],
)
def test_logistic_probe_equals_scikit_learn(options, x, make):
    features, new = make(), make(seed=1)
    probe = LogisticProbe(candidates=[0.1], **options).fit(features, CORRECT)
    oracle = exact_logistic().fit(x(features), CORRECT)
    np.testing.assert_allclose(probe.decision_function(new), oracle.decision_function(x(new)), rtol=1e-6, atol=1e-9)
    assert probe.C_ == 0.1
    assert isinstance(probe.coef_, np.ndarray)


def test_the_penalty_is_chosen_without_splitting_questions(make):
    features = make()
    x = states(features, "reasoning_start", "reasoning_end")
    candidates, losses, errors = (1e-3, 1e-1, 10.0), [], []
    for c in candidates:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
        cv = {"cv": GroupKFold(5), "groups": features.groups}
        losses.append(log_loss(CORRECT, cross_val_predict(model, x, CORRECT, method="predict_proba", **cv)[:, 1]))
        model = make_pipeline(StandardScaler(), Ridge(alpha=c))
        errors.append(((cross_val_predict(model, x, RATINGS, **cv) - RATINGS) ** 2).mean())
    probe = LogisticProbe(candidates=candidates).fit(features, CORRECT)
    best = candidates[np.argmin(losses)]
    assert best == probe.C_
    two = RidgeProbe(positions=("reasoning_start", "reasoning_end"), candidates=candidates).fit(features, RATINGS)
    assert two.alpha_ == candidates[np.argmin(errors)]


def test_one_question_takes_the_strongest_penalty(make):
    features = make(n=3)
    assert LogisticProbe().fit(features, [True, False, True]).C_ == 1e-4
    assert RidgeProbe().fit(features, [1, 2, 3]).alpha_ == 1e4


def test_ridge_equals_scikit_learn(make):
    features, new = make(), make(seed=1)
    probe = RidgeProbe(candidates=[2.0]).fit(features, RATINGS)
    oracle = make_pipeline(StandardScaler(), Ridge(alpha=2.0)).fit(states(features, "score"), RATINGS)
    np.testing.assert_allclose(probe.decision_function(new), oracle.predict(states(new, "score")), rtol=1e-9)
    assert probe.predict(new).tolist() == probe.decision_function(new).tolist()


def test_a_row_that_is_not_there(make):
    with pytest.raises(InnerjudgeError, match=r"row=5 of 5 rows h\[0..3\] and normed, expected -5 to 4"):
        DifferenceOfMeans(row=5).fit(make(), CORRECT)


def test_question_only_sees_the_prompt_only(make):
    features = make()
    features = replace(features, arrays={"hidden/prompt_end": features["hidden/prompt_end"]})
    probe = QuestionOnly(candidates=[0.1]).fit(features, CORRECT)
    x = states(features, "prompt_end")
    oracle = exact_logistic().fit(x, CORRECT)
    np.testing.assert_allclose(probe.decision_function(features), oracle.decision_function(x), rtol=1e-6, atol=1e-9)
    assert probe.predict(features).tolist() == oracle.predict(x).tolist()
    rating = QuestionOnly(target="rating", candidates=[2.0]).fit(features, RATINGS)
    oracle = make_pipeline(StandardScaler(), Ridge(alpha=2.0)).fit(x, RATINGS)
    np.testing.assert_allclose(rating.decision_function(features), oracle.predict(x), rtol=1e-9)


def test_token_log_probability(make):
    features = make(n=3, logprob=[[-6, 3], [-4, 4], [0, 0]])
    verdicts = TokenLogProb().verdicts(features)
    assert [v.score for v in verdicts] == [-2.0, -1.0, None]  # -6/3, -4/4
    assert verdicts[2].unscored == "no response tokens"
    assert [v.score for v in TokenLogProb(total=True).verdicts(features)][:2] == [-6.0, -4.0]
    judge = TokenLogProb().fit(features.take([0, 1]), [False, True])
    assert judge.threshold_ == -1.5
    assert [v.label for v in judge.verdicts(features)] == [False, True, None]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12))
@example(697, 8)  # an AUROC of exactly one half, which scikit-learn sums to the float just below it
def test_length_learns_the_better_sign(make, seed, n):
    rng = np.random.default_rng(seed)
    features = make(n=n, logprob=np.stack([-np.ones(n), rng.integers(1, 6, size=n)], axis=1))
    right = np.r_[True, False, rng.random(n - 2) < 0.5]
    length = Length().fit(features, right)
    assert roc_auc_score(right, length.decision_function(features)) >= 0.5 - 1e-15
    assert balanced_accuracy_score(right, length.predict(features)) >= 0.5
    rating = Length(target="rating").fit(features, np.r_[1.0, 5.0, rng.uniform(1, 5, n - 2)])
    assert rating.sign_ in (-1, 1)
    assert rating.predict(features).tolist() == [None] * n


def test_length_on_ratings_follows_the_rank_correlation(make):
    features = make()
    tokens = features["logprob"][:, 1]
    want = 1 if spearmanr(tokens, RATINGS).statistic > 0 else -1
    assert Length(target="rating").fit(features, RATINGS).sign_ == want
    assert Length(target="rating").fit(features, -RATINGS).sign_ == -want
    even = make(logprob=np.tile([-1.0, 7.0], (24, 1)))
    assert Length().fit(even, CORRECT).sign_ == -1  # all of one length: nothing learnt, shorter is better


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=12))
def test_the_best_threshold_is_the_best(pairs):
    scores, right = np.array([p[0] for p in pairs], dtype=float), np.array([p[1] for p in pairs])
    if right.all() or not right.any():
        return
    found = balanced_accuracy_score(right, scores > best_threshold(scores, right))
    assert found == pytest.approx(max(balanced_accuracy_score(right, scores > t) for t in np.arange(-4, 4.5, 0.5)))


def test_thresholds_between_neighbouring_floats():
    low = 1.0
    scores = np.array([low, np.nextafter(low, 2)])
    assert (scores > best_threshold(scores, np.array([False, True]))).tolist() == [False, True]
