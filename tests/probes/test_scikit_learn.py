"""Judges and features where scikit-learn expects estimators and arrays: clone, splits, searches, pipelines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from innerjudge import (
    CLUE,
    LAGER,
    BaseJudge,
    DifferenceOfMeans,
    EScore,
    Features,
    InnerjudgeError,
    Length,
    LetterLogits,
    LogisticProbe,
    MiniBatchLogistic,
    QKScore,
    QuestionOnly,
    RidgeProbe,
    RowSelector,
    TextJudge,
    TokenLogProb,
    TunedLAGER,
)
from innerjudge.probes import (
    EigenScore,
    LLMCheck,
    PooledProbe,
    ReadoutProbe,
    ReDeEP,
    SemanticEntropyProbe,
    StepOpponent,
    TokenConfidence,
    Trajectory,
    VerdictProbe,
)
from joblib import parallel_config
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

N, ROWS, WIDTH = 60, 4, 6
READOUT = "hidden/reasoning_end"


@pytest.fixture
def data() -> tuple[Features, np.ndarray[Any, Any], list[str]]:
    """States of 60 items of 12 questions that tell the class in rows 2 and 3, with noise."""
    rng = np.random.default_rng(0)
    y = rng.random(N) < 0.5
    states = rng.normal(size=(N, ROWS, WIDTH))
    states[:, 2:, 0] += 1.5 * (2 * y[:, None] - 1)
    groups = [f"q{k % 12}" for k in range(N)]
    arrays = {READOUT: states, "hidden/reasoning_start": np.zeros_like(states), "hidden/score": states}
    return Features.from_arrays(arrays, provenance="made up", groups=groups), y, groups


def probe(**params: Any) -> LogisticProbe:
    return LogisticProbe(positions=("reasoning_end",), **params)


def test_cross_val_score_is_the_loop_over_the_folds(data: Any) -> None:
    f, y, g = data
    found = cross_val_score(probe(), f, y, groups=g, cv=GroupKFold(4))
    by_hand = []
    for train, test in GroupKFold(4).split(np.zeros(N), y, g):
        fitted = probe().fit(f[train], y[train])
        by_hand.append((fitted.predict(f[test]) == y[test]).mean())
    np.testing.assert_array_equal(found, by_hand)
    assert found.mean() > 0.8
    assert cross_val_score(LogisticProbe(), f, y, groups=g, cv=GroupKFold()).shape == (5,)
    area = cross_val_score(CLUE(), f, y, groups=g, cv=GroupKFold(4), scoring="roc_auc")
    train, test = next(GroupKFold(4).split(np.zeros(N), y, g))
    clue = CLUE().fit(f[train], y[train])
    assert area[0] == roc_auc_score(y[test], clue.decision_function(f[test]))


@pytest.mark.parametrize("jobs", [None, 2])
def test_grid_search_by_question(data: Any, jobs: int | None) -> None:
    f, y, g = data
    grid = {"C": [1e-3, 1.0], "row": [1, 3]}
    search = GridSearchCV(probe(), grid, cv=GroupKFold(3), n_jobs=jobs, error_score="raise")
    with parallel_config(backend="multiprocessing"):  # forks: others would first import what this process has
        found = search.fit(f, y, groups=g)
    assert found.best_params_["row"] == 3  # row 1 is noise
    assert found.best_params_["C"] == found.best_estimator_.C_
    assert found.predict(f).tolist() == found.best_estimator_.predict(f).tolist()
    table = found.cv_results_
    k = table["params"].index(found.best_params_)
    alone = cross_val_score(probe(**found.best_params_), f, y, groups=g, cv=GroupKFold(3))
    assert table["mean_test_score"][k] == pytest.approx(alone.mean())


def test_pipelines_over_a_row(data: Any) -> None:
    f, y, g = data
    steps = [RowSelector(READOUT), StandardScaler(), PCA(3), LogisticRegression()]
    pipeline = make_pipeline(*steps)
    plain = make_pipeline(*(clone(step) for step in steps[1:]))
    x = f[READOUT][:, -1].astype(float)
    np.testing.assert_array_equal(
        cross_val_score(pipeline, f, y, groups=g, cv=GroupKFold(3)),
        cross_val_score(plain, x, y, groups=g, cv=GroupKFold(3)),
    )
    found = GridSearchCV(pipeline, {"rowselector__row": [0, 2], "pca__n_components": [1, 3]}, cv=GroupKFold(3))
    assert found.fit(f, y, groups=g).best_params_["rowselector__row"] == 2
    both = FeatureUnion([(str(row), RowSelector(READOUT, row=row)) for row in (1, 2)])
    np.testing.assert_array_equal(both.fit_transform(f), f[READOUT][:, 1:3].reshape(N, -1))
    everything = Pipeline([("x", RowSelector(READOUT, row=None)), ("y", Ridge())])
    assert everything.fit(f, y.astype(float)).named_steps["x"].width_ == ROWS * WIDTH
    for wrong in (RowSelector("hidden/none"), RowSelector(READOUT, row=4)):
        with pytest.raises(InnerjudgeError, match="expected"):
            wrong.fit(f)
    other = Features.from_arrays(f.arrays, provenance="another")
    with pytest.raises(InnerjudgeError, match="fingerprint"):
        pipeline.fit(f, y).predict(other)


def test_items_without_a_readout_are_left_out_by_hand(data: Any) -> None:
    from dataclasses import replace

    f, y, g = data
    lost = replace(f, missing={READOUT: {"0": "no </think>"}})
    with pytest.raises(InnerjudgeError, match=r"features.present\('hidden/reasoning_end'\)"):
        RowSelector(READOUT).fit_transform(lost)
    with pytest.raises(InnerjudgeError, match="1 of 60 items that cannot be scored"):
        probe().fit(lost, y).score(lost, y)
    keep = lost.present(READOUT)
    assert cross_val_score(probe(), lost[keep], y[keep], groups=np.array(g)[keep], cv=GroupKFold()).shape == (5,)


def test_scores_and_probabilities_are_what_scikit_learn_means_by_them(data: Any) -> None:
    f, y, _ = data
    fitted = probe(C=0.1).fit(f, y)
    assert fitted.score(f, y) == (fitted.predict(f) == y).mean()
    x = StandardScaler().fit_transform(f[READOUT][:, -1].astype(float))
    oracle = LogisticRegression(C=0.1, tol=1e-10, max_iter=10_000).fit(x, y)
    np.testing.assert_allclose(fitted.predict_proba(f), oracle.predict_proba(x), atol=1e-4)
    np.testing.assert_allclose(fitted.predict_proba(f).sum(axis=1), 1)
    said = cross_val_predict(probe(), f, y, method="predict_proba")
    assert said.shape == (N, 2)
    scores = f[READOUT][:, -1, 0].astype(float)
    ridge = RidgeProbe(candidates=[1.0]).fit(f, scores)
    assert ridge.score(f, scores) == r2_score(scores, ridge.decision_function(f))
    assert not hasattr(QuestionOnly(target="rating"), "predict_proba")
    assert hasattr(QuestionOnly(), "predict_proba")
    logprob = Features.from_arrays({"logprob": [[-6, 3], [-4, 4]]}, provenance="m")
    with pytest.raises(InnerjudgeError, match="scores without labels"):
        TokenLogProb().score(logprob, [True, False])
    with pytest.raises(InnerjudgeError, match=r"labels of shape \(3,\) for 60 items"):
        fitted.score(f, [1, 0, 1])


@pytest.mark.parametrize(
    ("judge", "kind"),
    [
        (CLUE(), "classifier"), (DifferenceOfMeans(), "classifier"), (LogisticProbe(), "classifier"),
        (MiniBatchLogistic(), "classifier"), (Length(), "classifier"), (Length(target="rating"), "regressor"),
        (QuestionOnly(), "classifier"), (QuestionOnly(target="rating"), "regressor"), (RidgeProbe(), "regressor"),
        (LAGER(), "regressor"), (LAGER(values=(0, 1)), "classifier"), (EScore(), "regressor"),
        (TunedLAGER(), "regressor"), (QKScore(), "classifier"), (LetterLogits(), "classifier"),
        (TextJudge.rating(), "regressor"), (TextJudge.verdict(), "classifier"), (TextJudge.choice(), "classifier"),
        (PooledProbe(), "classifier"), (PooledProbe(rows="best", layers=1, widths=[8]), "classifier"),
        (VerdictProbe(), "classifier"), (ReadoutProbe(), "classifier"), (LLMCheck(), "classifier"),
        (ReDeEP(), "classifier"), (EigenScore(), "classifier"), (SemanticEntropyProbe(), "classifier"),
        (Trajectory(), "classifier"), (TokenConfidence(), "classifier"), (StepOpponent(), "classifier"),
    ],
)  # fmt: skip
def test_tags_clone_and_shown(judge: BaseJudge, kind: str) -> None:
    assert (is_classifier(judge), is_regressor(judge)) == (kind == "classifier", kind == "regressor")
    tags = get_tags(judge)
    assert (tags.estimator_type, tags.requires_fit) == (kind, judge.learns)
    copy = clone(judge)
    assert copy is not judge
    assert repr(copy) == repr(judge)
    assert copy.get_params() == judge.get_params()
    assert type(judge).__name__ in judge._repr_html_()
    if judge.learns:
        with pytest.raises(ValueError, match="not fitted"):
            check_is_fitted(judge)
    else:
        check_is_fitted(judge)


def test_a_torch_head_is_searched_and_validated(data: Any) -> None:
    f, y, g = data
    arrays = {f"hidden/response.mean[{row}]": f[READOUT][:, [row]] for row in (1, 3)}
    pooled = Features.from_arrays(arrays, provenance="made up", groups=g)
    head, cv = PooledProbe(reduce="mean", learning_rate=0.1, epochs=5), GroupKFold(3)
    search = GridSearchCV(head, {"rows": [(1,), (3,)], "widths": [(), (4,)]}, cv=cv, error_score="raise")
    found = search.fit(pooled, y, groups=g)
    assert found.best_params_["rows"] == (3,)  # row 1 is noise
    weight = np.linspace(0.1, 3, N)
    params = {"sample_weight": weight}
    scores = cross_val_score(clone(head).set_params(rows=(3,)), pooled, y, groups=g, cv=cv, params=params)
    by_hand = [
        PooledProbe(**{**head.get_params(), "rows": (3,)}).fit(pooled[a], y[a], weight[a]).score(pooled[b], y[b])
        for a, b in cv.split(np.zeros(N), y, g)
    ]
    np.testing.assert_array_equal(scores, by_hand)
    assert scores.mean() > 0.8


def test_classes(data: Any) -> None:
    f, y, _ = data
    assert CLUE().fit(f, y).classes_.tolist() == [False, True]
    assert LAGER(values=(1, 0), answers=("a", "b")).classes_.tolist() == ["b", "a"]
    assert not hasattr(RidgeProbe(), "classes_")
    assert not hasattr(LAGER(), "classes_")


def test_judges_save_and_load_themselves(data: Any, tmp_path: Any) -> None:
    f, y, _ = data
    CLUE(rank_by="margin").fit(f, y).save(tmp_path)
    back = CLUE.load(tmp_path)
    assert repr(back) == "CLUE(rank_by='margin')"
    np.testing.assert_array_equal(back.decision_function(f), CLUE(rank_by="margin").fit(f, y).decision_function(f))
    assert isinstance(BaseJudge.load(tmp_path), CLUE)
    with pytest.raises(InnerjudgeError, match="given a saved CLUE, expected a LAGER"):
        LAGER.load(tmp_path)
