from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.experiments.selection.columns import Columns
from innerjudge.experiments.selection.representatives import METHODS, representatives
from innerjudge.experiments.selection.rules import Rule, pick
from innerjudge.experiments.selection.select_job import Selection, select
from innerjudge.models.errors import InnerjudgeError

#: Two bundles in answer 7 (near the x and the y axis), one trace of 8, and one unparsable.
ANSWERS = ["7", "7", "7", "7", "7", "8", None]
VECTORS = np.array([[1, 0.1], [1, 0], [1, -0.1], [0.1, 3], [0, 3], [5, 5], [9, 9]], dtype=float)


def weighted_vote(answers: Any, scores: Any, *, temperature: float = 1.0) -> int:
    return pick(Rule("weighted", temperature=temperature), answers, scores).index


@pytest.mark.parametrize("method", METHODS)
def test_by_hand(method: str) -> None:
    # x bundle: the mean is (1, 0), and trace 1 is it. y bundle: the mean is (0.05, 3), half-way: the first is taken.
    assert representatives(ANSWERS, VECTORS, clusters=2, method=method) == [1, 3, 5]
    assert representatives(ANSWERS, VECTORS, clusters=9, method=method) == [0, 1, 2, 3, 4, 5]
    # all of 7: the mean is (0.62, 1.2); cosine with it: 0.548, 0.459, 0.365, 0.903, 0.888
    assert representatives(ANSWERS, VECTORS, clusters=1, method=method) == [3, 5]


def test_equal_and_empty_vectors() -> None:
    assert representatives(["7"] * 4, np.ones((4, 3)), clusters=3) == [0]  # all alike: one stands for all
    assert representatives(["7"] * 3, np.zeros((3, 2)), clusters=1) == [0]
    assert representatives([None, None], np.ones((2, 2)), clusters=1) == []
    assert representatives([], np.zeros((0, 2)), clusters=1) == []
    two = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 3)
    assert representatives(["7"] * 6, two, clusters=4) == [0, 3]  # fewer different vectors than clusters


def vec_cisc(
    answers: list[str | None],
    vectors: np.ndarray,
    scores: list[float | None],
    *,
    clusters: int,
    method: str = "kmeans",
    temperature: float = 1.0,
) -> dict[str, Any]:
    """What ``select`` says of one question by VecCISC; candidates are named by their place."""
    n, names = len(answers), tuple(map(str, range(len(answers))))
    columns = Columns(
        questions=("q",) * n, candidates=names, answers=tuple(answers), scores=tuple(scores), correct=(None,) * n,
        tokens=(None,) * n, seconds=(None,) * n,
    )  # fmt: skip
    rule = Rule("weighted", temperature=temperature)
    (row,), _ = select(columns, Selection(rule=rule, clusters=clusters, method=method), vectors)
    return row


def test_only_representatives_are_scored() -> None:
    scores: list[float | None] = [9.0, 0.0, 9.0, 0.0, 9.0, 2.0, 9.0]  # those of 9 are no representatives
    found = vec_cisc(ANSWERS, VECTORS, scores, clusters=2)
    # weights e^2 = 7.39 for 8, and 1 + 1 for the two of 7
    assert (found["picked"], found["scored"], found["saved"]) == ("5", ["1", "3", "5"], 4)
    assert vec_cisc(ANSWERS, VECTORS, scores, clusters=2, temperature=float("inf"))["picked"] == "1"
    silent = vec_cisc(ANSWERS, VECTORS, [None] * 7, clusters=1)
    assert silent["picked"] == "0"  # nothing is scored: plain majority
    assert vec_cisc([None, None], np.ones((2, 1)), [1.0, 1.0], clusters=1)["scored"] == []


def test_bad_input() -> None:
    with pytest.raises(InnerjudgeError, match="clusters=0"):
        representatives(["7"], np.ones((1, 2)), clusters=0)
    with pytest.raises(InnerjudgeError, match="method='dbscan'"):
        representatives(["7"], np.ones((1, 2)), clusters=1, method="dbscan")
    with pytest.raises(InnerjudgeError, match=r"shape \(2, 2\) for 1 answers"):
        representatives(["7"], np.ones((2, 2)), clusters=1)
    with pytest.raises(InnerjudgeError, match="all finite"):
        representatives(["7"], np.full((1, 2), np.nan), clusters=1)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["7", "8", None]), min_size=1, max_size=9),
    st.integers(1, 4),
    st.sampled_from(METHODS),
    st.integers(0, 2**31),
)
def test_properties(answers: list[str | None], clusters: int, method: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(len(answers), 3))
    kept = representatives(answers, vectors, clusters=clusters, method=method)
    for answer in set(answers) - {None}:
        size = answers.count(answer)
        assert sum(answers[k] == answer for k in kept) == min(clusters, size)
    assert kept == sorted(set(kept))
    scores = rng.normal(size=len(answers)).tolist()
    enough = vec_cisc(answers, vectors, scores, clusters=9, method=method)
    if any(a is not None for a in answers):  # with room for all it is the plain weighted vote
        assert int(enough["picked"]) == weighted_vote(answers, scores)
