"""Labels of steps: what judges make of them; scores of steps in verdicts; opponents that read no state."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from innerjudge.extraction import Features, Ragged
from innerjudge.models import InnerjudgeError
from innerjudge.probes import PooledProbe, StepOpponent, load, registered_judges
from innerjudge.probes.steps import step_truths
from scipy.special import expit

ROLE = "reasoning/step_end"


def test_labels_of_steps_are_those_of_the_item_where_it_has_none():
    labels = [{"steps": (True, None), "correct": None}, False, {"steps": (False,), "correct": None}]
    items, steps = step_truths(labels, np.array([2, 2, 1]))
    assert items.tolist() == [True, False, False]
    np.testing.assert_array_equal(steps, [1, np.nan, 0, 0, 0])
    # Its final answer may be right with a wrong step in it.
    assert step_truths([{"steps": (False, True), "correct": True}], np.array([2]))[0].tolist() == [True]
    judge = StepOpponent()
    assert judge.label_of({}, True) is judge.label_of({"step_labels": None}, True) is None
    assert judge.label_of({"step_labels": [True, None]}, False) == {"steps": (True, None), "correct": False}


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([{"steps": (True, False), "correct": True}, True], "given 2 labels for 3 steps"),
        ([{"steps": (True, True, None), "correct": True}, True], "expected at least one of each"),
        ([None, None], "expected at least one of each"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, said):
    with pytest.raises(InnerjudgeError, match=said):
        step_truths(labels, np.array([3, 2]))


def world(n=80, *, seed=0, width=4):
    """Items of several steps; the first wrong one has a state of its own, and what follows it is not known."""
    rng = np.random.default_rng(seed)
    rows, labels = [], []
    for _ in range(n):
        size = int(rng.integers(2, 7))
        first = int(rng.integers(-1, size))
        x = rng.normal(size=(size, 1, width)) * 0.3
        if first >= 0:
            x[first, 0, 0] -= 2
            x[first + 1 :, 0, 0] += rng.normal(size=size - first - 1) * 2
        steps = (True,) * size if first < 0 else (*[True] * first, False, *[None] * (size - first - 1))
        rows.append(x)
        labels.append({"steps": steps, "correct": first < 0})
    texts = {"steps": [json.dumps([f"{row[0, 0]:.0f} so" for row in one]) for one in rows]}
    name, groups = f"hidden/{ROLE}.none[-1]", [f"q{k // 4}" for k in range(n)]
    features = Features.from_arrays({name: Ragged.of(rows)}, texts=texts, provenance="m", groups=groups)
    return features, labels


def test_a_probe_of_labelled_steps_finds_the_wrong_one_and_scores_each():
    probe = PooledProbe(role=ROLE, each="step", how="min", learning_rate=0.05, epochs=60).fit(*world())
    features, labels = world(seed=1)
    wrong = [
        (one["steps"].index(False), scores)
        for one, scores in zip(labels, probe.step_scores(features), strict=True)
        if False in one["steps"]
    ]
    assert np.mean([np.argmax(scores < 0.5) == first for first, scores in wrong]) > 0.9
    # A trace has the score of its lowest step, and the verdicts hold those of all steps.
    verdicts = probe.verdicts(features)
    lowest = [expit(one.score) for one in verdicts]
    assert np.allclose(lowest, [min(one.step_scores) for one in verdicts])
    assert [len(one.step_scores) for one in verdicts] == [len(one["steps"]) for one in labels]


def test_without_labels_of_steps_it_learns_those_of_items_as_step_does():
    features, labels = world()
    right = [one["correct"] for one in labels]
    own, published = (PooledProbe(role=ROLE, each=each, epochs=3).fit(features, right) for each in ("step", "state"))
    assert np.array_equal(own.weights_, published.weights_)


def test_unknown_steps_change_nothing():
    """Whatever stands in a step without a label, but for the scale of the states."""
    features, labels = world()
    values = features.ragged[f"hidden/{ROLE}.none[-1]"]
    told = step_truths(labels, values.counts)
    moved = values.values.copy()
    moved[np.isnan(told[1])] = 99.0
    other = replace(features, ragged={f"hidden/{ROLE}.none[-1]": Ragged(moved, values.offsets)})
    made = [PooledProbe(role=ROLE, each="step", standardise=False, epochs=3).fit(f, labels) for f in (features, other)]
    assert np.allclose(made[0].weights_, made[1].weights_)


@pytest.mark.parametrize(
    ("probe", "each"),
    [
        (PooledProbe(role=ROLE), True),
        (PooledProbe(role="before_step"), True),
        (PooledProbe(role="step", reduce="mean"), True),
        (PooledProbe(role="step"), False),
        (PooledProbe(), False),
        (PooledProbe(role="segment(8)", reduce="mean"), False),
    ],
)
def test_only_where_there_is_one_state_a_step_are_steps_scored(probe, each):
    name = probe.needs[0]
    features = Features.from_arrays({name: Ragged.of([[[[0.0]], [[1.0]]], [[[2.0]]]])}, provenance="m", groups="pq")
    scores = probe.fit(features, [True, False]).step_scores(features)
    assert (None if scores is None else [len(one) for one in scores]) == ([2, 1] if each else None)


def test_the_product_of_probabilities():
    # Of (.9, .5, .8), methods.md section 29: .36, so that the score is ln(.36 / .64).
    features = Features.from_arrays(
        {f"hidden/{ROLE}.none[-1]": Ragged.of([[[[np.log(9)]], [[0.0]], [[np.log(4)]]]])}, provenance="m"
    )
    probe = PooledProbe(role=ROLE, how="product")
    probe.weights_, probe.mean_, probe.scale_ = np.array([1.0, 0.0]), np.zeros(1), np.ones(1)
    probe.n_excluded_, probe.provenance_ = 0, features.provenance
    assert probe.decision_function(features) == pytest.approx([np.log(0.36 / 0.64)], abs=1e-6)
    assert np.allclose(probe.step_scores(features)[0], [0.9, 0.5, 0.8])


@pytest.mark.parametrize("by", ["random", "position", "length", "words"])
def test_opponents_know_what_they_say(by):
    features, labels = world(200)
    judge = StepOpponent(by=by).fit(features, labels)
    unseen, known = world(200, seed=1)
    scores, right = np.concatenate(judge.step_scores(unseen)), step_truths(known, judge._read(unseen)[1])[1]
    gap = scores[right == 1][:, None] - scores[right == 0]
    area = np.mean((gap > 0) + (gap == 0) / 2)  # a number below 0 is longer
    assert area > {"words": 0.75, "length": 0.6}.get(by, 0.0)
    assert area < 0.7 or by in ("words", "length")


def test_position_knows_where_errors_are_likely():
    steps = [(True, True, True), (True, False, None), (True, False, None), (True, True, True)] * 10
    texts = {"steps": ['["a", "b", "c"]'] * 40}
    features = Features.from_arrays({}, texts=texts, provenance="m", groups=[str(k) for k in range(40)])
    judge = StepOpponent().fit(features, [{"steps": one, "correct": False not in one} for one in steps])
    (first,) = {tuple(one.round(6).tolist()) for one in judge.step_scores(features)}
    assert first[0] > 0.6


def test_an_item_without_steps_of_its_own_is_unscored_and_judges_are_saved(tmp_path):
    features, labels = world()
    judge = StepOpponent(by="words").fit(features, labels)
    other = replace(features, texts={"steps": ("", *features.texts["steps"][1:])})
    assert judge.verdicts(other)[0].unscored == "it has no steps of its own"
    judge.save(tmp_path)
    again = load(tmp_path)
    assert again.verdicts(other) == judge.verdicts(other)
    assert "StepOpponent" in registered_judges()


def test_held_out_scores_of_labels_by_step():
    texts = {"steps": ['["1+1=2", "so 2"]', '["1+1=3", "so 3"]'] * 6}
    features = Features.from_arrays({}, texts=texts, provenance="m", groups="ppqqrrssttuu")
    labels = [{"steps": (True, True), "correct": True}, {"steps": (False, None), "correct": False}] * 6
    scores = StepOpponent(by="words").fit_held_out(features, np.array(labels, dtype=object))
    assert np.isfinite(scores).all()
