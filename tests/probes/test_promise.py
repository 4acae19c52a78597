"""Thresholds with a promise: by hand, against a naive search, saved with the judge, and kept over many draws."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from innerjudge import (
    CLUE,
    DifferenceOfMeans,
    Features,
    InnerjudgeError,
    LetterLogits,
    LogisticProbe,
    Promise,
    Ragged,
    TokenLogProb,
    calibrate,
)
from innerjudge.probes import load, save
from innerjudge.probes.risk import Bound, RiskName, p_values
from scipy.stats import binom


def names(n: int, each: int = 1) -> list[str]:
    return [f"q{k}" for k in range(n) for _ in range(each)]


def test_p_values_by_hand() -> None:
    # No loss: e (1 - a)^n is more than Hoeffding's exp(n ln(1 - a)) = (1 - a)^n = 0.9^100 = 2.656e-5.
    # Mean 0.02: min(e P(Bin(100, 0.1) <= 2) = e 0.001945, exp(-100 (0.02 ln 0.2 + 0.98 ln(0.98 / 0.9)))) = 0.005287.
    found = p_values([0.0, 0.02, 0.05, 0.08], 100, 0.1)
    np.testing.assert_allclose(found, [0.9**100, 0.005287, 0.15651, 0.789062], atol=1e-6)
    # P(Bin(100, 0.1) <= 5) = 0.057577; the same from scipy.
    np.testing.assert_allclose(p_values([0.05], 100, 0.1, single=True), [0.057577], atol=1e-6)
    np.testing.assert_allclose(p_values([0.05], 100, 0.1, single=True), binom.cdf(5, 100, 0.1))
    assert p_values([0.0], 0, 0.1).tolist() == [1.0]
    assert p_values([0.5, 1.0], 10, 0.1).tolist() == [1.0, 1.0]


def test_conformal_risk_control_by_hand() -> None:
    # 99 questions: 0.99 R + 0.01 is 0.01, 0.0199, 0.0397, 0.0694, 0.1288, 0.208.
    means = np.array([0, 0.01, 0.03, 0.06, 0.12, 0.2])
    for level, passing in ((0.1, 4), (0.05, 3), (0.005, 0), (0.3, 6)):
        assert Bound(level, None).holds(means, 99).sum() == passing
    # Of 59 questions without a loss 0.95^59 = 0.0485, of 58 0.0510; 1/(n + 1) <= 0.05 from n = 19 on.
    assert (Bound(0.05, 0.95).needed, Bound(0.05, None).needed) == (59, 19)
    assert Bound(0.05, 0.95).holds(np.zeros(1), 59).all()
    assert not Bound(0.05, 0.95).holds(np.zeros(1), 58).any()


def test_split_conformal_of_each_class_by_hand() -> None:
    """One item a question and no confidence: k = ceil((n + 1)(1 - level)) of n = 9, per class."""
    wrong = [0.05, 0.1, 0.1, 0.2, 0.3, 0.3, 0.4, 0.6, 0.8]
    right = [0.95, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5, 0.3]
    # Wrong ones: 0.1: k = 9, q = 0.8, kept is what is above; 0.2: k = 8, q = 0.6; 0.05: k = 10 > 9, never.
    # Right ones, 1 - p: 0.1: q = 0.7, so p >= 0.3; 0.2: q = 0.5, so p >= 0.5; 0.05: never lost.
    for level, q0, q1 in ((0.1, 0.8, 0.3), (0.2, 0.6, 0.5), (0.05, math.inf, -math.inf)):
        passed = calibrate(wrong, [False] * 9, names(9), risk="passed bad answers", level=level, confidence=None)
        lost = calibrate(right, [True] * 9, names(9), risk="lost good answers", level=level, confidence=None)
        assert passed.threshold == (math.nextafter(q0, math.inf) if math.isfinite(q0) else q0)
        assert lost.threshold == q1
        if level == 0.05:  # a threshold clamped to the greatest score would promise what it cannot keep
            assert passed.refused == (
                "given 9 questions with a bad answer for a level of 0.05, expected at least 19: add questions"
            )
            assert "at least 19" in str(lost)
            assert lost.keeps(-1e9) is None


def test_a_share_by_hand() -> None:
    """40 questions with two good answers each, one of them at its question's number, the other at 100."""
    scores = [float(s) for k in range(40) for s in (k, 100)]
    found = calibrate(scores, [True] * 80, names(40, 2), risk="lost good answers", level=0.1, confidence=0.9)
    # Below t are t answers of 1/2 question each: mean t / 80. Of 40 questions at level 0.1:
    # t = 0: 0.9^40 = 0.0148. t = 1: mean 0.0125, exp(-40 h), h = 0.0125 ln 0.125 + 0.9875 ln(0.9875 / 0.9)
    # = -0.02599 + 0.09163 = 0.06563: 0.0724. t = 2: mean 0.025, h = 0.025 ln 0.25 + 0.975 ln(0.975 / 0.9) = 0.04338:
    # 0.1763, above 1 - 0.9.
    assert (found.threshold, found.achieved, found.questions) == (1.0, 0.0125, 40)
    assert found.kept == 79 / 80


