"""Features by hand, and stores of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from innerjudge.extraction import Features, Provenance
from innerjudge.extraction.store import FeatureStore
from innerjudge.extraction.store.index import StoreHeader

ORIGIN = Provenance("m", None, "f", "float32", "sdpa", "none", versions=(("numpy", "2"),))


def made(n: int = 10, *, seed: int = 0, options: int = 2, first: int = 0) -> Features:
    """``n`` items: states of 3 rows and width 4, logits, a number an item, a text; every third lacks the states."""
    random = np.random.default_rng(seed)
    ids = tuple(f"q{k // 2}/é{k}" for k in range(first, first + n))
    arrays = {
        "hidden/score": random.normal(size=(n, 3, 4)).astype(np.float32),
        "logits/score": random.normal(size=(n, 2, 3, options)).astype(np.float32),
        "labels": np.full(n, options, np.float32),
    }
    missing = {"hidden/score": {one: f"no marker in {one}" for one in ids[::3]}}
    arrays["hidden/score"][::3] = 0
    return Features(
        ids=ids,
        groups=tuple(one.partition("/")[0] for one in ids),
        provenance=ORIGIN,
        arrays=arrays,
        texts={"direct": tuple(f"said {one}\n" for one in ids)},
        missing=missing,
        seconds={"hidden/score": float(n)},
    )


def stored(folder: Path, features: Features, *, shard_items: int = 4, dtype: str = "float32") -> FeatureStore:
    header = StoreHeader(ORIGIN, items=len(features), dtype=dtype, shard_items=shard_items)
    store = FeatureStore.create(folder, header)
    for number in store.missing():
        store.write(number, features.take(range(*header.span(number))))
    return store


def same(one: Features, two: Features) -> None:
    for field in ("ids", "groups", "texts", "missing", "provenance"):
        assert getattr(one, field) == getattr(two, field), field
    assert one.arrays.keys() == two.arrays.keys()
    for name in one.arrays:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


@pytest.fixture
def features() -> Features:
    return made()


@pytest.fixture
def store(tmp_path: Path, features: Features) -> FeatureStore:
    return stored(tmp_path / "store", features)
