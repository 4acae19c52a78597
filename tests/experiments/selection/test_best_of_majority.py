from __future__ import annotations

from collections import Counter
from math import isfinite, nan

import pytest
from hypothesis import given, strategies as st
from innerjudge.experiments.selection.votes import REWARDS, MajorityPick, best_of_majority, best_of_n, majority
from innerjudge.models.errors import InnerjudgeError

ANSWERS = ["7", "8", "8", "9", "9", None, "8", "9"]
SCORES = [0.9, 0.1, 0.3, 0.6, 0.0, 1.0, 0.2, None]


def test_by_hand() -> None:
    # 7: 1 of 8, max 0.9. 8: 3 of 8, max 0.3, mean 0.2, sum 0.6. 9: 3 of 8, max 0.6, mean 0.3, sum 0.6. One unparsable.
    assert best_of_majority(ANSWERS, SCORES).picks == (0,)
    assert best_of_majority(ANSWERS, SCORES, min_count=2) == MajorityPick((3,), 2)
    assert best_of_majority(ANSWERS, SCORES, alpha=3 / 8) == MajorityPick((3,), 2)  # 3 of 8 is enough, exactly
    assert best_of_majority(ANSWERS, SCORES, min_count=2, k=2).picks == (3, 2)
    assert best_of_majority(ANSWERS, SCORES, k=9).picks == (0, 3, 2)  # there are only three answers
    assert best_of_majority(ANSWERS, SCORES, min_count=2, reward="sum").picks == (2,)  # 0.6 : 0.6, 8 comes first
    assert best_of_majority(ANSWERS, SCORES, min_count=2, reward="mean").picks == (3,)
    none = best_of_majority(ANSWERS, SCORES, min_count=4)
    assert none == MajorityPick((0,), 0, "no answer passed the gate: all took part")


def test_a_share_is_met_where_it_is_met_exactly() -> None:
    for n in range(1, 60):  # 7 of 100 is 0.07, though 0.07 * 100 is more than 7 in floats
        for k in range(1, n + 1):
            answers = ["a"] * k + [f"b{i}" for i in range(n - k)]
            scores = [0.0] * k + [1.0] * (n - k)
            assert best_of_majority(answers, scores, alpha=k / n).picks[0] == (0 if k > 1 or n == 1 else 1)


def test_silence() -> None:
    assert best_of_majority([None, None], [0.1, 0.2]) == MajorityPick(
        (1,), 0, "no answer can be read: the best candidate was taken"
    )
    assert best_of_majority(["7", "8", "8"], [None, nan, None]).picks == (1,)  # nothing is scored: the most frequent
    assert best_of_majority(["7", "8", "8"], [-5.0, None, None]).picks == (0,)  # scored before unscored
    assert best_of_majority(["7"], [None]).picks == (0,)
    with pytest.raises(InnerjudgeError, match="without candidates"):
        best_of_majority([], [])
    for bad in ({"alpha": 1.1}, {"alpha": -0.1}, {"min_count": 0}, {"k": 0}, {"reward": "median"}):
        with pytest.raises(InnerjudgeError, match="expected a share from 0 to 1"):
            best_of_majority(["7"], [1.0], **bad)  # type: ignore[arg-type]


rows = st.lists(
    st.tuples(st.sampled_from(["7", "8", "9", None]), st.none() | st.sampled_from([-1.0, 0.0, 0.5, 2.0])),
    min_size=1,
    max_size=8,
)


@given(
    rows, st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(1, 3), st.sampled_from(sorted(REWARDS)), st.integers(1, 3)
)
def test_equals_the_definition(drawn, alpha: float, least: int, reward: str, k: int) -> None:
    answers, scores = [a for a, _ in drawn], [s for _, s in drawn]
    found = best_of_majority(answers, scores, alpha=alpha, min_count=least, k=k, reward=reward)
    counts = Counter(a for a in answers if a is not None)
    gate = [a for a, n in counts.items() if n / len(answers) >= alpha and n >= least]
    assert found.passed == len(gate)
    assert (found.fallback is not None) == (not gate)
    if not counts:
        assert found.picks == (best_of_n(scores),)
        return
    left = list(gate or counts)
    expected = []
    while left and len(expected) < k:  # the best one, again and again

        def worth(answer: str) -> tuple[bool, float]:
            known = [s for a, s in drawn if a == answer and s is not None]
            return (True, REWARDS[reward](known)) if known else (False, counts[answer])

        best = max(left, key=worth)  # max takes the first of equals
        left.remove(best)
        expected.append(best)
    assert [answers[p] for p in found.picks] == expected
    for pick in found.picks:
        rivals = [s for a, s in drawn if a == answers[pick] and s is not None]
        assert scores[pick] == (max(rivals) if rivals else None)


@given(rows)
def test_limits(drawn) -> None:
    parsable = [(a, s) for a, s in drawn if a is not None and s is not None]
    if not parsable:
        return
    answers, scores = [a for a, _ in parsable], [s for _, s in parsable]
    assert scores[best_of_majority(answers, scores).picks[0]] == scores[best_of_n(scores)]  # best-of-N, up to ties
    most = max(Counter(answers).values())
    leaders = [a for a, n in Counter(answers).items() if n == most]
    if len(leaders) == 1:  # a gate that only the leader passes is majority
        assert answers[best_of_majority(answers, scores, min_count=most).picks[0]] == answers[majority(answers)]
    assert all(isfinite(s) for s in scores)