def test_wrong_among_kept_by_hand() -> None:
    """Single verdicts: right from 0.5 on, wrong below it; a quarter of 100 questions chooses, 75 test."""
    scores = np.arange(100) / 100
    found = calibrate(scores, scores >= 0.5, names(100), risk="wrong among kept", level=0.1, confidence=0.9)
    assert found.questions == 75
    # 22 right verdicts without a wrong one: 0.9^22 = 0.098; there are more than that among the 75 above 0.5.
    kept = scores >= found.threshold
    assert kept.sum() > 22
    assert found.achieved is not None
    assert found.achieved <= 0.1
    few = calibrate(scores[:20], scores[:20] >= 0, names(20), risk="wrong among kept", level=0.1, confidence=0.9)
    # 22 to test, and 7 = (22 - 1) // 3 to choose: 29 // 4 = 7, 29 - 7 = 22.
    assert "given 20 questions for a level of 0.1 with confidence 0.9, expected at least 29" in str(few)
    assert few.threshold == math.inf
    bad = calibrate(scores, scores < 0, names(100), risk="wrong among kept", level=0.1)
    assert "too many kept verdicts are wrong" in str(bad)


@pytest.mark.parametrize("risk", ["lost good answers", "passed bad answers", "kept and wrong"])
@pytest.mark.parametrize("confidence", [None, 0.9])
def test_the_threshold_is_that_of_a_naive_search(risk: RiskName, confidence: float | None) -> None:
    draw = np.random.default_rng(0)
    for _ in range(20):
        sizes = draw.integers(1, 5, size=60)
        groups = [f"q{k}" for k, size in enumerate(sizes) for _ in range(size)]
        scores = draw.integers(0, 30, size=len(groups)) / 10  # with ties
        good = draw.random(len(groups)) < scores / 3
        found = calibrate(scores, good, groups, risk=risk, level=0.2, confidence=confidence)
        best = None
        tried = sorted({*scores.tolist(), *(math.nextafter(s, 9) for s in scores)})
        for t in tried if risk == "lost good answers" else tried[::-1]:
            mean, n = naive_risk(risk, scores, good, groups, t)
            low = (n * mean + 1) / (n + 1) <= 0.2 + 1e-9
            if confidence is not None:
                low = bool(p_values(mean, n, 0.2) <= 0.1)
            if not low:
                break
            best = t
        if best is not None and risk == "lost good answers":
            best = min(s for s in scores[good] if s >= best)  # no good answer lies between
        assert found.threshold == best
        if best is not None:
            assert found.achieved == pytest.approx(naive_risk(risk, scores, good, groups, best)[0])


def naive_risk(risk: str, scores: Any, good: Any, groups: list[str], t: float) -> tuple[float, int]:
    losses = []
    for name in dict.fromkeys(groups):
        mine = [(s, g) for s, g, other in zip(scores, good, groups, strict=True) if other == name]
        kind = {"lost good answers": [True], "passed bad answers": [False]}.get(risk, [True, False])
        counted = [(s, g) for s, g in mine if g in kind]
        if counted:
            lost = [s < t if risk == "lost good answers" else s >= t and not g for s, g in counted]
            losses.append(sum(lost) / len(lost))
    return (float(np.mean(losses)) if losses else 0.0), len(losses)


