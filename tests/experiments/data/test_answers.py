from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from innerjudge.experiments.data.answers import normalise

CASES = {
    "1,234.0": "1234", "$18": "18", "18.00": "18", " 007 ": "7", "-0": "0", "-0.0": "0", "+5": "5", ".5": "0.5",
    "5.": "5", "-$3": "-3", "$-3": "-3", "50%": "50", "1,234,567.890": "1234567.89", "\u22124": "-4", "0": "0",
    "1,2": "1,2", "12,34": "12,34", "--5": "--5", ".": None, "$": "$", "-": "-",
    "7/14": "7/14", "-1 / 2": "-1/2",
    "b": "B", "(C)": "C", "d.": "D", "A:": "A",
    "Not  Given. ": "not given", "10+John's age": "10+john's age", "Yes.": "yes",
    "": None, "  \n": None,
}  # fmt: skip


@pytest.mark.parametrize("given", CASES)
def test_spelling(given: str) -> None:
    assert normalise(given) == CASES[given]


def test_none_stays_none() -> None:
    assert normalise(None) is None


def test_a_long_run_of_digits_is_kept_whole() -> None:
    assert normalise("3" * 400) == "3" * 400


@given(st.text() | st.text("0123456789,.$%-+/ abAB()"))
def test_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.integers(), st.sampled_from(["{}", "{:,}", "{}.0", "{}.", " {} ", "{:,}.00"]))
def test_one_number_has_one_spelling(number: int, form: str) -> None:
    assert normalise(form.format(number)) == str(number)
