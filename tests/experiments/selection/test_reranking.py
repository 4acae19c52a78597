from __future__ import annotations

from itertools import combinations, permutations
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.experiments.selection.reranking import accuracy_against_n, credits, selection_accuracy
from innerjudge.experiments.selection.rules import RULES, WEIGHTED, Rule, pick
from innerjudge.experiments.selection.votes import majority, vote
from innerjudge.models.errors import InnerjudgeError

ANSWERS = ["7", "8", "8", "5", "5", "6"]
SCORES = [0.9, 0.1, 0.2, 0.5, 0.4, 0.7]
CORRECT = [True, False, False, False, False, True]
GROUPS = ["p", "p", "p", "q", "q", "q"]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (Rule("best-of-n"), 1.0),  # p: 7 right, q: 6 right
        (Rule("majority"), 0.0),  # p: 8, q: 5, both wrong
        (Rule("top-maj", k=1), 1.0),
        (Rule("top-maj", k=2), 1.0),  # ties go to the better candidate
        (Rule("top-maj", k=3), 0.0),
        (Rule("weighted", temperature=inf), 0.0),
        (Rule("weighted", temperature=0.0), 1.0),
        (Rule("oracle"), 1.0),
        (Rule("random"), 1 / 3),  # p: 1 of 3, q: 1 of 3
    ],
)
def test_by_hand(rule: Rule, value: float) -> None:
    found = selection_accuracy(ANSWERS, SCORES, CORRECT, GROUPS, rule=rule)
    assert found.value == pytest.approx(value)
    assert found.n == 2


def test_unknown_candidates_are_left_out_and_unscored_ones_rank_last() -> None:
    correct = [None, False, True, None, None, None]
    scores = [0.9, None, 0.2, 0.5, 0.4, 0.7]
    found = selection_accuracy(ANSWERS, scores, correct, GROUPS, rule=Rule("best-of-n"))
    assert (found.value, found.n) == (1.0, 1)  # p without its first: the scored 0.2 is right; q is not counted
    nothing = selection_accuracy(ANSWERS, scores, [None] * 6, GROUPS, rule=Rule("best-of-n"))
    assert nothing.value is None
    assert nothing.reason == "no candidate is known to be right or wrong"


def test_names() -> None:
    assert [str(Rule(name)) for name in ("best-of-n", "top-maj")] == ["best-of-n", "top-maj@4"]
    with pytest.raises(InnerjudgeError, match="given the rule 'best'"):
        Rule("best")
    with pytest.raises(InnerjudgeError, match="k=0"):
        Rule("top-maj", k=0)


def test_columns_of_different_lengths() -> None:
    with pytest.raises(InnerjudgeError, match="lengths"):
        selection_accuracy(["7"], [0.1, 0.2], [True], ["p"], rule=Rule("best-of-n"))


drawn = st.lists(
    st.tuples(st.sampled_from(["7", "8", None]), st.none() | st.sampled_from([-1.0, 0.0, 2.0]), st.booleans()),
    min_size=1,
    max_size=6,
)
rules = st.builds(
    Rule, st.sampled_from(["best-of-n", "majority", "top-maj", "weighted", "borda", "best-of-majority"]),
    k=st.integers(1, 4), temperature=st.sampled_from([0.0, 0.3, 1.0, inf]),
    alpha=st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0]),
    min_count=st.integers(1, 3), reward=st.sampled_from(["max", "mean", "sum"]), power=st.sampled_from([0.0, 0.5, 3.0]),
)  # fmt: skip


def credit(rule: Rule, answers: list[str | None], scores: list[float | None], correct: list[bool]) -> bool:
    """Whether the plain rule picks a right candidate."""
    return correct[pick(rule, answers, scores).index]


@settings(max_examples=150, deadline=None)
@given(drawn, rules)
def test_the_fast_rules_equal_the_plain_ones_on_every_order(
    rows: list[tuple[str | None, float | None, bool]], rule: Rule
) -> None:
    answers, scores, correct = map(list, zip(*rows, strict=True))
    orders = np.array(list(permutations(range(len(rows))))[:60])
    fast = credits(answers, scores, np.array(correct), rule=rule, n_max=len(rows), orders=orders)
    for n in range(1, len(rows) + 1):
        plain = [
            credit(rule, [answers[i] for i in o[:n]], [scores[i] for i in o[:n]], [correct[i] for i in o[:n]])
            for o in orders.tolist()
        ]
        assert fast[n - 1] == pytest.approx(np.mean(plain))


