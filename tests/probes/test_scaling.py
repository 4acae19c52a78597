"""What rounding leaves of a constant is not blown up: a fresh item that differs there has a score like any other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from innerjudge import (
    CountedProbe,
    Features,
    LogisticProbe,
    MiniBatchLogistic,
    PooledProbe,
    QuestionOnly,
    Ragged,
    RankedProbe,
    RidgeProbe,
)
from innerjudge.probes.aspect_fit import _head
from innerjudge.probes.aspects import AspectProbes
from innerjudge.probes.scaling import divisors, steady
from sklearn.preprocessing import StandardScaler


def test_divisors_by_hand() -> None:
    # Numbers of size 1000 with a spread of .01 are told apart (1e-5 > 1e-6), with one of .0001 they are not (1e-7).
    assert divisors([0.01, 0.0001, 0.0, 3.0], [1000.0, 1000.0, 5.0, 0.0]).tolist() == [0.01, 1.0, 1.0, 3.0]


def test_a_steady_scaler_is_that_of_sklearn_but_for_rounding() -> None:
    x = np.array([[1.0, 1000.00001], [3.0, 1000.0]])  # mean 2, deviation 1; and one of 5e-6 at 1000
    assert steady(StandardScaler().fit(x)).scale_.tolist() == [1.0, 1.0]
    assert steady(StandardScaler().partial_fit(x[:1]).partial_fit(x[1:])).transform([[4.0, 1001.0]])[0] == (
        pytest.approx([2.0, 1.0], abs=1e-4)
    )


def test_lengths_that_do_not_differ_are_no_nuisance() -> None:
    """Their weighted mean is 23 up to rounding; a response of another length is judged by its states."""
    x, weight = states(40, 0), np.linspace(0.1, 0.7, 40)
    told, other = features_of(x, 23), features_of(states(12, 1))
    judge, plain = (LogisticProbe(positions=["a"], nuisance=how) for how in ("length", "none"))
    found = [one.fit(told, x[:, 0] > 0, weight).decision_function(other) for one in (judge, plain)]
    assert found[0] == pytest.approx(found[1])


def states(n: int, seed: int) -> np.ndarray:
    """Two numbers that tell, and one that is 1000 but for what float32 rounds off."""
    draw = np.random.default_rng(seed)
    x = np.column_stack([draw.normal(size=(n, 2)), 1000.0 + draw.choice([0.0, 6.1e-5], size=n)])
    return x.astype(np.float32)


def features_of(x: np.ndarray, length: int | None = None) -> Features:
    n = len(x)
    arrays: dict[str, Any] = {f"hidden/{name}": x[:, None].repeat(3, axis=1) for name in ("a", "prompt_end")}
    arrays["logprob"] = np.column_stack([np.zeros(n), np.arange(n) % 7 if length is None else np.full(n, length)])
    arrays["hidden/response.none[-1]"] = Ragged.of([[[row.tolist()]] for row in x])
    return Features.from_arrays(arrays, provenance="m", groups=[f"q{k // 4}" for k in range(n)])


@pytest.mark.parametrize(
    "judge",
    [
        LogisticProbe(positions=["a"]),
        LogisticProbe(positions=["a"], centre="question"),
        LogisticProbe(positions=["a"], nuisance="length"),
        MiniBatchLogistic(positions=["a"]),
        RidgeProbe(positions=["a"]),
        CountedProbe(positions=["a"]),
        RankedProbe(positions=["a"]),
        QuestionOnly(),
        PooledProbe(),
    ],
    ids=repr,
)
def test_a_step_along_a_constant_of_the_fit_moves_no_score_far(judge: Any) -> None:
    x = states(80, 0)
    right = x[:, 0] > 0
    if isinstance(judge, RidgeProbe):
        labels: Any = 1 + 4 * right
    elif isinstance(judge, CountedProbe):
        labels = np.repeat(right.reshape(-1, 4).sum(axis=1), 4)
    else:
        labels = right
    judge.fit(features_of(x), labels)
    new = states(20, 1)
    before = judge.decision_function(features_of(new))
    new[:, 2] += 1
    assert np.abs(judge.decision_function(features_of(new)) - before).max() < 1


def test_an_aspect_that_scores_all_alike_has_no_weight_of_its_own() -> None:
    """The mean of standardised scores: 1 and 3 spread by 1, so that weights are 1/2 each, and not 1e15 for 0.1."""
    held = np.array([[0.1, 1.0], [0.1 + 1e-16, 3.0]])
    found = _head(AspectProbes(head="mean"), held, np.zeros(2), np.array(["a", "b"]), [])
    np.testing.assert_allclose(found, [0.5, 0.5, -0.5 * 0.1 - 0.5 * 2.0])
