import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.extraction import Features, Provenance
from innerjudge.models import InnerjudgeError
from innerjudge.probes import CLUE
from sklearn.neighbors import NearestCentroid

CORRECT = np.arange(24) % 2 == 0


def traces(deltas, groups=None, start=None):
    """Features whose rows h[1..L-1] and normed hold ``deltas [n, L, D]``; h[0] and the raw last row hold decoys."""
    deltas = np.asarray(deltas, dtype=np.float32)
    n, blocks, width = deltas.shape
    rows = np.full((n, blocks + 2, width), 1e6, np.float32)
    rows[:, 1:blocks], rows[:, -1] = deltas[:, :-1], deltas[:, -1]
    start = np.zeros_like(rows) if start is None else start
    return Features(
        ids=tuple(map(str, range(n))),
        groups=groups or tuple(map(str, range(n))),
        provenance=Provenance("m", None, "f", "", "", ""),
        arrays={"hidden/reasoning_start": start, "hidden/reasoning_end": start + rows},
    )


def naive_distance(a, b):
    """Mean over layers of unsquared norms, from the definition."""
    return sum(sum((x - y) ** 2 for x, y in zip(p, q, strict=True)) ** 0.5 for p, q in zip(a, b, strict=True)) / len(a)


def test_the_distance_is_the_layer_mean_of_unsquared_norms():
    # Right: layers (0,0) and (0,0). Wrong: (3,4) and (6,8), norms 5 and 10 away.
    # The trace (0,0), (3,4): to right (0 + 5)/2 = 2.5; to wrong (5 + |(3,4)-(6,8)| = 5)/2 = 5.
    # The flattened norms would be 5 and sqrt(50) = 7.07: another number, told apart here.
    fit = traces([[[0, 0], [0, 0]], [[3, 4], [6, 8]]])
    clue = CLUE().fit(fit, [True, False])
    new = traces([[[0, 0], [3, 4]]])
    np.testing.assert_allclose(clue.distances(new), [[5.0, 2.5]])
    np.testing.assert_allclose(clue.decision_function(new), [-2.5])
    assert clue.predict(new).tolist() == [True]
    np.testing.assert_allclose(CLUE(rank_by="margin").fit(fit, [True, False]).decision_function(new), [2.5])
    np.testing.assert_allclose(clue.separation_, [5.0, 10.0])
    assert (clue.distances(fit)[[0, 1], [1, 0]] == 0).all()  # a centroid is at 0 from itself


def test_a_tie_is_incorrect():
    clue = CLUE().fit(traces([[[1.0]], [[-1.0]]]), [True, False])
    middle = traces([[[0.0]]])
    assert clue.predict(middle).tolist() == [False]
    assert CLUE(rank_by="margin").fit(traces([[[1.0]], [[-1.0]]]), [True, False]).predict(middle).tolist() == [False]


def test_rows_of_the_last_layer_and_the_embedding(make):
    features, labels = make(), CORRECT
    delta = features["hidden/reasoning_end"].astype(float) - features["hidden/reasoning_start"]
    for options, rows in (
        ({}, [1, 2, 4]),  # L = 3: h[1], h[2], normed
        ({"last": "raw"}, [1, 2, 3]),
        ({"embedding": True}, [0, 1, 2, 4]),
    ):
        clue = CLUE(**options).fit(features, labels)
        want = np.stack([delta[~labels][:, rows].mean(0), delta[labels][:, rows].mean(0)])
        np.testing.assert_allclose(clue.centroids_, want, rtol=1e-12)
        naive = [[naive_distance(d, c) for c in want] for d in delta[:, rows]]
        np.testing.assert_allclose(clue.distances(features), naive, rtol=1e-12)


def test_other_positions(make):
    features = make()
    clue = CLUE(start="prompt_end", end="response_end").fit(features, CORRECT)
    others = {k: v for k, v in features.arrays.items() if "reasoning" not in k}
    features = replace(features, arrays=others)
    assert len(clue.decision_function(features)) == 24


def test_one_layer_agrees_with_nearest_centroid_of_scikit_learn():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 1, 5)).astype(np.float32)  # more than two slices
    y = rng.random(600) < 0.4
    features = traces(x)
    clue, oracle = CLUE().fit(features, y), NearestCentroid().fit(x[:, 0].astype(float), y)
    np.testing.assert_allclose(clue.centroids_[:, 0], oracle.centroids_, rtol=1e-12)
    assert clue.predict(features).tolist() == oracle.predict(x[:, 0].astype(float)).tolist()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 99), st.booleans())
