"""Fitting chunk by chunk: what one fit on everything learns, from a store or while the model runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from innerjudge.experiments.judges.fitting import fit_store, fit_stream
from innerjudge.experiments.reading.read import read
from innerjudge.extraction import Features, Provenance
from innerjudge.extraction.store import FeatureStore
from innerjudge.extraction.store.index import StoreHeader
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.probes import CLUE, LAGER, DifferenceOfMeans, LogisticProbe, MiniBatchLogistic, load, save

ORIGIN = Provenance("m", None, "f", "float32", "sdpa", "none")


def made(n: int = 400, *, seed: int = 0) -> tuple[Features, np.ndarray]:
    """States whose first number leans towards the label; every ninth item lacks them."""
    random = np.random.default_rng(seed)
    right = random.random(n) < 0.5
    start, end = random.normal(size=(2, n, 3, 6)).astype(np.float32)
    end[:, :, 0] += 2 * right[:, None]
    ids = tuple(f"{k}" for k in range(n))
    names = ("hidden/reasoning_start", "hidden/reasoning_end")
    features = Features(
        ids=ids,
        groups=tuple(f"q{k // 4}" for k in range(n)),
        provenance=ORIGIN,
        arrays=dict(zip(names, (start, end), strict=True)),
        missing={name: dict.fromkeys(ids[::9], "no marker") for name in names},
    )
    return features, right


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    features, _ = made()
    held = FeatureStore.create(tmp_path, StoreHeader(ORIGIN, items=400, shard_items=64))
    for number in held.missing():
        held.write(number, features.take(range(*held.header.span(number))))
    return held


def test_sums_by_chunks_are_those_of_one_fit(store: FeatureStore) -> None:
    features, right = made()
    readable = features.take(features.present("hidden/reasoning_end"))
    for judge in (CLUE(rank_by="margin"), DifferenceOfMeans(), DifferenceOfMeans(combine="concat", row=1)):
        whole = type(judge)(**judge.get_params()).fit(features, right)
        parts = fit_store(judge, store, list(right))
        np.testing.assert_allclose(parts.decision_function(readable), whole.decision_function(readable), rtol=1e-6)
        assert parts.n_excluded_ == whole.n_excluded_ == 45  # items 0, 9, ... 396
    some = [bool(one) if k % 3 else None for k, one in enumerate(right)]
    known = [k for k in range(400) if k % 3]
    parts, whole = (
        fit_store(DifferenceOfMeans(), store, some),
        DifferenceOfMeans().fit(features.take(known), right[known]),
    )
    np.testing.assert_allclose(parts.coef_, whole.coef_)


def test_logistic_by_batches_is_near_the_whole(store: FeatureStore, tmp_path: Path) -> None:
    features, right = made()
    other, truth = made(seed=1)
    readable = other.present("hidden/reasoning_end")
    other, truth = other.take(readable), truth[readable]
    whole = LogisticProbe().fit(features, right)
    parts = fit_store(MiniBatchLogistic(), store, list(right), rounds=5)
    assert (whole.predict(other) == truth).mean() > 0.75
    one, two = (judge.decision_function(other) for judge in (whole, parts))
    assert np.corrcoef(one, two)[0, 1] > 0.97
    save(parts, tmp_path / "judge")
    again = load(tmp_path / "judge")
    np.testing.assert_array_equal(again.decision_function(other), parts.decision_function(other))
    with pytest.raises(InnerjudgeError, match="loaded from a folder"):
        again.partial_fit(features, right)


def test_a_chunk_of_one_class_waits_for_the_other() -> None:
    features, right = made(20)
    judge = DifferenceOfMeans().partial_fit(features.take(right), right[right])
    with pytest.raises(InnerjudgeError, match="expected at least one of each"):
        judge.decision_function(features)
    judge.partial_fit(features.take(~right), right[~right])
    np.testing.assert_allclose(judge.coef_, DifferenceOfMeans().fit(features, right).coef_)


def test_while_the_model_runs(reference: LanguageModel) -> None:
    said = [f"<think>1+1={k}</think>{k}" for k in range(5)] + ["no markers"]
    traces = [Trace(question_id="q", candidate_id=f"{k}", prompt="1+1?", response=one) for k, one in enumerate(said)]
    labels = [k == 2 for k in range(6)]
    features = read(reference, traces, judges=[CLUE()])
    for judge in (CLUE(), DifferenceOfMeans()):
        whole = type(judge)().fit(features, labels)
        parts = fit_stream(judge, reference, iter(traces), iter(labels), chunk=4)
        some = features.take(range(5))
        np.testing.assert_allclose(parts.decision_function(some), whole.decision_function(some), atol=1e-3)


def test_refusals(store: FeatureStore) -> None:
    with pytest.raises(InnerjudgeError, match="needs all features at once"):
        fit_store(LAGER(), store, [True] * 400)  # type: ignore[type-var]
    with pytest.raises(InnerjudgeError, match="3 labels of 400 stored items"):
        fit_store(CLUE(), store, [True, False, True])
