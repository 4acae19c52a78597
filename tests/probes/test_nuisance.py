"""A probe that learns from states without what the length of the response tells of them."""

from __future__ import annotations

import numpy as np
import pytest
from innerjudge import Features, InnerjudgeError, LogisticProbe
from sklearn.linear_model import LinearRegression


def world(seed: int, n: int = 800) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """States in which truth and length are written, the truth, and a judge that says right of long answers."""
    rng = np.random.default_rng(seed)
    right, length = rng.random(n) < 0.5, rng.integers(10, 200, n)
    z = (length - 105) / 55
    x = rng.normal(size=(n, 6))
    x[:, 0] += 2.0 * right
    x[:, 1] += 2.0 * z
    said = np.where(rng.random(n) < 0.5, right, z > 0)
    return x, right, length, said


def features_of(x: np.ndarray, length: np.ndarray) -> Features:
    arrays = {"hidden/a": x[:, None].repeat(3, axis=1), "logprob": np.stack([-length.astype(float), length], axis=1)}
    return Features.from_arrays(arrays, provenance="m", groups=[f"q{k // 4}" for k in range(len(x))])


@pytest.mark.parametrize("centre", ["none", "question"])
def test_errors_that_follow_length_are_not_learned(centre: str) -> None:
    x, _, length, said = world(0)
    new, truth, new_length, _ = world(1)
    right = {}
    for nuisance in ("none", "length"):
        judge = LogisticProbe(positions=["a"], centre=centre, nuisance=nuisance).fit(features_of(x, length), said)
        right[nuisance] = (judge.predict(features_of(new, new_length)) == truth).mean()
    assert right["length"] >= right["none"] + 0.03


def test_it_is_a_probe_on_the_residuals() -> None:
    x, _, length, said = world(0)
    judge = LogisticProbe(positions=["a"], nuisance="length", C=0.1).fit(features_of(x, length), said)
    line = LinearRegression().fit(length[:, None], x)
    left = x - line.predict(length[:, None])
    plain = LogisticProbe(positions=["a"], C=0.1).fit(features_of(left, length), said)
    assert judge.coef_[:-1] == pytest.approx(plain.coef_, abs=1e-6)
    new, _, new_length, _ = world(1)
    residual = new - line.predict(new_length[:, None])
    found = judge.decision_function(features_of(new, new_length))
    assert found == pytest.approx(plain.decision_function(features_of(residual, new_length)), abs=1e-6)


def test_items_without_weight_tell_nothing_of_length() -> None:
    x, _, length, said = world(0)
    weight = (np.arange(len(x)) < 400).astype(float)
    half = np.flatnonzero(weight)
    judge = LogisticProbe(positions=["a"], nuisance="length", C=0.1)
    whole = judge.fit(features_of(x, length), said, weight).decision_function(features_of(x, length))
    alone = judge.fit(features_of(x[half], length[half]), said[half]).decision_function(features_of(x, length))
    assert whole == pytest.approx(alone, abs=1e-6)


def test_one_length_changes_nothing() -> None:
    x, _, length, said = world(0)
    features = features_of(x, np.full(len(length), 7))
    scores = [
        LogisticProbe(positions=["a"], nuisance=n).fit(features, said).decision_function(features)
        for n in ("none", "length")
    ]
    assert scores[1] == pytest.approx(scores[0], abs=1e-9)


def test_another_nuisance_is_refused() -> None:
    with pytest.raises(InnerjudgeError, match=r"nuisance='source' \(str\), expected 'none' or 'length'"):
        LogisticProbe(nuisance="source")  # type: ignore[arg-type]