def test_a_streamed_fit_equals_the_whole_fit(chunks, seed, scale):
    rng = np.random.default_rng(seed)
    n = sum(chunks) + 2
    features = traces(rng.normal(size=(n, 2, 3)) * [[[100], [1]]])
    y = np.r_[True, False, rng.random(n - 2) < 0.5]
    whole, streamed = CLUE(scale=scale).fit(features, y), CLUE(scale=scale)
    cuts = np.cumsum([0, *chunks, 2])
    for a, b in itertools.pairwise(cuts):
        streamed.partial_fit(features.take(range(a, b)), y[a:b])
    np.testing.assert_array_equal(streamed.n_seen_, whole.n_seen_)
    np.testing.assert_allclose(streamed.centroids_, whole.centroids_, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(streamed.spread_, whole.spread_, rtol=1e-9)
    np.testing.assert_allclose(streamed.decision_function(features), whole.decision_function(features), rtol=1e-9)


def test_scaling_by_the_spread():
    # Layer 1: right at 0 and 2 (centroid 1), wrong at 11 and 13 (centroid 12): every trace is 1 from its own: spread 1.
    # Layer 2: ten times that: spread 10. Layer 3: 0 for right and 7 for wrong: no spread, divided by 1.
    base = np.array([0.0, 2.0, 11.0, 13.0])
    deltas = np.stack([base, 10 * base, [0.0, 0.0, 7.0, 7.0]], axis=1)[..., None]
    clue = CLUE(scale=True).fit(traces(deltas), [True, True, False, False])
    np.testing.assert_allclose(clue.spread_, [1.0, 10.0, 1.0])
    # The trace (4, 40, 0): to right |4-1|/1, |40-10|/10, 0 -> (3 + 3 + 0)/3 = 2; to wrong (8 + 8 + 7)/3.
    np.testing.assert_allclose(clue.distances(traces([[[4.0], [40.0], [0.0]]])), [[23 / 3, 2.0]])
    plain = CLUE().fit(traces(deltas), [True, True, False, False])  # to right (3 + 30 + 0)/3 = 11
    np.testing.assert_allclose(plain.decision_function(traces([[[4.0], [40.0], [0.0]]])), [-11.0])


def test_a_large_constant_offset_does_not_disturb_the_spread():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(200, 1, 4))
    y = np.arange(200) % 2 == 0
    near, far = (CLUE(scale=True).fit(traces(noise + offset), y).spread_ for offset in (0.0, 1000.0))
    np.testing.assert_allclose(near, far, rtol=1e-4)


def test_balance_within_questions():
    # Easy question p: right at 10, 12, 14, wrong at 2. Hard question q: right at 1, wrong at -1 and -3.
    # Question r has right ones only and is left out. The others weigh the same:
    # right = (mean(10, 12, 14) + 1)/2 = 6.5; wrong = (2 + mean(-1, -3))/2 = 0.
    deltas = np.array([10.0, 12, 14, 2, 1, -1, -3, 99])[:, None, None]
    y = [True, True, True, False, True, False, False, True]
    clue = CLUE(balance=True).fit(traces(deltas, tuple("ppppqqqr")), y)
    np.testing.assert_allclose(clue.centroids_.ravel(), [0.0, 6.5])
    np.testing.assert_array_equal(clue.n_seen_, [3, 4])
    plain = CLUE().fit(traces(deltas, tuple("ppppqqqr")), y)  # right 136/5, wrong -2/3
    np.testing.assert_allclose(plain.centroids_.ravel(), [-2 / 3, 27.2])


def test_balance_needs_whole_questions():
    features = traces(np.zeros((4, 1, 1)), tuple("pppq"))
    with pytest.raises(InnerjudgeError, match="'p' in a second chunk"):
        CLUE(balance=True).partial_fit(features.take([0, 1]), [True, False]).partial_fit(features.take([2]), [True])
    with pytest.raises(InnerjudgeError, match="0 correct and 0 incorrect traces of questions that have both"):
        CLUE(balance=True).fit(features.take([0, 3]), [True, False])


def test_one_class():
    features = traces(np.zeros((3, 1, 1)))
    with pytest.raises(InnerjudgeError, match="given 3 correct and 0 incorrect traces"):
        CLUE().fit(features, [True, True, True])
    half = CLUE().partial_fit(features, [False, False, False])
    with pytest.raises(InnerjudgeError, match="given 0 correct and 3 incorrect traces"):
        half.verdicts(features)
    assert half.partial_fit(features, [True, True, True]).n_seen_.tolist() == [3, 3]


def test_a_chunk_of_truncated_traces_only_counts():
    features = traces(np.arange(4.0)[:, None, None])
    missing = {"hidden/reasoning_end": {"0": "no </think>", "1": "no </think>"}}
    lost = replace(features.take([0, 1]), missing=missing)
    clue = CLUE().partial_fit(lost, [True, False]).partial_fit(features.take([2, 3]), [True, False])
    assert clue.n_excluded_ == 2
    np.testing.assert_allclose(clue.centroids_.ravel(), [3.0, 2.0])


def test_a_stored_fit_can_go_on(tmp_path):
    from innerjudge.probes import load, save

    features, y = traces(np.random.default_rng(0).normal(size=(8, 2, 2)), tuple("ppqqrrss")), [True, False] * 4
    save(CLUE(balance=True).partial_fit(features.take(range(4)), y[:4]), tmp_path)
    resumed = load(tmp_path).partial_fit(features.take(range(4, 8)), y[4:])
    np.testing.assert_allclose(resumed.centroids_, CLUE(balance=True).fit(features, y).centroids_, rtol=1e-12)


def test_partial_fit_refuses_another_model(make):
    clue = CLUE().partial_fit(make(), CORRECT)
    with pytest.raises(InnerjudgeError, match="fingerprint"):
        clue.partial_fit(make(fingerprint="g"), CORRECT)
