"""Probes of aspects: labels with gaps, routes, and the score that joins them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from innerjudge import AspectProbes, BaseJudge, Features, InnerjudgeError
from innerjudge.extraction.taps.residual import reduce_tokens
from innerjudge.probes.aspect_fit import components_of, corrected, expected
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import compute_sample_weight


def features_of(x: np.ndarray, prompt: np.ndarray | None = None, groups: list[str] | None = None) -> Features:
    arrays = {"hidden/a": x[:, None].repeat(3, axis=1)}
    if prompt is not None:
        arrays["hidden/prompt_end"] = prompt[:, None].repeat(3, axis=1)
    return Features.from_arrays(arrays, provenance="m", groups=groups or [f"q{k // 4}" for k in range(len(x))])


def test_the_correction_of_the_paper_by_hand() -> None:
    # Mean of p: (.9 + .75 + .2 + .72) / 4 = .6425 < .7: negatives above .7 become positives.
    p, y = np.array([0.9, 0.75, 0.2, 0.72]), np.array([0.0, 0.0, 0.0, 1.0])
    assert corrected(p, y, 0.7).tolist() == [1.0, 1.0, 0.0, 1.0]
    # Where the mean is above the threshold, it counts: mean .8 keeps .75 a negative.
    assert corrected(np.array([0.9, 0.75, 0.75]), np.array([0.0, 0.0, 1.0]), 0.7).tolist() == [1.0, 0.0, 1.0]


def test_how_likely_a_negative_was_not_recorded_by_hand() -> None:
    # Of .6 recorded and p = .5: (1 - .6) * .5 / (1 - .6 * .5) = .2 / .7 = .2857; what is recorded is sure.
    assert expected(np.array([0.5, 0.5]), np.array([0.0, 1.0]), 0.6) == pytest.approx([0.2 / 0.7, 1.0])


def test_routes_weigh_aspects_by_hand() -> None:
    """Aspect scores (1, -1): route A (.5, .25) gives .25, route B (.1, .9) gives -.8."""
    judge = AspectProbes(positions=["a"], routed=True)
    judge.aspects_, judge.routes_, judge.row_ = ("x", "y"), ("A", "B"), 0
    judge.coef_ = np.tile(np.eye(2), (3, 1, 1))
    judge.intercept_ = np.zeros((3, 2))
    judge.head_ = np.array([[0, 0, 0], [0.5, 0.25, 0], [0.1, 0.9, 0]])
    judge.router_ = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    features = features_of(np.array([[1.0, -1.0]] * 2), prompt=np.array([[1.0, 0.0], [0.0, 1.0]]))
    judge.provenance_, judge.n_excluded_ = features.provenance, 0
    scores = judge.decision_function(features)
    assert scores == pytest.approx([0.25, -0.8])
    # Loss of the pair A over B: log(1 + exp(-(.25 + .8))) = .300058
    assert np.log1p(np.exp(-(scores[0] - scores[1]))) == pytest.approx(0.300058, abs=1e-6)


def world(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States, what is so of three aspects, and labels of which many are missing, positives above all."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 8))
    right = x[:, :3] + rng.normal(size=(n, 3)) > np.array([0.0, 0.8, 1.2])
    return x, right, np.where(rng.random((n, 3)) < 0.4 + 0.3 * right, np.nan, right)


def test_masked_gaps_are_not_negatives() -> None:
    x, _, seen = world()
    new, truth, _ = world(seed=1)
    names, f1 = ["a", "b", "c"], {}
    for unknown in ("mask", "negative"):
        judge = AspectProbes(aspects=names, positions=["a"], unknown=unknown).fit(features_of(x), seen)
        f1[unknown] = f1_score(truth, judge.aspect_scores(features_of(new)) > 0, average="macro")
    assert f1["mask"] >= f1["negative"] + 0.1


def test_inspector_learns_from_components_of_scaled_states() -> None:
    # Of tokens (1, 3) and a pad of 8 the mean is 2 (with the pad it were 4), as the pad has no weight.
    tokens, weights = torch.tensor([[[1.0], [3.0], [8.0]]]), torch.tensor([[[0.5, 0.5, 0.0]]])
    assert reduce_tokens(tokens, "mean", weights).tolist() == [[2.0]]
    # Standardised by (1, 3): mean 2, deviation 1, so 4 is 2; of one number there is one component.
    scaled = StandardScaler().fit([[1.0], [3.0]])
    assert scaled.transform([[4.0]]).item() == 2.0
    x, truth, _ = world()
    some = AspectProbes(aspects=["a", "b", "c"], positions=["a"], components=4).fit(features_of(x), truth)
    pca = make_pipeline(StandardScaler(), PCA(4))
    by_hand = AspectProbes(aspects=["a", "b", "c"], positions=["a"]).fit(features_of(pca.fit_transform(x)), truth)
    new = world(seed=1)[0]
    whole, own = some.aspect_scores(features_of(new)), by_hand.aspect_scores(features_of(pca.transform(new)))
    np.testing.assert_allclose(whole, own, atol=1e-3)
    with pytest.raises(InnerjudgeError, match=r"given components=0 .*expected at least 1"):
        AspectProbes(components=0)


def test_hidden_gaps_by_their_share() -> None:
    """Recorded are half of the positives, at random: EM that is told so finds more of the others."""
    x, right, _ = world()
    recorded = right & (np.random.default_rng(5).random(right.shape) < 0.5)
    new, truth, _ = world(seed=1)
    recall = {}
    for name, how in {"plain": {}, "em": {"observed": 0.5}, "corrected": {"correct": 0.5}}.items():
        judge = AspectProbes(aspects=["a", "b", "c"], positions=["a"], **how).fit(
            features_of(x), recorded.astype(float)
        )
        recall[name] = (judge.aspect_scores(features_of(new)) > 0)[truth].mean()
    assert recall["em"] >= recall["plain"] + 0.2
    assert recall["corrected"] >= recall["plain"]


def test_the_score_is_the_mean_of_standardised_aspects_and_a_head_learns_weights(tmp_path) -> None:  # type: ignore[no-untyped-def]
    x, right, seen = world()
    told = [dict(zip("abc", row, strict=True)) for row in seen.tolist()]
    mean = AspectProbes(positions=["a"]).fit(features_of(x), told)
    scores, by_aspect = mean.decision_function(features_of(x)), mean.aspect_scores(features_of(x))
    w = mean.head_[0, :-1]
    assert scores == pytest.approx(by_aspect @ w + mean.head_[0, -1])
    assert 3 * w * by_aspect.std(axis=0) == pytest.approx(np.ones(3), rel=0.1)
    assert set(mean.predict(features_of(x)).tolist()) == {None}
    # The overall label follows the second aspect alone.
    for row, one in zip(told, right[:, 1].tolist(), strict=True):
        row["overall"] = one
    judge = AspectProbes(positions=["a"], head="linear").fit(features_of(x), told)
    assert judge.head_[0, 1] > 2 * abs(judge.head_[0, [0, 2]]).max()
    assert (judge.predict(features_of(x)) == right[:, 1]).mean() > 0.7
    judge.save(tmp_path / "j")
    again = BaseJudge.load(tmp_path / "j")
    assert again.decision_function(features_of(x)).tolist() == judge.decision_function(features_of(x)).tolist()


def test_plain_labels_are_one_aspect() -> None:
    x, right, _ = world()
    judge = AspectProbes(positions=["a"]).fit(features_of(x), right[:, 0])
    assert judge.aspects_ == ("right",)
    assert ((judge.decision_function(features_of(x)) > 0) == right[:, 0]).mean() > 0.7


def test_a_route_of_its_own_where_tasks_differ() -> None:
    """In route t the aspect is turned round: only probes of each route can learn both."""
    x, right, _ = world()
    route = np.array(["s", "t"] * (len(x) // 2))
    y = np.where((route == "t")[:, None], ~right, right)
    prompt = np.where(route == "t", 3.0, -3.0)[:, None] + np.zeros((1, 8))
    features = features_of(x, prompt)
    judge = AspectProbes(aspects=["a", "b", "c"], positions=["a"], routed=True)
    judge.fit(features, y.astype(float), routes=route)
    assert judge.routes_ == ("s", "t")
    assert ((judge.aspect_scores(features) > 0) == y).mean() > 0.75
    pooled = AspectProbes(aspects=["a", "b", "c"], positions=["a"]).fit(features, y.astype(float))
    assert ((pooled.aspect_scores(features) > 0) == y).mean() < 0.65
    # A route of few items is judged by the probes of all.
    few = np.where(np.arange(len(x)) < 10, "few", route).astype(object)
    judge.fit(features, y.astype(float), routes=few)
    assert judge.coef_[1].tolist() == judge.coef_[0].tolist()


def test_weights_are_weights() -> None:
    """An item of weight 0 is as good as not there, and one of weight 2 as two; routes are no weights."""
    x, right, _ = world(200)
    y, weight = right.astype(float), np.repeat([1.0, 0.0], 100)
    judge = AspectProbes(aspects=["a", "b", "c"], positions=["a"], candidates=[0.1])
    given = judge.fit(features_of(x), y, weight).aspect_scores(features_of(x))
    alone = judge.fit(features_of(x[:100]), y[:100]).aspect_scores(features_of(x))
    assert given == pytest.approx(alone, abs=1e-4)


def test_an_aspect_that_one_route_never_asks_for() -> None:
    x, right, _ = world()
    route = np.array(["s", "t"] * (len(x) // 2))
    y = np.where((route == "t")[:, None] & [False, True, False], np.nan, right)
    features = features_of(x, np.where(route == "t", 3.0, -3.0)[:, None] + np.zeros((1, 8)))
    judge = AspectProbes(aspects=["a", "b", "c"], positions=["a"], routed=True).fit(features, y, routes=route)
    assert judge.coef_[2, 1].tolist() == judge.coef_[0, 1].tolist()  # that of all items stands in
    assert np.isfinite(judge.decision_function(features)).all()
    one = features_of(x[:60], groups=["q"] * 60)  # of one question nothing is held out
    assert np.isfinite(
        AspectProbes(aspects=["a", "b", "c"], positions=["a"]).fit(one, y[:60]).decision_function(one)
    ).all()


def test_what_is_unknown_to_pandas_is_unknown() -> None:
    pd = pytest.importorskip("pandas")
    x, right, _ = world(100)
    told = [{"a": bool(row[0]), "b": pd.NA, "route": np.nan, "overall": pd.NA} for row in right]
    with pytest.warns(UserWarning, match="left out: b"):
        assert AspectProbes(positions=["a"]).fit(features_of(x), told).aspects_ == ("a",)


@pytest.mark.parametrize("own", [["a"], '{"a": true}', 3])
def test_aspects_of_an_item_are_a_mapping(own: object) -> None:
    with pytest.raises(InnerjudgeError, match="expected names with true, false or null"):
        AspectProbes().label_of({"aspects": own}, None)


@pytest.mark.parametrize(
    ("how", "labels", "why"),
    [
        ({}, [{"a": k % 2, "z": None} for k in range(24)], None),
        (
            {"aspects": ["a"]},
            [{"a": k % 2, "typo": 1} for k in range(24)],
            "given the aspect 'typo', expected one of a",
        ),
        ({"aspects": ["a"]}, np.zeros((24, 2)), "not a column for each of aspects"),
        ({}, np.zeros((24, 2)), "not a column for each of aspects"),
        ({}, [{"a": "yes"}] * 24, "given the label 'yes' of an aspect"),
        ({}, [{"a": 2}] * 24, "given the label 2 of an aspect"),
        ({}, [{"a": True}] * 24, "no aspect with both classes"),
        ({}, [{"a": k < 4} for k in range(24)], "no aspect with both classes and 5 positives"),
        ({"routed": True}, [{"a": k % 2} for k in range(24)], "expected at least two"),
        ({"head": "linear"}, [{"a": k % 2} for k in range(24)], "given 0 items with an overall label"),
    ],
)
def test_bad_labels_in_one_line(how, labels, why) -> None:  # type: ignore[no-untyped-def]
    x = np.random.default_rng(0).normal(size=(24, 4))
    judge = AspectProbes(positions=["a"], **how)
    if why is None:
        with pytest.warns(UserWarning, match="aspects left out: z"):
            assert judge.fit(features_of(x, x), labels).aspects_ == ("a",)
        return
    with pytest.raises(InnerjudgeError, match=why):
        judge.fit(features_of(x, x), labels)
    assert judge.provenance_ is None


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"observed": 1.0}, "given observed=1.0 .*expected a share above 0 and below 1"),
        ({"correct": 0.0}, "given correct=0.0 .*expected a share above 0 and below 1"),
        ({"aspects": ["route"]}, "expected names other than"),
        ({"unknown": "x"}, "given unknown='x' .*expected 'mask' or 'negative'"),
        ({"head": "x"}, "given head='x' .*expected 'mean' or"),
    ],
)
def test_bad_parameters(how, why) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InnerjudgeError, match=why):
        AspectProbes(**how)


def test_components_of_fewer_items_than_asked_for_do_not_explode(tmp_path: Path) -> None:
    """Of 24 items 23 directions differ: scikit-learn on these is the oracle, and judges fresh items alike."""
    draw = np.random.default_rng(3)
    x, new = draw.normal(size=(24, 40)), draw.normal(size=(50, 40))
    y = x[:, :2] + draw.normal(size=(24, 2)) > 0
    judge = AspectProbes(aspects=["a", "b"], positions=["a"], components=50, balance=True, candidates=[0.1])
    found = judge.fit(features_of(x), y).aspect_scores(features_of(new))
    for column, right in zip(found.T, y.T, strict=True):
        regression = LogisticRegression(C=0.1, class_weight="balanced", tol=1e-8, max_iter=10_000)
        oracle = make_pipeline(StandardScaler(), PCA(23), StandardScaler(), regression)
        oracle.fit(x, right, **{"standardscaler-2__sample_weight": compute_sample_weight("balanced", right)})
        np.testing.assert_allclose(column, oracle.decision_function(new), rtol=1e-3, atol=1e-4)
    assert np.abs(judge.decision_function(features_of(new))).max() < 100
    judge.save(tmp_path / "judge")
    again = BaseJudge.load(tmp_path / "judge")
    assert again.decision_function(features_of(new)) == pytest.approx(judge.decision_function(features_of(new)))


def test_repeated_items_and_equal_states_give_no_components_of_rounding() -> None:
    """Items that stand there three times, up to what float32 rounds off: 8 that differ have 7 directions."""
    draw = np.random.default_rng(4)
    x = np.tile(draw.normal(size=(8, 30)), (3, 1)) * (1 + 1e-7 * draw.choice([-1, 1], size=(24, 30)))
    assert components_of(StandardScaler().fit_transform(x), 20).shape == (7, 30)
    same = features_of(np.full((24, 5), 0.1))
    judge = AspectProbes(aspects=["a"], positions=["a"], components=3).fit(same, (np.arange(24) % 2 < 1)[:, None])
    assert np.abs(judge.decision_function(features_of(draw.normal(size=(9, 5))))).max() < 100