def test_order_and_names_do_not_matter() -> None:
    draw = np.random.default_rng(1)
    scores, groups = draw.normal(size=600), np.array(names(200, 3))
    good = draw.random(600) < 1 / (1 + np.exp(-scores))
    order = draw.permutation(600)
    for risk in get_args(RiskName):
        one = calibrate(scores, good, groups.tolist(), risk=risk, level=0.3)
        two = calibrate(scores[order], good[order], groups[order].tolist(), risk=risk, level=0.3)
        assert (two.threshold, two.questions, two.kept) == (one.threshold, one.questions, one.kept)


def test_items_without_a_score_are_left_out_and_counted() -> None:
    scores = [*range(100), math.nan]
    found = calibrate(scores, [True] * 101, [*names(100), "q0"], risk="lost good answers")
    assert (found.unscored, found.questions, found.kept) == (1, 100, 1.0)


def broken(draws: int, *, by_question: bool) -> int:
    """In how many draws the threshold loses more good answers than promised: 200 questions with 10 answers each.

    All answers to a question have nearly one score: 2,000 answers say no more than 200. Of a new question's answers
    the share below t is P(u < t) = t, whatever the question's u in [0, 1].
    """
    wrong = 0
    for seed in range(draws):
        draw = np.random.default_rng(seed)
        level = np.repeat(draw.random(200), 10) + 1e-6 * draw.random(2000)
        groups = names(200, 10) if by_question else names(2000)
        found = calibrate(level, [True] * 2000, groups, risk="lost good answers", level=0.1, confidence=0.9)
        wrong += found.threshold > 0.1 + 1e-6
    return wrong


def test_the_promise_is_kept_by_questions_and_would_be_broken_by_candidates() -> None:
    draws = 300
    most = draws * 0.1 + 2 * math.sqrt(draws * 0.1 * 0.9)  # 40.4
    assert broken(draws, by_question=True) <= most
    assert broken(draws, by_question=False) > 2 * most


def test_a_promise_along_a_path_is_kept_and_one_of_each_look_is_broken() -> None:
    """150 good answers are looked at 8 times each, with scores that are uniform in [0, 1] and independent.

    An answer is lost where any look is below t: 1 - (1 - t)^8, at most 0.1 for t up to 1 - 0.9^(1/8) = 0.0131. The
    looks as items of their question are below 0.1 in a share of 0.1, and lose 1 - 0.9^8 = 0.57 of the answers.
    """
    draws, how = 2000, {"risk": "lost good answers", "level": 0.1, "confidence": 0.9}
    broken = dict.fromkeys(("path", "looks", "last look"), 0)
    for seed in range(draws):
        looks = np.random.default_rng(seed).random((150, 8))
        found = {
            "path": calibrate(looks.min(axis=1), [True] * 150, names(150), **how),  # type: ignore[arg-type]
            "last look": calibrate(looks[:, -1], [True] * 150, names(150), **how),  # type: ignore[arg-type]
        }
        if seed < 100:
            found["looks"] = calibrate(looks.ravel(), [True] * 1200, names(150, 8), **how)  # type: ignore[arg-type]
        for name, promise in found.items():
            broken[name] += 1 - (1 - max(promise.threshold, 0.0)) ** 8 > 0.1
    most = draws * 0.1 + 2 * math.sqrt(draws * 0.1 * 0.9)  # 226.8
    assert 0 < broken["path"] <= most
    assert broken["looks"] == 100
    assert broken["last look"] > 0.9 * draws


def test_wrong_columns_are_refused() -> None:
    for scores, good, groups, said in (
        ([1.0], [True, False], ["a", "b"], "three columns of one length"),
        ([1.0, 2.0], [1, 0], ["a", "b"], "given labels of int64 and scores of which 0 are infinite"),
        ([1.0, math.inf], [True, False], ["a", "b"], "given labels of bool and scores of which 1 are infinite"),
        ([[1.0], [2.0]], [True, False], ["a", "b"], "three columns of one length"),
    ):
        with pytest.raises(InnerjudgeError, match=said):
            calibrate(scores, good, groups, risk="lost good answers")
    for level, confidence in ((0.0, 0.9), (0.1, 1.0), (1.5, None), (math.nan, 0.9)):
        with pytest.raises(InnerjudgeError, match="numbers between 0 and 1"):
            calibrate([1.0], [True], ["a"], risk="lost good answers", level=level, confidence=confidence)
    with pytest.raises(InnerjudgeError, match="without a confidence"):
        calibrate([1.0], [True], ["a"], risk="wrong among kept", confidence=None)
    with pytest.raises(InnerjudgeError, match="given risk='lost', expected one of lost good answers"):
        calibrate([1.0], [True], ["a"], risk="lost")  # type: ignore[arg-type]
    assert calibrate([], np.zeros(0, dtype=bool), [], risk="kept and wrong").threshold == math.inf


