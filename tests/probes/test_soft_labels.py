"""Soft labels, weights of items and centring in the question: against rows written out, and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from innerjudge import (
    CLUE,
    BaseJudge,
    DifferenceOfMeans,
    Features,
    InnerjudgeError,
    Length,
    LogisticProbe,
    MiniBatchLogistic,
    QuestionOnly,
    RidgeProbe,
    TokenLogProb,
    TunedLAGER,
)
from innerjudge.probes import PooledProbe, PromptSimilarity, StepOpponent
from innerjudge.probes.labels import best_threshold, centred, hard_rows, mixed_questions
from innerjudge.probes.regression import fit_logistic
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.preprocessing import StandardScaler

POSITIONS = ("prompt_end", "response_end", "reasoning_start", "reasoning_end", "score")
RNG = np.random.default_rng(3)
CORRECT = RNG.random(24) < 0.5
SOFT = RNG.random(24).round(2)
WEIGHTS = RNG.integers(0, 4, size=24)
TAKE: list[BaseJudge] = [
    LogisticProbe(), LogisticProbe(centre="question"), QuestionOnly(), DifferenceOfMeans(), MiniBatchLogistic(), CLUE(),
    PooledProbe(epochs=5), PooledProbe(epochs=5, loss="brier", each="state", balance=True, learning_rate=0.1),
]  # fmt: skip


def name(judge: BaseJudge) -> str:
    return repr(judge)


@pytest.mark.parametrize("judge", TAKE, ids=name)
@pytest.mark.parametrize("labels", [CORRECT.astype(float), CORRECT.astype(int)])
def test_hard_labels_and_equal_weights_give_the_plain_fit_bit_for_bit(make: Any, judge: BaseJudge, labels: Any) -> None:
    features = make()
    plain = clone(judge).fit(features, CORRECT).decision_function(features)
    np.testing.assert_array_equal(clone(judge).fit(features, labels).decision_function(features), plain)
    weighted = clone(judge).fit(features, labels, np.ones(24)).decision_function(features)
    np.testing.assert_allclose(weighted, plain, rtol=1e-5, atol=1e-6)


def test_hard_rows_are_the_two_items_that_a_soft_label_stands_for() -> None:
    # p = (1, .25, 0), w = (2, 4, 1): (0, right, 2), (1, right, 1), (1, wrong, 3), (2, wrong, 1)
    of, right, share = hard_rows(np.array([1, 0.25, 0]), np.array([2.0, 4.0, 1.0]))
    assert share is not None
    assert not isinstance(of, slice)
    assert (of.tolist(), right.tolist(), share.tolist()) == (
        [0, 1, 1, 2], [True, True, False, False], [2.0, 1.0, 3.0, 1.0]
    )  # fmt: skip


@pytest.mark.parametrize("judge", [LogisticProbe(C=0.1), DifferenceOfMeans(), CLUE(rank_by="margin")], ids=name)
def test_weights_of_whole_numbers_are_items_written_again(make: Any, judge: BaseJudge) -> None:
    features = make()
    again = np.repeat(np.arange(24), WEIGHTS)
    ids = tuple(f"r{k}" for k in range(len(again)))
    names = [n for n in features.arrays if n.startswith("hidden/") and "." not in n]
    written = Features.from_arrays(
        {n: features[n][again] for n in names}, provenance=features.provenance, ids=ids,
        groups=[features.groups[k] for k in again],
    )  # fmt: skip
    expected = clone(judge).fit(written, CORRECT[again]).decision_function(features)
    found = clone(judge).fit(features, CORRECT, WEIGHTS).decision_function(features)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_logistic_soft_labels_are_the_cross_entropy_of_scikit_learn_on_doubled_rows(make: Any) -> None:
    features = make()
    x = features["hidden/reasoning_end"][:, -1].astype(float)
    probe = LogisticProbe(positions=["reasoning_end"], C=0.1).fit(features, SOFT, WEIGHTS)
    scaler = StandardScaler().fit(x, sample_weight=WEIGHTS)
    z = scaler.transform(np.concatenate([x, x]))
    w = np.concatenate([WEIGHTS * SOFT, WEIGHTS * (1 - SOFT)])
    oracle = LogisticRegression(C=0.1, tol=1e-10, max_iter=10_000).fit(z, np.arange(48) < 24, w)
    np.testing.assert_allclose(probe.decision_function(features), oracle.decision_function(z[:24]), atol=1e-5)
    groups = features.groups
    # The penalty is the one of the lowest weighted cross-entropy on held-out questions.
    found = fit_logistic(x, SOFT, groups, (1e-3, 1.0), WEIGHTS.astype(float))
    losses = []
    for c in (1e-3, 1.0):
        s = fit_logistic(x, SOFT, groups, (c,), WEIGHTS.astype(float)).held_out
        losses.append((WEIGHTS * (np.logaddexp(0, s) - SOFT * s)).sum())
    assert found.penalty == (1e-3, 1.0)[int(np.argmin(losses))]


def test_difference_of_means_by_hand() -> None:
    # x = 0, 2, 4 with p = 0, .5, 1: right (.5 * 2 + 4) / 1.5 = 10/3, wrong (0 + .5 * 2) / 1.5 = 2/3.
    x = np.array([0.0, 2, 4])[:, None, None].repeat(3, axis=1)
    f = Features.from_arrays({"hidden/a": x}, provenance="m")
    probe = DifferenceOfMeans(positions=["a"]).fit(f, [0, 0.5, 1])
    assert probe.coef_ == pytest.approx([8 / 3])
    assert probe.n_seen_.tolist() == [1.5, 1.5]
    # Weights (1, 0, 3): right 4, wrong 0, zero half-way at 2: intercept -4 * 2.
    probe = DifferenceOfMeans(positions=["a"]).fit(f, [False, True, True], [1, 0, 3])
    assert (probe.coef_.tolist(), probe.intercept_, probe.n_seen_.tolist()) == ([4.0], -8.0, [1.0, 3.0])


@pytest.mark.parametrize("judge", TAKE, ids=name)
def test_parts_held_out_rows_and_files_take_them_too(make: Any, judge: BaseJudge, tmp_path: Any) -> None:
    features = make()
    whole = clone(judge).fit(features, SOFT, WEIGHTS)
    cut = [np.arange(12), np.arange(12, 24)]
    parts = clone(judge).fit_parts([(features[rows], SOFT[rows], WEIGHTS[rows]) for rows in cut])
    if not isinstance(judge, MiniBatchLogistic):  # its steps follow the parts
        np.testing.assert_allclose(parts.decision_function(features), whole.decision_function(features), rtol=1e-9)
    held = clone(judge).fit_held_out(features, SOFT, WEIGHTS)
    assert np.isfinite(held).all()
    whole.save(tmp_path)
    np.testing.assert_array_equal(
        BaseJudge.load(tmp_path).decision_function(features), whole.decision_function(features)
    )


@pytest.mark.parametrize("centre", ["none", "question"])
def test_best_row_by_soft_labels(make: Any, centre: Any) -> None:
    states = np.random.default_rng(0).normal(size=(24, 5, 4))
    states[:, 2, 0] = 40 * SOFT - 20  # only row 2 knows
    features = make(hidden__score=states)
    probe = LogisticProbe(positions=["score"], row="best", centre=centre)
    assert probe.fit(features, SOFT).row_ == 2
    assert probe.fit(features, SOFT, WEIGHTS).row_ == 2
    assert probe.fit(features, SOFT > 0.5).row_ == 2


def test_weights_that_leave_one_class_are_refused(make: Any) -> None:
    features = make()
    with pytest.raises(InnerjudgeError, match="0 incorrect items to fit on"):
        LogisticProbe().fit(features, CORRECT, CORRECT.astype(float))
    for wrong in (np.ones(3), -np.ones(24), np.full(24, np.nan)):
        with pytest.raises(InnerjudgeError, match=r"sample_weight .* expected one finite number of 0 or more each"):
            LogisticProbe().fit(features, CORRECT, wrong)
    with pytest.raises(InnerjudgeError, match="all have sample_weight 0"):
        RidgeProbe().fit(features, SOFT, np.zeros(24))
    with pytest.raises(InnerjudgeError, match="true or false"):
        LogisticProbe().fit(features, SOFT * 2)


@pytest.mark.parametrize(
    "judge", [Length(), TunedLAGER(), TokenLogProb(), StepOpponent(), PromptSimilarity()], ids=name
)
def test_others_refuse_weights_and_name_those_that_take_them(make: Any, judge: BaseJudge) -> None:
    fit: Any = judge.fit
    for how in ({"sample_weight": WEIGHTS}, {}):
        with pytest.raises(InnerjudgeError, match="RidgeProbe, CLUE without balance, DifferenceOfMeans, LogisticProbe"):
            fit(make(), CORRECT, *(() if how else (WEIGHTS,)), **how)


@pytest.mark.parametrize("judge", [Length(), TokenLogProb(), CLUE(balance=True)], ids=name)
def test_others_refuse_soft_labels_and_name_those_that_take_them(make: Any, judge: BaseJudge) -> None:
    with pytest.raises(
        InnerjudgeError, match="numbers between 0 and 1 are for CLUE without balance, DifferenceOfMeans"
    ):
        judge.fit(make(), SOFT)


def test_scikit_learn_hands_weights_on_by_its_own_name(make: Any) -> None:
    features = make()
    judge, cv = LogisticProbe(C=0.1), GroupKFold(3)
    found = cross_val_score(
        judge, features, CORRECT, groups=features.groups, cv=cv, params={"sample_weight": WEIGHTS.astype(float)}
    )
    by_hand = [
        clone(judge).fit(features[a], CORRECT[a], WEIGHTS[a]).score(features[b], CORRECT[b])
        for a, b in cv.split(np.zeros(24), CORRECT, features.groups)
    ]
    np.testing.assert_array_equal(found, by_hand)
    search = GridSearchCV(LogisticProbe(), {"C": [0.1], "centre": ["none", "question"]}, cv=cv)
    search.fit(features, CORRECT, groups=features.groups, sample_weight=WEIGHTS.astype(float))
    assert search.best_params_["C"] == 0.1


def test_centring_by_hand() -> None:
    # question a: 1, 3 (mean 2) -> -1, 1; question b: 10 -> 0
    np.testing.assert_array_equal(centred(np.array([[1.0], [10.0], [3.0]]), ("a", "b", "a")), [[-1], [0], [1]])
    labels = np.array([True, False, False, False])
    assert mixed_questions(labels, ("a", "a", "b", "b"), None).tolist() == [True, True, False, False]
    # The first item does not count: then a has one class, and none is left.
    assert not mixed_questions(labels, ("a", "a", "b", "b"), np.array([0.0, 1, 1, 1])).any()
    # Rows that count: 1, 3 (mean 2) of 1, 3, 8 -> -1, 1, 6.
    counted = centred(np.array([[1.0], [3.0], [8.0]]), ("a", "a", "a"), np.array([1.0, 2.0, 0.0]))
    np.testing.assert_array_equal(counted, [[-1], [1], [6]])


def test_a_question_with_some_labels_tells_something_of_a_class(make: Any) -> None:
    """Less the mean of all, an answer that is known to be right points away from those that nobody labelled."""
    labels, groups = np.array([True, False, False, False, True]), ("a", "a", "b", "b", "c")
    known = np.array([1.0, 0, 1, 1, 0])  # a has one right answer and one unknown, b two wrong ones, c no label
    assert mixed_questions(labels, groups, known, partly=True).tolist() == [True, True, False, False, False]
    assert not mixed_questions(labels, groups, known).any()
    features = make()  # eight questions of three
    first = (np.arange(24) % 3 == 0).astype(float)
    probe = LogisticProbe(positions=["score"], centre="question", C=0.1).fit(features, CORRECT, first)
    z = centred(features["hidden/score"][:, -1].astype(float), features.groups)[::3]
    scaler = StandardScaler().fit(z)
    theirs = LogisticRegression(C=0.1, tol=1e-8).fit(scaler.transform(z), CORRECT[::3])
    np.testing.assert_allclose(probe.coef_, theirs.coef_[0] / scaler.scale_, rtol=1e-4, atol=1e-6)
    whole = np.where(np.arange(24) < 6, 1.0, first)  # all of q0 and q1 are labelled: right, and wrong
    y = np.where(np.arange(24) < 6, np.arange(24) < 3, CORRECT)
    some = LogisticProbe(positions=["score"], centre="question", C=0.1)
    rest = clone(some).fit(features[np.arange(6, 24)], y[6:], whole[6:])
    np.testing.assert_allclose(some.fit(features, y, whole).coef_, rest.coef_, atol=1e-12)
    with pytest.raises(InnerjudgeError, match="expected some with both"):  # what is left is right throughout
        some.fit(features, (np.arange(24) < 3) | (np.arange(24) > 5), whole)


def test_questions_of_one_label_cannot_be_centred(make: Any) -> None:
    features = make(4)  # three items of q0, one of q1
    with pytest.raises(InnerjudgeError, match="2 questions whose items are each of one label"):
        LogisticProbe(positions=["score"], centre="question").fit(features, [True, True, True, False])


@pytest.mark.parametrize("judge", [LogisticProbe(), DifferenceOfMeans(), CLUE(), MiniBatchLogistic()], ids=name)
def test_a_part_without_weights_has_weights_of_one(judge: BaseJudge, make: Any) -> None:
    a, b, weight = make(), make(seed=1), np.linspace(0.1, 3, 24)
    parts = [(a, CORRECT, np.ones(24)), (b, CORRECT, weight)]
    expected = clone(judge).fit_parts(parts).decision_function(a)
    for some in ((a, CORRECT), (a, CORRECT, None)):
        found = clone(judge).fit_parts([some, parts[1]]).decision_function(a)
        np.testing.assert_allclose(found, expected, atol=1e-9)
    plain = clone(judge).fit_parts([(a, CORRECT), (b, CORRECT)]).decision_function(a)
    assert not np.allclose(plain, expected)


def test_grades_of_weight_zero_do_not_count_in_a_centred_ridge(make: Any) -> None:
    features, grades = make(), np.arange(24) % 5 + 1.0
    weight = np.arange(24) % 3 / 2  # the first of each question has none
    probes = [RidgeProbe(centre="question").fit(features, g, weight) for g in (grades, grades + 40 * (weight == 0))]
    np.testing.assert_array_equal(probes[0].coef_, probes[1].coef_)
    with pytest.raises(InnerjudgeError, match="expected at least two different ones"):
        RidgeProbe().fit(features, grades, (grades == 2).astype(float))


def test_folds_of_which_nothing_can_be_learned_are_left_out(make: Any) -> None:
    features = make()
    weight = ((np.arange(24) < 3) | ~CORRECT).astype(float)  # right answers count in the first question only
    for judge in (DifferenceOfMeans(positions=["score"]), DifferenceOfMeans(positions=["score"], row="best")):
        held = clone(judge).fit_held_out(features, CORRECT, weight) if judge.row == -1 else None
        assert held is None or np.isnan(held[:3]).all()
        clone(judge).fit(features, CORRECT, weight)
    LogisticProbe(positions=["score"], centre="question").fit_held_out(features, CORRECT, weight)


def test_judges_of_others_keep_their_own_fit(make: Any) -> None:
    class Plain(LogisticProbe):
        def fit(self, features: Features, labels: Any) -> Any:  # type: ignore[override]
            return super().fit(features, labels)

    class Own(LogisticProbe):
        def fit(self, features: Features, labels: Any, *, sample_weight: Any = None) -> Any:  # type: ignore[override]
            return super().fit(features, labels, sample_weight)

    class Chunks(CLUE):
        def partial_fit(self, features: Features, labels: Any) -> Any:  # type: ignore[override]
            return super().partial_fit(features, labels)

    features = make()
    assert len(Plain().fit_held_out(features, CORRECT)) == 24
    weight = np.linspace(0.1, 3, 24)
    np.testing.assert_array_equal(
        Own().fit(features, CORRECT, sample_weight=weight).coef_, LogisticProbe().fit(features, CORRECT, weight).coef_
    )
    assert Chunks().fit(features, CORRECT).predict(features).dtype == bool
    for bad in (2.0, ["a"] * 24):
        with pytest.raises(InnerjudgeError, match="given sample_weight"):
            LogisticProbe().fit(features, CORRECT, bad)


def test_a_centred_probe_is_the_plain_one_on_centred_states(make: Any) -> None:
    features, new = make(), make(seed=1)
    probe = LogisticProbe(positions=["score"], centre="question").fit(features, CORRECT)
    x = features["hidden/score"][:, -1].astype(float)
    kept = mixed_questions(CORRECT, features.groups, None)
    groups = tuple(np.array(features.groups)[kept])
    plain = fit_logistic(centred(x, features.groups)[kept], CORRECT[kept], groups, (1e-4, 1e-3, 1e-2, 1e-1, 1.0))
    np.testing.assert_allclose(probe.coef_, plain.coef, atol=1e-12)
    raw = x @ probe.coef_
    assert probe.intercept_ == -best_threshold(raw, CORRECT)
    np.testing.assert_allclose(
        probe.decision_function(new), new["hidden/score"][:, -1].astype(float) @ probe.coef_ + probe.intercept_
    )


def test_an_item_of_weight_zero_takes_part_in_the_mean_of_its_question_alone() -> None:
    # One question: x = -1 (wrong), 1 (right), 9 without a label: the mean is 3, centred -4 and -2.
    x = np.array([-1.0, 1, 9])[:, None, None].repeat(3, axis=1)
    f = Features.from_arrays({"hidden/a": x}, provenance="m", groups="qqq")
    probe = LogisticProbe(positions=["a"], centre="question", C=1.0).fit(f, [0, 1, 0], [1, 1, 0])
    alone = LogisticProbe(positions=["a"], C=1.0).fit(f[:2], [0, 1])
    np.testing.assert_allclose(probe.coef_, alone.coef_, atol=1e-7)  # two items: a shift of both changes nothing
    assert -probe.intercept_ / probe.coef_[0] == pytest.approx(0)  # half-way between -1 and 1


def test_centred_ridge_is_the_within_estimator() -> None:
    # y = 2 x + level of the question, levels that run against x: pooled slope is wrong, within is 2.
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 4)
    x = rng.normal(size=40) + groups
    y = 2 * x - 5 * groups
    f = Features.from_arrays(
        {"hidden/score": x[:, None, None].repeat(3, axis=1)}, provenance="m", groups=groups.tolist()
    )
    probe = RidgeProbe(candidates=[1e-9], centre="question").fit(f, y)
    assert probe.coef_ == pytest.approx([2.0], rel=1e-5)
    assert probe.decision_function(f).mean() == pytest.approx(y.mean())
    assert RidgeProbe(candidates=[1e-9]).fit(f, y).coef_[0] < 0


def test_centring_is_blind_to_what_makes_a_question_easy() -> None:
    """The world of the study in ``bench/weak``: "this question is easy" is written in the states."""
    from innerjudge.experiments.bench.weak.worlds import features_of, world

    gains = []
    for seed in range(3):
        x, y, q = world(40, seed=seed)
        new_x, new_y, new_q = world(150, seed=100 + seed, like=seed)
        found = []
        for centre in ("none", "question"):
            judge = LogisticProbe(positions=["state"], centre=centre).fit(features_of(x, q), y)  # type: ignore[arg-type]
            scores = judge.decision_function(features_of(new_x, new_q))
            mixed = [k for k in np.unique(new_q) if 0 < new_y[new_q == k].sum() < 8]
            found.append(np.mean([roc_auc_score(new_y[new_q == k], scores[new_q == k]) for k in mixed]))
        gains.append(found[1] - found[0])
    assert np.mean(gains) >= 0.03


def test_centre_must_be_known() -> None:
    with pytest.raises(InnerjudgeError, match="'none' or 'question'"):
        LogisticProbe(centre="item")  # type: ignore[arg-type]
