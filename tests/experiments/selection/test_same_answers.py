"""Which answers are one: an equivalence, whatever else is there and in whatever order it comes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from innerjudge.experiments.data.answers import normalise
from innerjudge.experiments.selection.maths import equal_answers

pytest.importorskip("math_verify")

#: Answers that a comparison by twos, with a tolerance, merges in one order and not in another.
ODD = [
    *("50%", "50 %", "50", "0.5", r"50\%", "1/2", "5/10", r"\frac{1}{2}", "0.50", "1e3", "1000", "1e999999999"),
    *("0.333", "0.3333333", "1/3", r"\frac13", "0.1", "0.10000000000000001", r"\pi", "3.14159265358979"),
    *("1,2", "{1,2}", "(1,2)", "[1,2]", "{2,1}", "12", "x=2", "2", "y=2", "x=y=2", "x>2", "2<x", "yes", r"\text{yes}"),
    *(r"\sqrt{4}", r"\sqrt{8}", r"2\sqrt{2}", "2x+2", "2(x+1)", r"\infty", r"-\infty", "1/0", "-", "%", "b", "(B)", ""),
]
answer = st.sampled_from(ODD) | st.text(max_size=6) | st.decimals(-99, 99, places=2).map(str) | st.fractions().map(str)


def one(*pair: str) -> bool:
    first, second = equal_answers(pair)
    return first == second


@settings(deadline=None, max_examples=60)
@given(st.lists(answer, min_size=1, max_size=8), st.randoms())
def test_grouping_is_an_equivalence_and_free_of_order(answers: list[str], random) -> None:  # type: ignore[no-untyped-def]
    names = equal_answers(answers)
    mixed = list(range(len(answers)))
    random.shuffle(mixed)
    assert equal_answers([answers[k] for k in mixed]) == [names[k] for k in mixed]
    for a, first in zip(answers, names, strict=True):
        assert one(a, a)  # reflexive
        for b, second in zip(answers, names, strict=True):
            assert one(a, b) == one(b, a) == (first == second)  # symmetric, and the same without the others
    assert equal_answers([*answers, *(n for n in names if n is not None)])[: len(answers)] == names


@settings(deadline=None, max_examples=100)
@given(answer, answer)
def test_mathematics_joins_what_spelling_joins(a: str, b: str) -> None:
    if normalise(a) == normalise(b):
        assert one(a, b)


@settings(deadline=None, max_examples=60)
@given(st.fractions(-50, 50, max_denominator=40), st.integers(1, 5))
def test_fractions_are_one_by_value(value: Fraction, times: int) -> None:
    spelt = [f"{value.numerator * times}/{value.denominator * times}"]
    spelt.append(rf"\frac{{{value.numerator * times}}}{{{value.denominator * times}}}")
    if value.denominator == 1:
        spelt.append(f"{value.numerator}.0")
    assert len(set(equal_answers(spelt))) == 1
    assert not one(spelt[0], f"{value.numerator + 1}/{value.denominator}")


def test_a_percentage_is_no_share() -> None:
    assert equal_answers(["50 %", "50", "0.5"]) == ["50", "50", "0.5"]
    assert equal_answers(["0.5", "50", "50 %"]) == ["0.5", "50", "50"]
    assert equal_answers(["1e3", "1000", "1,000"]) == ["1e3"] * 3