@pytest.mark.parametrize("name", ["borda", "deepconf"])
def test_votes_of_published_weights_equal_plain_ones(name: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        n = int(rng.integers(1, 9))
        answers = [["7", "8", "9", None][k] for k in rng.integers(4, size=n)]
        scores = [None if s > 0.9 else float(s) for s in rng.random(n)]
        rule = Rule(name, power=0.5, keep=0.4)
        voting = [k for k in range(n) if answers[k] is not None and scores[k] is not None]
        weights = [0.0] * n
        if name == "borda":
            for rank, k in enumerate(sorted(voting, key=lambda k: -scores[k]), start=1):  # type: ignore[operator]
                weights[k] = (n - rank + 1) ** 0.5
        elif voting:
            bar = np.percentile([scores[k] for k in voting], 60)  # type: ignore[arg-type]
            weights = [s if k in voting and s >= bar else 0.0 for k, s in enumerate(scores)]  # type: ignore[misc, operator]
        voting = [k for k in voting if weights[k]]
        first = vote([answers[k] for k in voting], [weights[k] for k in voting]) if voting else 0
        plain = voting[first] if voting else majority(answers)
        assert pick(rule, answers, scores).index == plain
        fast = credits(answers, scores, np.arange(n) == plain, rule=rule, n_max=n, orders=np.arange(n)[None])
        assert fast[-1] == 1


def test_curve_approaches_the_exact_expectation() -> None:
    answers, scores, correct = ["7", "8", "8", "5"], [0.4, 0.9, 0.1, 0.5], [True, False, False, True]
    rule = Rule("best-of-n")
    curve = accuracy_against_n(answers, scores, correct, ["p"] * 4, rule=rule, n_orders=4000, seed=0).mean(axis=0)
    for n in range(1, 5):  # every subset of n of the 4
        exact = np.mean(
            [credit(rule, [answers[i] for i in s], [scores[i] for i in s], [correct[i] for i in s])
             for s in combinations(range(4), n)]
        )  # fmt: skip
        assert curve[n - 1] == pytest.approx(exact, abs=0.03)


def test_oracle_and_mean_are_exact() -> None:
    correct = [True, False, False]
    oracle, mean = (
        accuracy_against_n(["7", "8", "9"], [1, 2, 3], correct, ["p"] * 3, rule=Rule(name), seed=0).mean(axis=0)
        for name in ("oracle", "random")
    )
    assert oracle == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert mean == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("name", RULES)
def test_curve_ends_at_the_selection_accuracy(name: str) -> None:
    rng = np.random.default_rng(3)
    n, scores = 40, rng.permutation(40).astype(float)
    answers = ["abcdeb"[i % 5] if i % 8 else None for i in range(n)]
    correct, groups = (rng.random(n) < 0.4).tolist(), [f"q{i // 8}" for i in range(n)]
    rule = Rule(name, k=1)
    if name in ("majority", *WEIGHTED):  # no ties: one answer leads in each question
        answers = ["ab"[i % 8 > 4] for i in range(n)]
        correct = [a == "a" and i < 24 for i, a in enumerate(answers)]
    each = accuracy_against_n(answers, scores, correct, groups, rule=rule, n_orders=20, seed=0)
    assert each.shape == (5, 8)
    assert each[:, -1].mean() == pytest.approx(selection_accuracy(answers, scores, correct, groups, rule=rule).value)


def test_curve_keeps_the_questions_with_enough_candidates() -> None:
    groups, answers, scores = ["p", "q", "q"], ["7", "7", "8"], [1.0, 2.0, 3.0]
    correct = [False, True, True]
    few = accuracy_against_n(answers, scores, correct, groups, rule=Rule("best-of-n"), seed=0)
    assert (few.mean(axis=0).tolist(), len(few)) == ([0.5], 2)
    more = accuracy_against_n(answers, scores, correct, groups, rule=Rule("best-of-n"), n_max=2, seed=0)
    assert (more.mean(axis=0).tolist(), len(more)) == ([1.0, 1.0], 1)
    with pytest.raises(
        InnerjudgeError, match="given at most 2 candidates of known correctness a question, expected a question with 3"
    ):
        accuracy_against_n(answers, scores, correct, groups, rule=Rule("best-of-n"), n_max=3, seed=0)
    with pytest.raises(InnerjudgeError, match="given at most 0 candidates"):
        accuracy_against_n(answers, scores, [None] * 3, groups, rule=Rule("best-of-n"), seed=0)


def test_curve_is_seeded() -> None:
    rng = np.random.default_rng(0)
    columns = (["abc"[i % 3] for i in range(30)], rng.random(30), (rng.random(30) < 0.5).tolist(), ["p"] * 30)
    a, b, c = (
        accuracy_against_n(*columns, rule=Rule("majority"), n_orders=20, seed=s).mean(axis=0).tolist()
        for s in (0, 0, 1)
    )
    assert a == b != c
