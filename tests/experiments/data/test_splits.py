from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from innerjudge.experiments.data.splits import rows_by_group, split_by_group
from innerjudge.models.errors import InnerjudgeError

groups_of_two = st.lists(st.sampled_from("pqrstu"), min_size=2, max_size=30).filter(lambda g: len(set(g)) > 1)


@given(groups_of_two, st.floats(0.01, 0.99), st.integers(0, 2**32))
def test_no_question_on_both_sides(groups: list[str], share: float, seed: int) -> None:
    train, test = split_by_group(groups, train_fraction=share, seed=seed)
    assert sorted([*train, *test]) == list(range(len(groups)))
    assert not {groups[i] for i in train} & {groups[i] for i in test}
    assert min(len(train), len(test)) > 0


@given(groups_of_two, st.integers(0, 99), st.randoms())
def test_the_draw_is_of_names_not_of_rows(groups: list[str], seed: int, random: object) -> None:
    shuffled = list(groups)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    sides = [{order[i] for i in split_by_group(order, seed=seed)[0]} for order in (groups, shuffled)]
    assert sides[0] == sides[1]


def test_share_is_of_questions() -> None:
    groups = [f"q{i}" for i in range(10) for _ in range(i + 1)]
    train, _ = split_by_group(groups, train_fraction=0.3, seed=1)
    assert len({groups[i] for i in train}) == 3


def test_seed_decides() -> None:
    groups = [str(i) for i in range(20)]
    again = [split_by_group(groups, seed=s)[0].tolist() for s in (0, 0, 1)]
    assert again[0] == again[1] != again[2]


@pytest.mark.parametrize("groups", [[], ["q"], ["q", "q"]])
def test_fewer_than_two_questions(groups: list[str]) -> None:
    with pytest.raises(InnerjudgeError, match="expected at least 2"):
        split_by_group(groups, seed=0)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 2.0, float("nan")])
def test_share_out_of_range(share: float) -> None:
    with pytest.raises(InnerjudgeError, match="expected one between 0 and 1"):
        split_by_group(["p", "q"], train_fraction=share, seed=0)


@given(st.lists(st.sampled_from("pqr"), max_size=20))
def test_rows_by_group_is_a_partition_in_order(groups: list[str]) -> None:
    rows = rows_by_group(groups)
    assert [groups[r[0]] for r in rows] == list(dict.fromkeys(groups))
    assert sorted(np.concatenate([*rows, np.zeros(0, int)]).tolist()) == list(range(len(groups)))
    assert all(r.tolist() == sorted(r.tolist()) for r in rows)
