"""A judge fitted from a store, part by part, is the judge that is fitted on all features in memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.judges import fitting
from innerjudge.experiments.judges.fitting import fit_from_store, fit_seat
from innerjudge.extraction import Features, Provenance, Ragged
from innerjudge.extraction.store import FeatureStore, reading
from innerjudge.extraction.store.reading import StoredRagged, StoreReading
from innerjudge.models.errors import InnerjudgeError
from innerjudge.probes import (
    CLUE,
    LAGER,
    BaseJudge,
    DifferenceOfMeans,
    EScore,
    LogisticProbe,
    PooledProbe,
    TokenLogProb,
    pooled_fit,
)

ORIGIN = Provenance("m", None, "f", "float32", "sdpa", "none")
N = 60


def features(n: int = N, *, layers: int = 4, width: int = 5, shuffled: bool = False) -> tuple[Features, list[Any]]:
    """Traces, four to a question; every seventh has no label, the third one no reasoning."""
    rng = np.random.default_rng(3)
    right = rng.random(n) < 0.5
    states = {
        f"hidden/{p}": rng.normal(size=(n, layers, width)).astype(np.float32)
        for p in ("reasoning_start", "reasoning_end", "response_end")
    }
    states["hidden/reasoning_end"] += right[:, None, None]
    order = rng.permutation(n) if shuffled else np.arange(n)
    found = Features(
        ids=tuple(f"i{k}" for k in range(n)),
        groups=tuple(f"q{k // 4}" for k in order),
        provenance=ORIGIN,
        arrays=states,
        missing={"hidden/reasoning_end": {"i2": "no </think> in the response"}},
    )
    return found, [None if k % 7 == 3 else bool(right[k]) for k in range(n)]


JUDGES: dict[str, BaseJudge] = {
    "clue": CLUE(rank_by="margin", scale=True),
    "clue-balanced": CLUE(balance=True),
    "difference": DifferenceOfMeans(),
    "logistic": LogisticProbe(),
    "logistic-best-row": LogisticProbe(row="best"),
}


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("which", JUDGES)
def test_the_same_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str, shuffled: bool) -> None:
    monkeypatch.setattr(fitting, "PART", 7)
    every, labels = features(shuffled=shuffled)
    store = FeatureStore.save(every, tmp_path / "s", shard_items=8)
    rows = np.arange(4, N)
    one, two = (type(JUDGES[which])(**JUDGES[which].get_params()) for _ in range(2))
    assert fit_seat(which, one, every, labels, rows) is None
    most, whole = [], StoreReading.features

    def counted(self: StoreReading, names: Any = None, rows: Any = None, **how: Any) -> Features:
        most.append(len(rows))
        return whole(self, names, rows, **how)

    monkeypatch.setattr(StoreReading, "features", counted)
    assert fit_from_store(which, two, store, labels, every.groups, rows) is None
    at_once = which == "logistic-best-row" or (which == "clue-balanced" and shuffled)
    labelled = sum(labels[k] is not None for k in rows)
    # A part of 7 goes on to the end of its question, of 4 traces at most.
    assert max(most) == labelled if at_once else max(most) <= 7 + 3
    assert sum(most) == labelled
    assert two.n_excluded_ == one.n_excluded_ == 0  # i2 is not among the rows
    monkeypatch.undo()
    some = every.take([k for k in range(N) if k != 2])
    np.testing.assert_allclose(two.decision_function(some), one.decision_function(some), rtol=1e-10, atol=1e-10)
    if which.startswith("logistic"):
        np.testing.assert_array_equal(two.coef_, one.coef_)


@pytest.mark.parametrize("which", ["clue", "difference", "logistic"])
def test_what_cannot_be_read_is_counted(tmp_path: Path, which: str) -> None:
    every, labels = features()
    store = FeatureStore.save(every, tmp_path / "s")
    judge = type(JUDGES[which])(**JUDGES[which].get_params())
    assert fit_from_store(which, judge, store, labels, every.groups, np.arange(N)) is None
    assert judge.n_excluded_ == 1


@pytest.mark.parametrize("which", ["clue", "difference", "logistic"])
def test_what_cannot_be_fitted_is_said_as_before(tmp_path: Path, which: str) -> None:
    every, labels = features()
    store = FeatureStore.save(every, tmp_path / "s")
    judge = type(JUDGES[which])(**JUDGES[which].get_params())
    rows = np.arange(N)
    with pytest.raises(InnerjudgeError, match="expected at least one of each"):
        fit_from_store(which, judge, store, [True] * N, every.groups, rows)
    for known, some in (([None] * N, rows), (labels, np.array([2]))):
        said = fit_from_store(which, judge, store, known, every.groups, some)
        assert said == fit_seat(which, judge, every, known, some)
        assert said is not None
        assert "not fitted, since no" in said
    assert judge.provenance_ is None


def test_a_judge_that_learns_nothing_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every, labels = features()
    store = FeatureStore.save(every, tmp_path / "s")
    monkeypatch.setattr(StoreReading, "features", lambda *_: pytest.fail("features were read"))
    rows = np.arange(N)
    for judge in (LAGER(), EScore(values=(0, 1))):
        assert fit_from_store("judge", judge, store, labels, every.groups, rows) is None
    assert fit_from_store("lager", LAGER(values=(0, 1)), store, [None] * N, every.groups, rows) is None
    assert fit_from_store("log", TokenLogProb(), store, [None] * N, every.groups, rows) is None


@pytest.mark.parametrize("which", ["clue", "difference"])
def test_memory_does_not_grow_with_the_items(tmp_path: Path, which: str) -> None:
    peaks = []
    for n in (512, 2048):
        every, labels = features(n, layers=8, width=64)
        store = FeatureStore.save(every, tmp_path / f"s{n}")
        groups = every.groups
        del every
        tracemalloc.start()
        judge = type(JUDGES[which])(**JUDGES[which].get_params())
        assert fit_from_store(which, judge, store, labels, groups, np.arange(n)) is None
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 1,536 further items have two states of 8 * 64 * 4 bytes each that the judge reads: 6.3 MB; a tenth of that is
    # more than their numbers, labels and index take.
    assert peaks[1] - peaks[0] < 0.63e6


def test_parts_of_another_model_are_refused() -> None:
    every, labels = features()
    other = Features(
        ids=("x",),
        groups=("x",),
        provenance=Provenance("o", None, "g", "", "", ""),
        arrays={name: array[:1] for name, array in every.arrays.items()},
    )
    known = [bool(k % 2) for k in range(N)]
    del labels
    with pytest.raises(InnerjudgeError, match="expected features of"):
        LogisticProbe().fit_parts([(every, known), (other, [True])])
    with pytest.raises(InnerjudgeError, match="only `fit` chooses a row"):
        LogisticProbe(row="best").fit_parts([(every, known)])
    with pytest.raises(InnerjudgeError, match="given 1 training items of which none can be read"):
        LogisticProbe().fit_parts([(every.take([2]), [True])])


def tokens(n: int, *, width: int = 64) -> tuple[Features, list[bool]]:
    """Traces of 20 to 60 tokens, four to a question, whose third has no tokens; the first number tells right ones."""
    rng = np.random.default_rng(0)
    right = (rng.random(n) < 0.5).tolist()
    sizes = [0 if k == 2 else int(rng.integers(20, 60)) for k in range(n)]
    rows = [rng.normal(size=(size, 2, width)).astype(np.float32) for size in sizes]
    for one, good in zip(rows, right, strict=True):
        one[..., 0] += good
    found = Features(
        ids=tuple(f"i{k}" for k in range(n)),
        groups=tuple(f"q{k // 4}" for k in range(n)),
        provenance=ORIGIN,
        ragged={"hidden/response.none[4,8]": Ragged.of(rows)},
    )
    return found, right


@pytest.mark.parametrize(
    "how", [{"how": "gated"}, {"each": "both"}, {"loss": "pairwise"}, {"layers": 1, "widths": [8], "loss": "brier"}]
)
def test_a_probe_of_tokens_that_stay_on_the_disk_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    every, labels = tokens(60, width=6)
    store = FeatureStore.save(every, tmp_path / "s", shard_items=8)
    rows = np.arange(59, 0, -1)  # in another order than they are stored
    monkeypatch.setattr(pooled_fit, "_NUMBERS", 1000)
    held, streamed = (PooledProbe(rows=[4, 8], epochs=3, **how) for _ in range(2))
    assert fit_from_store("held", held, store, labels, every.groups, rows) is None
    monkeypatch.setattr(fitting, "STREAMED", 0)
    most, whole = list[int](), StoredRagged.values.fget

    def counted(self: StoredRagged) -> Any:
        most.append(len(self))
        return whole(self)

    monkeypatch.setattr(StoredRagged, "values", property(counted))
    assert fit_from_store("streamed", streamed, store, labels, every.groups, rows) is None
    np.testing.assert_array_equal(streamed.weights_, held.weights_)
    assert streamed.n_excluded_ == held.n_excluded_ == 1
    assert max(most) < 24, "a batch of 16, to the end of its question"


def test_memory_does_not_grow_with_tokens_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "STREAMED", 1 << 20)
    monkeypatch.setattr(pooled_fit, "_NUMBERS", 1 << 16)
    monkeypatch.setattr(reading, "_NUMBERS", 1 << 16)
    peaks = []
    for n in (256, 1024):
        every, labels = tokens(n)
        store, groups = FeatureStore.save(every, tmp_path / f"s{n}"), every.groups
        del every
        tracemalloc.start()
        probe = PooledProbe(rows=[4, 8], epochs=2)
        assert fit_from_store("probe", probe, store, labels, groups, np.arange(n)) is None
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 768 further traces of 40 tokens and 2 * 64 numbers: 15.7 MB. Less than a tenth of that for labels and index.
    assert peaks[1] - peaks[0] < 1.5e6
