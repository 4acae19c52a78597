"""Families of texts that begin alike, told from token ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, strategies as st
from innerjudge.extraction import schedule
from innerjudge.extraction.schedule import Family, families

Text = tuple[int, ...]


def _all(texts: Sequence[Text]) -> list[int]:
    return [len(text) - 1 for text in texts]


def test_candidates_of_two_prompts() -> None:
    a, b = (1, 1, 1, 1), (2, 2, 2)
    texts = [(*a, 5), (*b, 6), (*a, 7, 8), (*b, 9)]
    assert families(texts, _all(texts)) == [Family((0, 2), 4), Family((1, 3), 3)]


def test_a_beginning_common_to_all_is_left_for_a_longer_one() -> None:
    # 0 and 1 share 5 tokens, all share 2: two families save 5 + 2, one of four saves 3 * 2.
    texts = [(9, 9, 1, 1, 1, 4), (9, 9, 1, 1, 1, 5), (9, 9, 2, 6), (9, 9, 3, 7)]
    assert families(texts, _all(texts)) == [Family((0, 1), 5), Family((2, 3), 2)]
    # With 3 tokens in common one family saves 6 of all but 4 + 3 for the two.
    texts = [(9, 9, 9, 1, 4), (9, 9, 9, 1, 5), (9, 9, 9, 2, 6), (9, 9, 9, 3, 7)]
    assert families(texts, _all(texts)) == [Family((0, 1, 2, 3), 3)]


def test_what_is_read_behind_the_beginning_bounds_it() -> None:
    texts = [(1, 2, 3, 4, 5), (1, 2, 3, 4, 6)]
    assert families(texts, [2, 4]) == [Family((0, 1), 2)]
    assert families(texts, [0, 4]) == [Family((0, 1), 0)]


def test_the_same_text_twice_keeps_a_token_of_its_own() -> None:
    assert families([(1, 2, 3), (1, 2, 3)], [2, 2]) == [Family((0, 1), 2)]


def test_what_does_not_pay_is_read_whole() -> None:
    long = tuple(range(100))
    texts = [(7, 7, *long), (7, 7, *long[::-1])]  # 2 of 204 tokens
    assert families(texts, _all(texts)) == [Family((0, 1), 0)]
    texts = [(1, 2, 3), (1, 2, 4)]
    assert families(texts, _all(texts), least=3) == [Family((0, 1), 0)]
    assert families([], []) == []


def _partitions(rows: list[int]) -> Iterator[list[list[int]]]:
    if not rows:
        yield []
        return
    first, *rest = rows
    for parts in _partitions(rest):
        yield [[first], *parts]
        for k in range(len(parts)):
            yield [*parts[:k], [first, *parts[k]], *parts[k + 1 :]]


def _saved(texts: Sequence[Text], rows: Sequence[int]) -> int:
    heads = [texts[k][: len(texts[k]) - 1] for k in rows]
    shared = 0
    while all(len(h) > shared and h[shared] == heads[0][shared] for h in heads):
        shared += 1
    return (len(rows) - 1) * shared


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=6).map(tuple), min_size=1, max_size=6))
def test_families_share_what_they_say_and_save_nearly_all_that_can_be(texts: list[Text]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule, "WORTH", 0.0)
        found = families(texts, _all(texts))
    assert sorted(row for family in found for row in family.rows) == list(range(len(texts)))
    for family in found:
        assert len({texts[row][: family.shared] for row in family.rows}) == 1
        assert all(len(texts[row]) > family.shared for row in family.rows)
        assert family.shared == 0 or len(family.rows) > 1
    saved = sum((len(family.rows) - 1) * family.shared for family in found)
    best = max(sum(_saved(texts, part) for part in parts) for parts in _partitions(list(range(len(texts)))))
    # A branch that was closed is opened again only as a whole: the rest of it may miss a family higher up.
    assert best >= saved >= best - max((len(text) for text in texts), default=0)
