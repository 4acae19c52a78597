"""Preferences of log-ratios: the example of the notes by hand, every refusal, and a probe on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from innerjudge import Features, InnerjudgeError, stats
from innerjudge.probes import RankedProbe
from innerjudge.probes.ranked import Orders
from scipy.special import expit

preferred = stats.log_ratio_preferences
POLICY, REFERENCE = [[-40, -52]], [[-45, -50]]


def loss_of(quality: np.ndarray, scores: tuple[float, float]) -> float:
    """The loss of one pair; that of a question of K answers is over K."""
    return 2 * Orders(quality[0], ("q", "q"), "soft-pairs").losses(np.array(scores))[0]


def test_the_example_of_the_notes() -> None:
    # .1 (-40 + 45) = .5 and .1 (-52 + 50) = -.2: margin .7, sigma(.7) = .6682
    found = preferred(POLICY, REFERENCE)
    assert found.rewards == pytest.approx(np.array([[0.5, -0.2]]))
    assert (found.p[0], found.slope) == (pytest.approx(0.668188, abs=1e-6), 0.1)
    assert found.quality[0, 0] - found.quality[0, 1] == pytest.approx(0.7)
    # Hard: -log sigma(.7) = .403186; flagged .9 x .403186 + .1 x 1.103186 = .473186
    hard, flagged = (preferred(POLICY, REFERENCE, smooth=(share, 0.1)) for share in (0.0, 1.0))
    assert (hard.p.tolist(), flagged.p.tolist()) == ([1.0], [0.9])
    assert loss_of(hard.quality, (0.5, -0.2)) == pytest.approx(0.403186, abs=1e-6)
    assert loss_of(flagged.quality, (0.5, -0.2)) == pytest.approx(0.473186, abs=1e-6)


def test_tokens() -> None:
    policy, reference = [[[-40, 20], [-52, 13]]], [[[-45, 20], [-50, 13]]]
    assert preferred(policy, reference).p == pytest.approx(preferred(POLICY, REFERENCE).p)
    # 5 / 20 and -2 / 13 a token, times .1
    mean = preferred(policy, reference, per_token=True)
    assert mean.rewards == pytest.approx(np.array([[0.025, -0.2 / 13]]))
    other = [[[-45, 21], [-50, 13]]]
    with pytest.warns(UserWarning, match="count tokens differently"):
        assert preferred(policy, other).p == pytest.approx(preferred(POLICY, REFERENCE).p)
    with pytest.raises(InnerjudgeError, match="given per_token of models that count other tokens"):
        preferred(policy, other, per_token=True)


def test_a_policy_that_is_its_reference_up_to_rounding_prefers_nothing() -> None:
    policy = np.array([[-40.1, -52.3], [-50.7, -51.9]])
    found = preferred(policy, policy + 1e-14 * np.eye(2), preferences=["b", "a"], slope="seed")
    assert (np.abs(found.rewards) < 1e-9).all()


def test_known_preferences_stay_and_the_lowest_margins_of_winners_are_smoothed() -> None:
    # Margins of rewards .7, -.2, .1, .4; b wins the first against the ratio: its margin is -.7, the least.
    policy = np.array([[-40, -52], [-50, -50], [-50, -50], [-50, -50.0]])
    reference = np.array([[-45, -50], [-50, -52], [-51, -50], [-54, -50.0]])
    soft = preferred(policy, reference, preferences=["b", None, None, "tie"])
    assert soft.p == pytest.approx([0, expit(-0.2), expit(0.1), 0.5])
    smooth = preferred(policy, reference, preferences=["b", None, None, "tie"], smooth=(0.5, 0.1))
    assert smooth.p == pytest.approx([0.1, 0, 1, 0.5])  # the tie is the second least: it has no winner
    free = preferred(policy, reference, smooth=(0.5, 0.1))
    assert free.p == pytest.approx([1, 0.1, 0.9, 1])


def test_the_slope_of_known_preferences() -> None:
    rng = np.random.default_rng(0)
    ratio = rng.normal(0, 5, 4000)
    policy = np.stack([ratio, np.zeros(4000)], axis=1)
    told = rng.random(4000) < expit(0.3 * ratio)
    known: list[str | None] = ["a" if one else "b" for one in told[:2000]]
    found = preferred(policy, np.zeros((4000, 2)), preferences=[*known, *[None] * 2000], slope="seed")
    assert found.slope == pytest.approx(0.3, abs=0.03)
    turned = preferred(-policy, np.zeros((4000, 2)), preferences=[*known, *[None] * 2000], slope="seed")
    assert turned.p == pytest.approx(found.p, abs=1e-5), "a ratio that is against the preferences is turned round"
    sure = ["a" if one else "b" for one in ratio[:2] > 0]
    few = preferred(policy[:2], np.zeros((2, 2)), preferences=sure, slope="seed")
    assert 0 < few.slope < 10, "preferences that the ratio gets right give no infinite slope"


@pytest.mark.parametrize(
    ("policy", "reference", "how", "message"),
    [
        ([-40, -52], REFERENCE, {}, "given (2,) and (1, 2) for 2 pairs"),
        (POLICY, [[-45, -50]] * 2, {}, "given (1, 2) and (2, 2)"),
        (
            POLICY,
            REFERENCE,
            {"per_token": True},
            "per_token=True, expected finite log-probabilities of shape (1, 2, 2) twice",
        ),
        (POLICY, [[float("nan"), 0]], {}, "expected finite"),
        (POLICY, REFERENCE, {"preferences": ["c"]}, "preferences of other names, expected a, b, tie or None"),
        (POLICY, REFERENCE, {"preferences": ["a", "b"]}, "for 2 pairs"),
        (POLICY, REFERENCE, {"preferences": []}, "for 0 pairs"),
        (np.zeros((0, 2)), np.zeros((0, 2)), {}, "for 0 pairs"),
        (None, REFERENCE, {}, "given (1,) and (1, 2)"),
        (POLICY, REFERENCE, {"beta": 0}, "beta=0"),
        (POLICY, REFERENCE, {"slope": "all"}, "slope='all'"),
        (POLICY, REFERENCE, {"smooth": (2, 0.1)}, "smooth=(2, 0.1)"),
        (POLICY, REFERENCE, {"slope": "seed"}, "given slope='seed' without a known preference, expected some"),
        (POLICY, REFERENCE, {"slope": "seed", "preferences": ["tie"]}, "without a known preference"),
        ([[-40, -52], [-7, -7]], [[-45, -50], [-6, -6]], {}, "given pair 1 of equal responses"),
    ],
)
def test_refused(policy: Any, reference: Any, how: dict[str, Any], message: str) -> None:
    with pytest.raises(InnerjudgeError) as error:
        preferred(policy, reference, **how)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def right(x: np.ndarray, better: np.ndarray, quality: np.ndarray, loss: Any) -> float:
    """Share of the last pairs on which a probe of the first is right."""
    groups = np.repeat([f"p{k}" for k in range(len(quality))], 2).tolist()
    states = x[: len(quality)].reshape(-1, 1, 32).repeat(2, axis=1)
    f = Features.from_arrays({"hidden/a": states}, provenance="m", groups=groups)
    coef = RankedProbe(positions=["a"], loss=loss).fit(f, quality.ravel()).coef_
    return float((((x[2000:, 0] - x[2000:, 1]) @ coef > 0) == better[2000:]).mean())


def test_a_probe_on_a_few_known_pairs_and_many_soft_ones_beats_one_on_the_few() -> None:
    gains = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        n, w = 3000, np.eye(32)[0]
        x = rng.normal(size=(n, 2, 32))
        better = rng.random(n) < expit(2 * (x[:, 0] - x[:, 1]) @ w)
        gap = 4 * ((x[:, 0] - x[:, 1]) @ w) + rng.normal(0, 6, n)  # what the policy has learned, with noise
        policy = np.stack([gap, np.zeros(n)], axis=1)
        known: list[Any] = ["a" if one else "b" for one in better[:60]]

        found = preferred(policy[:2000], np.zeros((2000, 2)), preferences=[*known, *[None] * 1940], slope="seed")
        seed_only = np.stack([better[:60], ~better[:60]], axis=1).astype(float)
        gains.append(right(x, better, found.quality, "soft-pairs") - right(x, better, seed_only, "pairs"))
    assert np.mean(gains) >= 0.03
