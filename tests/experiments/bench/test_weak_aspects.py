"""The committed page of aspects, routes and gates, its studies in small, and what is checked of real answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from innerjudge.experiments.bench.weak import aspect_sections as page, gaps as with_gaps, routed as with_routes
from innerjudge.experiments.bench.weak.facts import kinds, of_solutions, of_solved
from innerjudge.experiments.bench.weak.focal import focal_loss, weights
from innerjudge.experiments.bench.weak.gaps import aspects_world, gaps
from innerjudge.experiments.bench.weak.picks import Candidates, drawn_candidates, picks, real_candidates
from innerjudge.experiments.bench.weak.routed import routed, routes_world
from innerjudge.experiments.bench.weak.worlds import Answers
from scipy.optimize import check_grad

from .test_weak_judges import tables

TEXT = Path(page.__file__).with_name("weak-aspects.md").read_text("utf-8")
FOUND = tables(TEXT)


def test_the_page_says_what_the_simulations_said() -> None:
    f1, bias = (FOUND[f"Aspects with gaps: {what}"] for what in ("F1", "bias"))
    assert f1["known, masked"][0] >= f1["hidden"][0] + 0.1
    assert bias["known, masked"][0] < 0.03
    routes = FOUND["Routes and aspects"]
    assert routes["aspects by route, plain mean"][0] >= routes["60 overall, pooled"][0] + 0.05
    assert routes["all overall, by route"][0] >= routes["all overall, pooled"][0] + 0.03
    use, broken = (FOUND[f"Gates: {what}"] for what in ("what is picked", "picks that break a rule"))
    assert use["gated, threshold, noise 0.15"][0] >= use["mean of all three, noise 0.15"][0] + 0.02
    assert broken["gated, threshold, noise 0.15"][0] < 0.01


def test_the_page_has_real_states() -> None:
    for part in TEXT.split("\n## ")[1:]:
        assert "solve" in part
        assert "smollm2-135m, mean 15" in part or "GSM8K solutions" in part
    assert "/" not in TEXT.partition("Written by")[2]


def test_the_focal_loss_of_the_release() -> None:
    # (1 - log(1/10))^(1/3) = 3.3026^(1/3), (1 - log(1/100))^(1/3) = 5.6052^(1/3)
    assert weights(np.array([100.0, 10.0, 1.0])).round(4).tolist() == [1.0, 1.4892, 1.7764]
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(30, 4)), rng.random(30) < 0.3
    one = rng.normal(size=4)
    assert check_grad(lambda w: focal_loss(w, z, y, 1.5)[0], lambda w: focal_loss(w, z, y, 1.5)[1], one) < 1e-4
    # p = 1/2 of one positive and one negative, weight 1: log 2 and -(.45^4) log(.55); the penalty of 0 is 0
    value = focal_loss(np.zeros(2), np.ones((2, 2)), np.array([True, False]), 1.0)[0]
    assert value == pytest.approx(np.log(2) - 0.45**4 * np.log(0.55))


def test_aspects_with_gaps_in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(with_gaps, "LEARNED", 500)
    monkeypatch.setattr(with_gaps, "TESTED", 400)
    monkeypatch.setattr(with_gaps, "SHARES", (0.5, 0.2))
    found = gaps(*aspects_world(0, 0), 0)
    assert found["F1: known, masked"] >= found["F1: hidden"] + 0.1
    assert found["bias: known, masked"] < 0.05 < found["bias: hidden"]
    assert found["bias: hidden, EM"] < found["bias: hidden"]


def test_routes_in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(with_routes, "ROUTES", 2)
    monkeypatch.setattr(with_routes, "ASPECTS", 2)
    monkeypatch.setattr(with_routes, "LEARNED", 600)
    found = routed(*routes_world(0, 0), 0)
    assert found["aspects by route, plain mean"] >= found["60 overall, pooled"] + 0.03
    assert found["all overall, by route"] > found["60 overall, by route"]


def test_gates_in_small() -> None:
    found = picks(drawn_candidates(800, 0), 0)
    low = "noise 0.15"
    assert found[f"usefulness: gated, threshold, {low}"] >= found[f"usefulness: mean of all three, {low}"] + 0.02
    assert found[f"broken: gated, threshold, {low}"] < 0.01
    assert found["broken: usefulness alone"] > 0.3
    assert found["broken: oracle of the rules"] == 0
    always = np.array([[True, True]])
    its = Candidates(np.array([[0.2, 0.9]]), np.array([[0.1, 0.8]]), (always, np.array([[True, False]])))
    assert picks(its, 0)["usefulness: usefulness alone"] == 0  # the second is picked, which breaks a rule
    assert picks(its, 0)["usefulness: oracle of the rules"] == 0.2


def test_facts_of_answers() -> None:
    texts = ["<think>3+3=6;6+2=8</think>8", "<think>3+3=7\n6*2=12/1-1=0</think>ok 0"]
    facts = of_solved(texts, np.array([5.0, 9.0]))
    assert {name: its.tolist() for name, its in facts.items()} == {
        "sound": [True, False],  # 3 + 3 is not 7
        "carried": [True, False],  # the second has 6, not 7, and then 1, not 12
        "bare": [True, False],
        "short": [True, False],  # the median is 7
        "lines": [False, True],
        "slashes": [False, True],
    }
    texts = ["It is 3*4=<<3*4=12>>12\nA: 12", "<<1/2=.5>>.5 and <<x=3>>3 and <<2+2=4>>4\nA: 1,000.5", "no"]
    facts = of_solutions(texts, np.array([1.0, 2.0, 3.0]))
    assert facts["sound"].tolist() == [True, False, False]
    assert facts["carried"].tolist() == [True, False, False]
    assert facts["whole"].tolist() == [True, False, False]
    assert facts["divides"].tolist() == [False, True, False]
    assert facts["few steps"].tolist() == [True, False, True]
    asked = ["Buy 2 hats at 2.", "She pays $3.", "What is 6 + 9 + 7?", "Start with 8."]
    assert kinds(asked).tolist() == ["bought", "money", "sum", "other"]


def test_real_candidates_are_those_of_whole_questions() -> None:
    question = np.array([0, 0, 1, 1, 2])
    fact = np.array([True, False, True, True, True])
    answers = Answers(np.zeros((5, 2)), fact, question, np.full(5, ""), facts={"a": fact, "b": ~fact})
    its = real_candidates(answers, ("a", "b"), 0)
    assert its.use.shape == (2, 2)
    assert its.use.sum() == 3
    assert (its.holds[0] == ~its.holds[1]).all()