def states(n: int, seed: int = 0) -> tuple[Features, np.ndarray[Any, Any]]:
    """Two traces a question; the state says which is right, with noise."""
    draw = np.random.default_rng(seed)
    right = draw.random(n) < 0.5
    end = draw.normal(size=(n, 4, 3)) + 1.5 * right[:, None, None]
    arrays = {"hidden/reasoning_start": np.zeros((n, 4, 3)), "hidden/reasoning_end": end}
    groups = [f"{seed}-{k // 2}" for k in range(n)]
    return Features.from_arrays(arrays, provenance="m", groups=groups), right


def test_a_judge_keeps_its_promise_with_it(tmp_path: Path) -> None:
    judge = DifferenceOfMeans().fit(*states(200))
    features, right = states(400, seed=1)
    promise = judge.promise(features, right, risk="lost good answers", level=0.1)
    scores = judge.decision_function(features)
    assert promise == replace(
        calibrate(scores, right, features.groups, risk="lost good answers", level=0.1),
        model=features.provenance.fingerprint,
        fit=promise.fit,
    )
    assert [promise.keeps(s) for s in scores.tolist()] == (scores >= promise.threshold).tolist()
    save(judge, tmp_path)
    back = load(tmp_path)
    assert back.promised() == promise
    assert Promise.from_json(json.loads(json.dumps(promise.to_json()))) == promise
    judge.fit(*states(200, seed=2))
    with pytest.raises(InnerjudgeError, match="the promise of another fit or model"):
        save(judge, tmp_path)
    text = (tmp_path / "judge.json").read_text()
    (tmp_path / "judge.json").write_text(text.replace('"level": 0.1', '"level": 0.2'))
    with pytest.raises(InnerjudgeError, match="checksum"):
        load(tmp_path)


ALONG = "reasoning/segment(4)"


def along(n: int, seed: int) -> tuple[Features, np.ndarray[Any, Any]]:
    """As :func:`states`, with a few looks on the way, some of an item without any."""
    features, right = states(n, seed)
    draw = np.random.default_rng(seed + 100)
    rows = [draw.normal(size=(k % 4, 4, 3)) + 1.5 * right[k] for k in range(n)]
    arrays = {**features.arrays, f"hidden/{ALONG}.last": Ragged.of(rows, (4, 3))}
    return Features.from_arrays(arrays, provenance="m", groups=features.groups), right


@pytest.mark.parametrize("risk", ["lost good answers", "passed bad answers"])
def test_a_judge_is_promised_along_a_role(risk: RiskName, tmp_path: Path) -> None:
    judge = DifferenceOfMeans().fit(*states(200))
    features, right = along(400, 1)
    promise = judge.promise(features, right, risk=risk, level=0.2, along=ALONG)
    pick = min if risk == "lost good answers" else max
    counts = []
    for k, own in enumerate(judge.decision_function(features).tolist()):
        seen = [own]
        for row in features.ragged[f"hidden/{ALONG}.last"][k]:  # the state in the place of the reasoning's end
            here = {"hidden/reasoning_start": np.zeros((1, 4, 3)), "hidden/reasoning_end": row[None]}
            seen += judge.decision_function(Features.from_arrays(here, provenance="m")).tolist()
        counts.append(pick(seen))
    naive = calibrate(counts, right, features.groups, risk=risk, level=0.2)
    assert promise.threshold == pytest.approx(naive.threshold, abs=1e-9)
    assert promise == replace(naive, along=ALONG, model=promise.model, fit=promise.fit, threshold=promise.threshold)
    assert promise.threshold != judge.promise(features, right, risk=risk, level=0.2).threshold
    assert f"at their {'lowest' if pick is min else 'highest'} over {ALONG} and the end" in str(promise)
    assert Promise.from_json(json.loads(json.dumps(promise.to_json()))) == promise
    before = {k: v for k, v in promise.to_json().items() if k != "along"}  # as saved by earlier versions
    assert Promise.from_json(before) == replace(promise, along="")
    judge.promise(features, right, risk=risk, level=0.2, along=ALONG)
    save(judge, tmp_path)
    assert load(tmp_path).promised() == promise


