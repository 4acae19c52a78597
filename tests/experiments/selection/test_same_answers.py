"""Which answers are one: an equivalence, whatever else is there and in whatever order it comes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings, strategies as st
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
#: A number as models write it: with units, thousands separators, as a percentage, a fraction, a mixed number, in LaTeX.
BARE = [
    "{n}", "{n}.0", "{n:,}", "{n:,}.00", "{n}%", "{n} %", r"{n}\%", "${n}", r"\${n}", "{n} cm", "{n}cm",
    r"{n}\text{{ cm}}", r"{n} \, \mathrm{{km}}", r"{n}^\circ", "{n} degrees", "{n}/{d}", "{n} / {d}",
    r"\frac{{{n}}}{{{d}}}", r"\dfrac{n}{d}", r"\tfrac{{{n}}}{{{d}}}", "{w} {n}/{d}", r"{w}\frac{{{n}}}{{{d}}}",
    r"{w} \frac{{{n}}}{{{d}}}", "-{w} {n}/{d}", "{w}.{n}", "{w},{n}", "{w}{{,}}{n:03}", "{w} {n:03}",
    r"{w}\,{n:03}", "{n}e{w}", r"{n}\times 10^{{{w}}}", r"{n} \cdot 10^{w}", "{n}:{d}", r"\sqrt{{{n}}}",
    r"{w}\sqrt{{{n}}}", r"{n}\pi", "x={n}", "x = {n}/{d}", "({w},{n})", r"\{{{w}, {n}\}}", "[{w},{n}]",
    r"\left({w}, {n}\right)", r"{w} \pm {n}", "{n} or {w}", "{w} < x < {n}", r"\text{{{n}}}", r"\boxed{{{n}}}",
    r"\textbf{{({n})}}",
]  # fmt: skip
AROUND = ["{}", " {} ", "{}.", "${}$", "$ {} $", "\\({}\\)", "\\[{}\\]", "**{}**", "{}\n"]
number = st.integers(0, 12) | st.sampled_from([25, 50, 100, 1000, 1234])
written = st.builds(
    lambda form, around, n, d, w: around.format(form.format(n=n, d=d, w=w)),
    *(st.sampled_from(BARE), st.sampled_from(AROUND), number, st.integers(1, 6), st.integers(0, 3)),
)
plain = st.text(max_size=6) | st.decimals(-99, 99, places=2).map(str) | st.fractions().map(str)
answer = written | st.sampled_from(ODD) | plain


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


def test_digits_of_a_fraction_without_braces_are_no_numbers_side_by_side() -> None:
    assert len(set(equal_answers([r"\frac 1 2", r"\frac12", "1/2", "0.5", r"\dfrac 1 2"]))) == 1
    assert len(set(equal_answers(["1 2", "12"]))) == 2


@settings(deadline=None, max_examples=60)
@given(st.fractions(-50, 50, max_denominator=40), st.integers(1, 5))
def test_fractions_are_one_by_value(value: Fraction, times: int) -> None:
    spelt = [f"{value.numerator * times}/{value.denominator * times}"]
    spelt.append(rf"\frac{{{value.numerator * times}}}{{{value.denominator * times}}}")
    if value.denominator == 1:
        spelt.append(f"{value.numerator}.0")
    assert len(set(equal_answers(spelt))) == 1
    assert not one(spelt[0], f"{value.numerator + 1}/{value.denominator}")


@settings(deadline=None, max_examples=80)
@given(st.lists(st.one_of(st.none(), answer), max_size=8), st.randoms())
def test_spelling_is_an_equivalence_and_free_of_order(answers: list[str | None], random) -> None:  # type: ignore[no-untyped-def]
    """By its own spelling an answer is one with itself, and another's company changes nothing."""
    names = [normalise(a) for a in answers]
    mixed = list(range(len(answers)))
    random.shuffle(mixed)
    assert [normalise(answers[k]) for k in mixed] == [names[k] for k in mixed]
    assert [normalise(name) for name in names] == names


@settings(deadline=None, max_examples=60)
@given(answer, answer, answer)
def test_one_with_the_second_and_that_with_a_third(a: str, b: str, c: str) -> None:
    if one(a, b) and one(b, c):
        assert one(a, c)


@pytest.mark.parametrize(
    ("same", "other"),
    [
        (["1 1/2", r"1\frac{1}{2}", "3/2", "1.5", r"\frac{3}{2}"], ["1/2", "11/2", "1"]),
        (["2 3/4", r"2 \frac{3}{4}", "11/4", "2.75"], ["3/2", "23/4", "2", "6/4"]),
        (["1,234", "1234", "1234.0", r"1{,}234", r"1\,234", "$1,234"], ["1.234", "1", "234"]),
        (["12.5%", "12.5 %", r"12.5\%", "12.5"], ["0.125", "1/8", "125"]),
        (["1 2 3", " 1  2 3."], ["6", "123", "1"]),  # a list, and neither its sum nor one number
        (["1 234"], ["235", "234", "1"]),
        ([r"\frac12", "1/2", "0.5", r"\dfrac{1}{2}", "2/4"], ["50%", "12", "2"]),
    ],
)
def test_forms_of_one_number(same: list[str], other: list[str]) -> None:
    names = equal_answers([*same, *other])
    assert len(set(names[: len(same)])) == 1, names
    assert names[0] not in names[len(same) :], names


def test_a_percentage_is_no_share() -> None:
    assert equal_answers(["50 %", "50", "0.5"]) == ["50", "50", "0.5"]
    assert equal_answers(["0.5", "50", "50 %"]) == ["0.5", "50", "50"]
    assert equal_answers(["1e3", "1000", "1,000"]) == ["1e3"] * 3
