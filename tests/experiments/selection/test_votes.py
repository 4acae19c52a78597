from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import exp, inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from innerjudge.experiments.selection.reranking import selection_accuracy
from innerjudge.experiments.selection.rules import Rule, pick
from innerjudge.experiments.selection.votes import best_of_n, majority, ranking, top_maj_at_k, vote
from innerjudge.models.errors import InnerjudgeError

Candidates = list[tuple[str | None, float | None]]
answer = st.sampled_from(["7", "8", "9", None])
score = st.none() | st.just(nan) | st.integers(-3, 3).map(float)
candidates: st.SearchStrategy[Candidates] = st.lists(st.tuples(answer, score), min_size=1, max_size=8)


def weighted_vote(answers: Any, scores: Any, *, temperature: float = 1.0) -> int:
    return pick(Rule("weighted", temperature=temperature), answers, scores).index


def columns(drawn: Candidates) -> tuple[list[str | None], list[float | None]]:
    return [a for a, _ in drawn], [s for _, s in drawn]


def test_majority() -> None:
    assert majority(["7", "8", "8"]) == 1
    assert majority(["9", "8", "8", "9"]) == 0  # 2 : 2, 9 came first
    assert majority([None, None, None, "8"]) == 3  # unparsable answers never win
    assert majority([None, None]) == 0  # unless all are


def test_best_of_n() -> None:
    assert best_of_n([0.2, 0.9, 0.9]) == 1  # tie: first
    assert best_of_n([None, nan, -5.0, -inf]) == 2  # unscored last
    assert best_of_n([None, None]) == 0
    assert ranking([None, 1.0, nan, 2.0, 1.0]) == [3, 1, 4, 0, 2]


def test_top_maj() -> None:
    answers, scores = ["7", "8", "8", "7", "7"], [0.9, 0.8, 0.7, 0.2, 0.1]
    assert top_maj_at_k(answers, scores, k=1) == 0
    assert top_maj_at_k(answers, scores, k=2) == 0  # 1 : 1, 7 ranks higher
    assert top_maj_at_k(answers, scores, k=3) == 1  # 8 has 2 of 3
    assert top_maj_at_k(answers, scores, k=5) == 0  # 7 has 3 of 5
    assert top_maj_at_k(answers, scores, k=99) == 0
    assert top_maj_at_k([None, None, "8"], [3, 2, 1], k=2) == 0  # both voters unparsable
    assert top_maj_at_k([None, "8"], [3, 2], k=2) == 1


def test_weighted_vote_by_hand() -> None:
    answers, scores = ["7", "8", "8"], [1.0, 0.0, 0.0]
    # T = 1: 7 has e = 2.718, 8 has 1 + 1 = 2; T = 2: sqrt(e) = 1.649 against 2
    assert weighted_vote(answers, scores, temperature=1.0) == 0
    assert weighted_vote(answers, scores, temperature=2.0) == 1
    assert exp(1 / 1.4426) < 2.0001 < exp(1 / 1.4425) + 1e-4  # the switch is at T = 1 / ln 2 = 1.4427
    assert weighted_vote(answers, scores, temperature=1.44) == 0
    assert weighted_vote(answers, scores, temperature=1.45) == 1


def test_borda_votes_by_hand() -> None:
    # Of 4 candidates, power .5: 2, 1.7321, 1.4142, 1. "8" has ranks 2 and 4 (2.7321), "7" rank 1 (2), "9" rank 3.
    answers, scores = ["7", "8", "9", "8"], [0.9, 0.8, 0.7, 0.6]
    np.testing.assert_allclose(Rule("borda").weights(np.array(scores)), [2, 1.7321, 1.4142, 1], rtol=1e-4)
    assert pick(Rule("borda"), answers, scores).index == 1
    assert pick(Rule("borda"), answers, scores).why == "'8' has 0.445 of the weight"  # 2.7321 of 6.1463
    # Power 3: 64, 27, 8, 1. "8" has 28.
    assert pick(Rule("borda", power=3.0), answers, scores).index == 0
    # An answer that cannot be read ranks last: 3 ** .5 and 2 ** .5 of 3 candidates.
    np.testing.assert_allclose(Rule("borda").weights(np.array([np.nan, 0.1, 0.2])), [0, 2**0.5, 3**0.5])
    assert pick(Rule("borda"), [None, "7", "7"], [9.0, None, None]).index == 1


def test_a_large_power_of_borda_does_not_overflow() -> None:
    """6 ** 400 is over 1e308: the first rank has all of the weight, as with 4 candidates, where nothing overflows."""
    scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    weights = Rule("borda", power=400.0).weights(np.array(scores))
    np.testing.assert_allclose(weights / weights.sum(), [1, 0, 0, 0, 0, 0], atol=1e-30)
    made = pick(Rule("borda", power=400.0), ["7", "8", "8", "8", "8", "8"], scores)
    assert (made.index, made.why) == (0, "'7' has 1 of the weight")
    assert Rule("borda", power=400.0).weights(np.array(scores[:4])).max() == 4.0**400


