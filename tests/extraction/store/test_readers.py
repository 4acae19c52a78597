"""Types and what they lose; the store as scikit-learn, PyTorch and numpy read it; its exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from innerjudge.extraction.store import FeatureStore, Rounding, StoreRows, export
from innerjudge.extraction.store.precision import decode, encode
from innerjudge.models.errors import InnerjudgeError
from sklearn.linear_model import LogisticRegression, SGDClassifier
from torch.utils.data import DataLoader

from .conftest import made, stored


def test_rounding_by_hand() -> None:
    # one row (3, 4): norm 5. bfloat16 has 8 bits of mantissa: 3 and 4 are exact; 1 + 2**-9 becomes 1.
    _, exact = encode("hidden/x", np.array([[[3, 4]]], np.float32), "bfloat16")
    assert exact == Rounding(0.0, 25.0, 0.0)
    _, lost = encode("hidden/x", np.array([[[1 + 2**-9, 0]]], np.float32), "bfloat16")
    assert lost.error == pytest.approx(2**-18)
    assert lost.relative == pytest.approx(2**-9 / (1 + 2**-9))
    # int8 with scale 2 / 127: 0.5 lies at 31.75 steps, so it becomes 32 steps, 64 / 127; the error is 0.25 steps
    tensors, rounding = encode("hidden/x", np.array([[[2, 0.5]]], np.float32), "int8")
    assert tensors["hidden/x"].tolist() == [[[127, 32]]]
    assert rounding.error == pytest.approx((0.25 * 2 / 127) ** 2, rel=1e-4)
    assert rounding.worst == pytest.approx(0.25 * 2 / 127 / np.sqrt(4.25), rel=1e-4)


@given(arrays(np.float32, (2, 3, 5), elements=st.floats(-60000, 60000, width=32)))
def test_no_type_loses_more_than_its_step(array: np.ndarray) -> None:
    top = np.abs(array).max(axis=-1, keepdims=True)
    steps = {"float32": 0 * top, "bfloat16": np.abs(array) * 2**-8 + 1e-38, "float16": np.abs(array) * 2**-10 + 1e-7}
    steps["int8"] = top / 127 * 0.51 + 1e-37
    for dtype, step in steps.items():
        tensors, rounding = encode("hidden/x", array, dtype)
        error = np.abs(decode("hidden/x", tensors).numpy() - array)
        assert (error <= step).all(), dtype
        assert rounding.error == pytest.approx(float((error.astype(np.float64) ** 2).sum()), rel=1e-3, abs=1e-30)


def test_what_a_type_cannot_hold() -> None:
    large = np.array([[[70000.0, 1]]], np.float32)
    with pytest.raises(InnerjudgeError, match=r"up to 7e\+04 to store as float16.*bfloat16"):
        encode("hidden/x", large, "float16")
    for dtype in ("float32", "bfloat16", "float16", "int8"):  # what the model did not compute stays that
        tensors, _ = encode("hidden/x", np.array([[[np.nan, 1], [2, 2]]], np.float32), dtype)
        held = decode("hidden/x", tensors).numpy()
        assert np.isnan(held[0, 0]).any()
        assert np.isfinite(held[0, 1]).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "int8"])
def test_a_narrow_store_measures_what_it_loses(tmp_path: Path, dtype: str) -> None:
    features = made()
    store = stored(tmp_path, features, dtype=dtype)
    read = FeatureStore.open(tmp_path).features()
    np.testing.assert_array_equal(read["logits/score"], features["logits/score"])  # read off as they are: kept exact
    exact, held = features["hidden/score"].astype(np.float64), read["hidden/score"].astype(np.float64)
    measured = np.sqrt(((held - exact) ** 2).sum() / (exact**2).sum())
    assert 0 < measured < 0.01
    assert store.rounding["hidden/score"].relative == pytest.approx(measured, rel=1e-4)
    assert set(store.rounding) == {"hidden/score"}


def test_sklearn_torch_and_numpy_read_the_store(tmp_path: Path) -> None:
    features = made(40)
    store = stored(tmp_path, features)
    rows, exact = StoreRows(store, "hidden/score", layer=-1), features["hidden/score"][:, -1]
    np.testing.assert_array_equal(np.asarray(rows), exact)
    np.testing.assert_array_equal(rows[3:9], exact[3:9])
    np.testing.assert_array_equal(rows[[5, 1]], exact[[5, 1]])
    np.testing.assert_array_equal(rows[-1], exact[-1])
    assert (len(rows), rows.shape) == (40, (40, 4))
    labels = exact[:, 0] > 0
    direct, streamed = SGDClassifier(random_state=0), SGDClassifier(random_state=0)
    for at, batch in enumerate(rows.batches(16)):
        streamed.partial_fit(batch, labels[16 * at : 16 * at + 16], classes=[False, True])
    for at in range(0, 40, 16):
        direct.partial_fit(exact[at : at + 16], labels[at : at + 16], classes=[False, True])
    np.testing.assert_array_equal(streamed.coef_, direct.coef_)
    assert LogisticRegression().fit(rows, labels).score(rows, labels) > 0.9
    for workers in (0, 2):
        batches = list(DataLoader(rows, batch_size=16, num_workers=workers))
        np.testing.assert_array_equal(torch.cat(batches).numpy(), exact)
    some = StoreRows(store, "hidden/score", layer=-1, places=np.flatnonzero(labels))
    np.testing.assert_array_equal(np.asarray(some), exact[labels])
    with pytest.raises(IndexError, match=r"items of 0\.\.39"):
        rows[40]


def test_exports_read_elsewhere(tmp_path: Path) -> None:
    features = made()
    store = stored(tmp_path / "s", features)
    export(store, tmp_path / "out" / "x.npz")
    with np.load(tmp_path / "out" / "x.npz", allow_pickle=False) as read:
        assert read["id"].tolist() == list(features.ids)
        for name, array in features.arrays.items():
            np.testing.assert_array_equal(read[name], array)
            assert read[f"present/{name}"].tolist() == features.present(name).tolist()
    export(store, tmp_path / "out" / "x.parquet")
    table = pq.read_table(tmp_path / "out" / "x.parquet").to_pydict()
    assert table["id"] == list(features.ids)
    assert table["text/direct"] == list(features.texts["direct"])
    held = table["hidden/score"]
    assert held[0] is None
    np.testing.assert_array_equal(np.float32(held[1]).reshape(3, 4), features["hidden/score"][1])
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["x.npz", "x.parquet"]
    with pytest.raises(InnerjudgeError, match=r"ends in \.parquet or \.npz"):
        export(store, tmp_path / "x.csv")
