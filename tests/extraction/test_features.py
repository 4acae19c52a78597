"""Features: taken, joined and put together, with every clash named."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
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
    left = replace(left, arrays={**left.arrays, **count})
    right = replace(right, arrays={**right.arrays, "labels": count["labels"].copy()})
    assert left.join(right)["labels"].tolist() == [2, 2, 2]
    right = replace(right, arrays={**right.arrays, "labels": np.array([2, 3, 2], np.float32)})
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


def test_features_are_not_written_into() -> None:
    given = np.ones((2, 3), np.float32)
    f = Features(ids=("a", "b"), groups=("p", "q"), provenance=ORIGIN, arrays={"x": given}, missing={"x": {"b": "cut"}})
    with pytest.raises(FrozenInstanceError):
        f.arrays = {}  # type: ignore[misc]
    for write in (
        lambda: f["x"].__setitem__(0, 2),
        lambda: f.arrays.__setitem__("y", given),
        lambda: f.missing["x"].__setitem__("a", "cut"),
        lambda: f.seconds.update({"x": 1.0}),
    ):
        with pytest.raises((ValueError, TypeError, AttributeError)):
            write()
    assert f["x"].sum() == 6
    again = pickle.loads(pickle.dumps(f))
    assert (again.ids, again.missing, again["x"].flags.writeable) == (f.ids, f.missing, False)
    assert copy.deepcopy(f)["x"].tolist() == f["x"].tolist()


def test_indexing_takes_items_as_an_array_is_indexed() -> None:
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    f = Features.from_arrays({"x": x}, provenance="m", groups=["p", "p", "q", "q"], ids=list("abcd"))
    mask = np.array([True, False, False, True])
    for key in (slice(2), slice(None, None, -1), [0, 3], np.array([2]), mask, mask.tolist(), -1, np.intp(1)):
        rows = np.atleast_1d(np.arange(4)[key]).tolist()  # numpy's own
        assert f[key].ids == tuple("abcd"[k] for k in rows)
        assert f[key].groups == tuple("ppqq"[k] for k in rows)
        np.testing.assert_array_equal(f[key]["x"], x[list(rows)])
    assert f[[]].ids == ()
    assert f[[1, 2], ...].ids == ("b", "c")  # as scikit-learn writes it
    assert [one.ids for one in f] == [("a",), ("b",), ("c",), ("d",)]
    assert (len(f), f.shape) == (4, (4, 1))
    for wrong in (4, [0, 4], [True], 1.5, None, {"a": 1}, [[0], [1, 2]]):
        with pytest.raises(InnerjudgeError, match="given features of 4 items and the key"):
            f[wrong]
    with pytest.raises(InnerjudgeError, match="expected 'y'"):
        f["y"]


def test_features_of_stored_arrays() -> None:
    f = Features.from_arrays({"x": [[1, 2], [3, 4]]}, provenance="mine")
    assert (f.ids, f.groups, f["x"].dtype) == (("0", "1"), ("0", "1"), np.float32)
    assert f.provenance.differences(Features.from_arrays({"x": [1]}, provenance="other").provenance) == ("fingerprint",)
    assert Features.from_arrays({"x": [1]}, provenance=ORIGIN).provenance == ORIGIN
    assert Features.from_arrays({"x": [1]}, provenance="mine", last_block=3).provenance.last_block == 3
    for wrong in (
        {"arrays": {"x": ["a"]}}, {"arrays": {"x": 3}}, {"arrays": None}, {"arrays": {"x": [1, 2], "y": [1]}},
        {"arrays": {"x": [1, 2]}, "groups": ["p"]}, {"arrays": {"x": [1, 2]}, "ids": ["a", "a"]},
    ):  # fmt: skip
        with pytest.raises(InnerjudgeError, match="expected"):
            Features.from_arrays(**{"provenance": "m", **wrong})  # type: ignore[arg-type]


def test_tables() -> None:
    f = features()
    frame = f.frame()
    assert frame.index.tolist() == list(f.ids)
    assert frame.columns.tolist() == ["group", "x text", "missing"]
    assert frame["missing"].tolist() == [f.reasons(*f.arrays).get(i, "") for i in f.ids]
    states = Features.from_arrays({"h": np.arange(8).reshape(2, 2, 2)}, provenance="m")
    assert states.frame().columns.tolist() == ["group", "missing"]
    assert states.frame("h")["h[1,0]"].tolist() == [2, 6]
    assert repr(states) == "Features(2 items, 2 questions, model 'm': h [2, 2, 2])"
    assert "<td>2 x 2 x 2</td><td>2</td>" in states._repr_html_()