def test_deepconf_votes_by_hand() -> None:
    # Confidences 2, 3, 4, 5, 8: the 90th percentile is 6.8 and the 10th 2.4 (numpy's, linear between two).
    scores, answers = [2.0, 3, 4, 5, 8], ["7", "8", "8", "8", "7"]
    np.testing.assert_array_equal(Rule("deepconf").weights(np.array(scores)), [0, 0, 0, 0, 8])
    np.testing.assert_array_equal(Rule("deepconf", keep=0.9).weights(np.array(scores)), [0, 3, 4, 5, 8])
    assert pick(Rule("deepconf"), answers, scores).index == 4  # 8 alone votes
    assert pick(Rule("deepconf", keep=0.9), answers, scores).index == 1  # 12 against 8
    with pytest.raises(InnerjudgeError, match=r"scores below 0 .*expected confidences"):
        pick(Rule("deepconf"), answers, [-1.0, *scores[1:]])
    with pytest.raises(InnerjudgeError, match="power=-1"):
        Rule("borda", power=-1)
    with pytest.raises(InnerjudgeError, match=r"power=inf and keep=0\.1, expected a finite power of 0 or more"):
        Rule("borda", power=float("inf"))
    nothing = pick(Rule("deepconf"), ["a", "b"], [0.0, 0.0])
    assert (nothing.index, nothing.fallback) == (0, "no candidate with an answer has a score above 0: plain majority")
    unscored = pick(Rule("deepconf"), ["a", None], [None, 0.0])
    assert unscored.fallback == "no candidate with an answer is scored: plain majority"
    with pytest.raises(InnerjudgeError, match=r"keep=0\.0"):
        Rule("deepconf", keep=0.0)


def test_weighted_vote_of_unscored_and_unparsable() -> None:
    assert weighted_vote(["7", "7", "8"], [None, None, -9.0]) == 2  # unscored have no weight
    assert weighted_vote([None, "8"], [9.0, None]) == 1  # none to weigh: majority
    assert weighted_vote([None, None], [1.0, 2.0]) == 0
    assert weighted_vote([None, "8"], [9.0, -9.0], temperature=0.0) == 1
    assert weighted_vote(["7", "8"], [-1e4, -2e4], temperature=1e-3) == 0  # no underflow of all weights


@given(candidates)
def test_limits_of_the_temperature(drawn: Candidates) -> None:
    answers, scores = columns(drawn)
    votes = [i for i, (a, s) in enumerate(drawn) if a is not None and s is not None and s == s]
    if votes:
        best = max(s for i in votes if (s := scores[i]) is not None)
        cold = weighted_vote(answers, scores, temperature=0.0)
        assert scores[cold] is not None
        top = Counter(answers[i] for i in votes if scores[i] == best)
        assert top[answers[cold]] == max(top.values())
        assert answers[weighted_vote(answers, scores, temperature=1e-4)] == answers[cold]
        assert weighted_vote(answers, scores, temperature=inf) == votes[majority([answers[i] for i in votes])]
    else:
        assert weighted_vote(answers, scores, temperature=0.0) == majority(answers)


@given(candidates, st.integers(1, 9))
def test_relations_of_the_rules(drawn: Candidates, k: int) -> None:
    answers, scores = columns(drawn)
    assert top_maj_at_k(answers, scores, k=1) == best_of_n(scores)
    everyone = Counter(a for a in answers if a is not None)
    if everyone:
        assert everyone[answers[majority(answers)] or ""] == max(everyone.values())
        assert everyone[answers[top_maj_at_k(answers, scores, k=len(drawn))] or ""] == max(everyone.values())
    ranked = ranking(scores)
    assert sorted(ranked) == list(range(len(drawn)))
    assert top_maj_at_k(answers, scores, k=k) in ranked[:k]


@given(candidates, st.integers(1, 9), st.floats(0.1, 5), st.floats(-3, 3))
def test_only_the_order_of_scores_matters_and_shifts_do_not(
    drawn: Candidates, k: int, scale: float, shift: float
) -> None:
    answers, scores = columns(drawn)
    moved = [None if s is None else s * scale + shift for s in scores]
    assert best_of_n(moved) == best_of_n(scores)
    assert top_maj_at_k(answers, moved, k=k) == top_maj_at_k(answers, scores, k=k)


@given(candidates)
def test_a_candidate_without_answer_never_wins_a_vote(drawn: Candidates) -> None:
    answers, scores = columns(drawn)
    if any(a is not None for a in answers):
        for picked in (majority(answers), weighted_vote(answers, scores), top_maj_at_k(answers, scores, k=len(drawn))):
            assert answers[picked] is not None


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.data())
def test_oracle_and_random_are_ceiling_and_floor(correct: list[bool], data: st.DataObject) -> None:
    picked, nothing, group = data.draw(st.integers(0, len(correct) - 1)), [None] * len(correct), ["q"] * len(correct)
    oracle, random = (
        selection_accuracy(nothing, nothing, correct, group, rule=Rule(name)).value for name in ("oracle", "random")
    )
    assert oracle is not None
    assert random is not None
    assert correct[picked] <= oracle
    assert random <= oracle == any(correct)
    assert random == pytest.approx(sum(correct) / len(correct))


@pytest.mark.parametrize("empty", [[], ()])
def test_a_question_without_candidates(empty: Sequence[str]) -> None:
    with pytest.raises(InnerjudgeError, match="without candidates"):
        vote(empty, [])
    with pytest.raises(InnerjudgeError, match="without candidates"):
        best_of_n([])


def test_bad_parameters() -> None:
    with pytest.raises(InnerjudgeError, match="k=0"):
        top_maj_at_k(["7"], [1.0], k=0)
    for temperature in (-1.0, nan):
        with pytest.raises(InnerjudgeError, match="temperature"):
            weighted_vote(["7"], [1.0], temperature=temperature)
