"""Features: taken, joined and put together, with every clash named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from innerjudge.extraction import Features, Provenance
from innerjudge.models.errors import InnerjudgeError

ORIGIN = Provenance("m", None, "f", "float32", "sdpa", "none", versions=(("numpy", "2"), ("torch", "2")))


def features(ids: str = "abc", *, options: int = 2, name: str = "x", seed: int = 0, **fields: Any) -> Features:
    random = np.random.default_rng(seed)
    given: dict[str, Any] = {
        "ids": tuple(ids),
        "groups": tuple(f"q-{i}" for i in ids),
        "provenance": ORIGIN,
        "arrays": {name: random.normal(size=(len(ids), 3, options)).astype(np.float32)},
        "texts": {f"{name} text": tuple(f"{i} é\n" for i in ids)},
        "missing": {name: {ids[-1]: "no marker"}},
        "seconds": {name: 3.0},
    }
    return Features(**given | fields)


@given(st.lists(st.integers(0, 2), max_size=3, unique=True))
def test_take_by_index_and_by_mask(index: list[int]) -> None:
    made = features()
    taken = made.take(index)
    assert taken.ids == tuple("abc"[i] for i in index)
    assert taken.groups == tuple(f"q-{i}" for i in taken.ids)
    assert np.array_equal(taken["x"], made["x"][index])
    assert taken.texts["x text"] == tuple(f"{i} é\n" for i in taken.ids)
    assert taken.present("x").tolist() == [i != "c" for i in taken.ids]
    assert taken.seconds["x"] == pytest.approx(len(index))
    mask = np.isin(np.arange(3), index)
    assert made.take(mask).ids == made.take(sorted(index)).ids


def test_join_puts_readouts_side_by_side() -> None:
    left, right = features(), features(name="y", seed=1)
    joined = left.join(right)
    assert np.array_equal(joined["x"], left["x"])
    assert np.array_equal(joined["y"], right["y"])
    assert joined.missing == {"x": {"c": "no marker"}, "y": {"c": "no marker"}}
    assert joined.texts.keys() == {"x text", "y text"}
    assert joined.seconds == {"x": 3.0, "y": 3.0}
    assert joined.reasons("x", "y") == {"c": "no marker"}


def test_join_accepts_what_is_the_same_on_both_sides() -> None:
    count = {"labels": np.array([2, 2, 2], np.float32)}
    left, right = features(), features(name="y")
    left.arrays |= count
    right.arrays |= {"labels": count["labels"].copy()}
    assert left.join(right)["labels"].tolist() == [2, 2, 2]
    right.arrays["labels"][1] = 3
    with pytest.raises(InnerjudgeError, match="'labels'"):
        left.join(right)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (features("abd", name="y"), "first difference: d"),
        (features("acb", name="y"), "first difference: the order"),
        (features(), "'x text'"),
        (features(name="y", provenance=replace(ORIGIN, dtype="bfloat16")), "dtype 'bfloat16' instead of 'float32'"),
    ],
)
def test_join_names_the_clash(other: Features, message: str) -> None:
    with pytest.raises(InnerjudgeError, match=message):
        features().join(other)


@pytest.mark.parametrize("widths", [(2, 2), (2, 4), (4, 2)])
def test_concat_of_different_option_counts(widths: tuple[int, int]) -> None:
    first, second = features("abc", options=widths[0]), features("de", options=widths[1], seed=1)
    whole = Features.concat([first, second])
    assert whole.ids == tuple("abcde")
    assert whole["x"].shape == (5, 3, max(widths))
    assert np.array_equal(whole["x"][:3, :, : widths[0]], first["x"])
    assert np.array_equal(whole["x"][3:, :, : widths[1]], second["x"])
    assert not whole["x"][:3, :, widths[0] :].any()
    assert not whole["x"][3:, :, widths[1] :].any()
    assert whole.missing == {"x": {"c": "no marker", "e": "no marker"}}
    assert whole.seconds == {"x": 6.0}
    assert whole.texts["x text"][3] == "d é\n"


def test_concat_of_take_is_the_identity() -> None:
    made = features("abcdef", options=3)
    again = Features.concat([made.take([0, 1]), made.take([2]), made.take([3, 4, 5])])
    assert again.ids == made.ids
    assert np.array_equal(again["x"], made["x"])
    assert again.missing == made.missing
    assert again.seconds["x"] == pytest.approx(made.seconds["x"])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "given no features"),
        ([features("ab"), features("bc")], "'b' twice"),
        ([features("ab"), features("cd", name="y")], "same readouts"),
        ([features("ab"), features("cd", provenance=replace(ORIGIN, fingerprint="g"))], "fingerprint 'g'"),
    ],
)
def test_concat_names_the_clash(parts: list[Features], message: str) -> None:
    with pytest.raises(InnerjudgeError, match=message):
        Features.concat(parts)


def test_sizes_are_checked_at_birth() -> None:
    with pytest.raises(InnerjudgeError, match=r"3 ids but \{'x': 2\} rows"):
        features(arrays={"x": np.zeros((2, 1), np.float32)})
    with pytest.raises(InnerjudgeError, match="'a' twice"):
        features("aba")


def test_an_absent_readout_is_named() -> None:
    for ask in (features().__getitem__, features().present, features().reasons):
        with pytest.raises(InnerjudgeError, match=r"\['x'\], expected 'z'"):
            ask("z")
    assert features().present("x text").all()
