"""What is stored and read here: states of random numbers, and traces of made-up sums."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ....extraction.features import Features
from ....extraction.provenance import Provenance, versions
from ....extraction.store import FeatureStore
from ....extraction.store.index import StoreHeader
from ....models.items import Trace

ORIGIN = Provenance("made up", None, "0", "float32", "sdpa", "none", versions=versions())


def traces(n: int, steps: int = 12) -> Iterator[Trace]:
    """``n`` traces of two to ``steps + 1`` sums each, one after another.

    Example:
        >>> next(traces(1)).response
        '<think>0+0=0;1+0=1</think>0'
    """
    for k in range(n):
        sums = ";".join(f"{j}+{k % 9}={j + k % 9}" for j in range(2 + k % steps))
        response = f"<think>{sums}</think>{k}"
        question, right = f"q{k // 4}", k % 2 == 0
        yield Trace(question_id=question, candidate_id=str(k), prompt=f"{k}?", response=response, correct=right)


def random_store(
    folder: Path, items: int, shape: tuple[int, int], names: tuple[str, ...], *, dtype: str, shard_items: int
) -> FeatureStore:
    """A store of states ``[items, *shape]``; every shard has the same numbers."""
    states = np.random.default_rng(0).normal(size=(len(names), shard_items, *shape)).astype(np.float32)
    store = FeatureStore.create(folder, StoreHeader(ORIGIN, items=items, dtype=dtype, shard_items=shard_items))
    for number in store.missing():
        start, stop = store.header.span(number)
        ids = tuple(f"i{k}" for k in range(start, stop))
        arrays = {name: part[: stop - start] for name, part in zip(names, states, strict=True)}
        store.write(number, Features(ids=ids, groups=ids, provenance=ORIGIN, arrays=arrays))
    return store