def test_what_cannot_be_promised_along_a_role_is_refused() -> None:
    judge = DifferenceOfMeans().fit(*states(200))
    features, right = along(40, 1)
    for judged, role, risk, said in (
        (judge, ALONG, "kept and wrong", "expected a promise of good or of bad answers"),
        (judge, "reasoning/segment(5)", "lost good answers", r"extract --read 'hidden/reasoning/segment\(5\).last'"),
        (judge, "response/segment(4)", "lost good answers", "reads the end of that part"),
        (judge, "reasoning/nth_last(2)", "lost good answers", "expected segment"),
        (TokenLogProb(), "segment(4)", "lost good answers", "a judge of states"),
    ):
        given = features if judged is judge else Features.from_arrays({"logprob": np.ones((40, 2))}, provenance="m")
        with pytest.raises(InnerjudgeError, match=said):
            judged.promise(given, right, risk=risk, along=role)  # type: ignore[arg-type]
    whole = calibrate(range(100), [True] * 100, names(100), risk="lost good answers").to_json()
    with pytest.raises(ValueError, match="promise"):
        Promise.from_json(whole | {"along": "nth_last(2)"})


def test_what_is_refused_is_saved_as_that(tmp_path: Path) -> None:
    judge = DifferenceOfMeans().fit(*states(200))
    judge.promise(*states(40, seed=1), risk="passed bad answers")
    save(judge, tmp_path)
    back = load(tmp_path).promised()
    assert back is not None
    assert back == judge.promise_
    assert back.threshold == math.inf
    assert back.keeps(1e9) is None


def test_verdicts_are_kept_for_their_distance_from_the_border() -> None:
    judge = LogisticProbe().fit(*states(200))
    features, right = states(600, seed=1)
    promise = judge.promise(features, right, risk="wrong among kept", level=0.1)
    assert promise.border == 0.0
    scores = judge.decision_function(features)
    assert [promise.keeps(s) for s in scores.tolist()] == (np.abs(scores) >= promise.threshold).tolist()
    kept = np.abs(scores) >= promise.threshold
    assert 0.3 < kept.mean() < 1
    assert (judge.predict(features)[kept] == right[kept]).mean() > 0.9
    with pytest.raises(InnerjudgeError, match="does not say how sure it is"):
        CLUE().fit(*states(200)).promise(features, right, risk="wrong among kept")


def test_options_are_kept_for_the_lead_of_the_best() -> None:
    draw = np.random.default_rng(0)
    answer = draw.integers(0, 3, size=300)
    logits = draw.normal(size=(300, 2, 2, 5))
    logits[np.arange(300), 1, 1, answer] += 2
    arrays = {"logits/score": logits, "labels": np.full(300, 5)}
    features = Features.from_arrays(arrays, provenance="m")
    judge = LetterLogits()
    promise = judge.promise(features, answer, risk="kept and wrong", level=0.1)
    assert promise.border is None
    assert promise.keeps([1.0, 9.0, 2.0]) == (promise.threshold <= 7.0)
    verdicts = judge.verdicts(features)
    wrong = [bool(promise.keeps(v.score)) and v.label != a for v, a in zip(verdicts, answer.tolist(), strict=True)]  # type: ignore[arg-type]
    assert sum(wrong) / 300 == pytest.approx(promise.achieved)


def test_damaged_promises_are_refused() -> None:
    whole = calibrate(range(100), [True] * 100, names(100), risk="lost good answers").to_json()
    for name, value in (("risk", "none"), ("level", 2.0), ("threshold", None), ("questions", 1.5), ("fit", 3)):
        with pytest.raises(ValueError, match="promise"):
            Promise.from_json(whole | {name: value})
    with pytest.raises(KeyError):
        Promise.from_json({"risk": "kept and wrong"})


def test_a_promise_says_for_whom_it_holds() -> None:
    found = calibrate(range(100), [True] * 100, names(100), risk="lost good answers")
    assert str(found) == (
        "With a confidence of 95 %: of the good answers to a question, on average at most 5 % score below 1. It holds "
        "for questions drawn like the 100 that it was calibrated on, and answers made in the same way."
    )
    assert TokenLogProb().promised() is None
