"""A store gives back what was put in, whole and in pieces; what is damaged is named and made up for."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.extraction import Features
from innerjudge.extraction.store import FeatureStore, merge
from innerjudge.extraction.store.index import StoreHeader
from innerjudge.extraction.store.place import place
from innerjudge.extraction.store.shards import shard_name
from innerjudge.extraction.store.store import locked
from innerjudge.models.errors import InnerjudgeError

from .conftest import ORIGIN, made, same, stored


def test_round_trip_is_exact(store: FeatureStore, features: Features) -> None:
    read = FeatureStore.open(store.place.folder, check="checksums")
    same(read.features(), features)
    assert read.seconds == {"hidden/score": 10.0}
    assert list(read.ids()) == list(features.ids)
    names = sorted(p.relative_to(store.place.folder).parts[0] for p in store.place.folder.rglob("*") if p.is_file())
    assert names == ["index"] * 3 + ["shards"] * 3 + ["store.json"]


def test_one_layer_and_some_items(store: FeatureStore, features: Features) -> None:
    whole = features["hidden/score"]
    for layer in (-3, -1, 0, 2):
        np.testing.assert_array_equal(store.layer("hidden/score", layer), whole[:, layer])
        rows = [9, 0, 4, 5, 0]
        np.testing.assert_array_equal(store.layer("hidden/score", layer, rows), whole[rows, layer])
    np.testing.assert_array_equal(store.layer("logits/score", 1, [7]), features["logits/score"][[7], 1])
    np.testing.assert_array_equal(store.layer("labels", None), features["labels"])
    assert store.layer("hidden/score", None, []).shape == (0, 3, 4)
    same(store.features(rows=[8, 2, 3]), features.take([8, 2, 3]))
    some = store.features(["labels"])
    assert (list(some.arrays), some.missing, some.texts) == (["labels"], {}, {})
    assert store.find([features.ids[7], features.ids[1]]).tolist() == [7, 1]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(0, 9), max_size=8), st.integers(1, 12))
def test_any_rows_in_any_shards(
    tmp_path_factory: pytest.TempPathFactory, size: int, rows: list[int], step: int
) -> None:
    features = made()
    store = stored(tmp_path_factory.mktemp("s"), features, shard_items=size)
    np.testing.assert_array_equal(store.layer("hidden/score", None, rows), features["hidden/score"][rows])
    parts = list(store.parts(size=step))
    assert [len(part) for part in parts] == [min(step, 10 - at) for at in range(0, 10, step)]
    same(Features.concat(parts), features)


def test_options_of_different_number_are_padded_as_in_memory(tmp_path: Path) -> None:
    parts = [made(4, options=2), made(4, options=5, first=4)]
    store = FeatureStore.create(tmp_path, StoreHeader(ORIGIN, items=8, shard_items=4))
    for number, part in enumerate(parts):
        store.write(number, part)
    same(FeatureStore.open(tmp_path).features(), Features.concat(parts))
    assert store.shapes["logits/score"] == (8, 2, 3, 5)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda s: s.layer("hidden/x", 0), "'hidden/x', expected a readout of .*: hidden/score, labels"),
        (lambda s: s.layer("hidden/score", 3), r"layer 3 of hidden/score, of shape \(10, 3, 4\)"),
        (lambda s: s.layer("labels", 0), "layer 0 of labels"),
        (lambda s: s.layer("hidden/score", 0, [10]), "numbers from 0 to 9"),
        (lambda s: s.layer("hidden/score", 0, [-1]), "numbers from 0 to 9"),
        (lambda s: s.find(["nobody"]), "'nobody', expected one of the 10"),
        (lambda s: s.write(0, made(3)), "3 items for shard 0, expected 4"),
        (lambda s: s.write(0, replace(made(4), provenance=replace(ORIGIN, dtype="x"))), "dtype 'x'"),
    ],
)
def test_what_is_not_there_is_told(store: FeatureStore, ask, message: str) -> None:
    with pytest.raises(InnerjudgeError, match=message):
        ask(store)


@pytest.mark.parametrize("how", ["short", "flipped", "gone", "longer", "index", "no index", "header"])
def test_a_damaged_shard_is_named_and_made_up_for(store: FeatureStore, features: Features, how: str) -> None:
    folder = store.place.folder
    shard = folder / shard_name(1)
    index = next(folder.glob("index/000001-*"))
    raw = bytearray(shard.read_bytes())
    if how == "short":
        shard.write_bytes(raw[:-5])
    elif how == "longer":
        shard.write_bytes(raw + b"x")
    elif how in ("flipped", "header"):
        raw[-3 if how == "flipped" else 20] ^= 4
        shard.write_bytes(raw)
    elif how == "gone":
        shard.unlink()
    elif how == "index":
        held = bytearray(index.read_bytes())
        held[len(held) // 2] ^= 1
        index.write_bytes(held)
    else:
        index.unlink()
    with pytest.raises(InnerjudgeError, match=r"1 of 3 shards missing or damaged .*(000001|shard 1)"):
        FeatureStore.open(folder, check="checksums")
    again = FeatureStore.create(folder, store.header)
    assert again.missing() == [1]
    again.write(1, features.take(range(4, 8)))
    same(FeatureStore.open(folder, check="checksums").features(), features)
    assert len(list(folder.glob("index/*"))) == 3


def test_an_index_of_another_shard_does_not_pass(store: FeatureStore) -> None:
    folder = store.place.folder
    index = next(folder.glob("index/000001-*"))
    index.rename(index.with_name(index.name.replace("000001", "000002")))
    assert set(store.look(checksums=False)) == {1, 2}


def test_the_same_content_has_one_hash_and_other_content_another(tmp_path: Path, features: Features) -> None:
    slow = replace(features, seconds={"hidden/score": 99.0})
    one, two = stored(tmp_path / "a", features), stored(tmp_path / "b", slow)
    assert one.content_hash == two.content_hash
    reasons = {**features.missing["hidden/score"], features.ids[0]: "another reason"}
    other = replace(features, missing={**features.missing, "hidden/score": reasons})
    assert stored(tmp_path / "c", other).content_hash != one.content_hash


def test_another_store_is_not_continued(store: FeatureStore) -> None:
    for field, value in (("items", 11), ("dtype", "bfloat16"), ("shard_items", 5)):
        with pytest.raises(InnerjudgeError, match=f"{field} .* instead of"):
            FeatureStore.create(store.place.folder, replace(store.header, **{field: value}))
    other = replace(store.header, provenance=replace(ORIGIN, fingerprint="g"))
    with pytest.raises(InnerjudgeError, match="fingerprint"):
        FeatureStore.create(store.place.folder, other)


def test_the_disk_is_full(tmp_path: Path, features: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stored(tmp_path, features)
    before = {p: hashlib.sha256(p.read_bytes()).digest() for p in tmp_path.rglob("*") if p.is_file()}

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.write(1, made(4, seed=9, first=4))
    monkeypatch.undo()
    assert {p: hashlib.sha256(p.read_bytes()).digest() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_what_a_killed_run_left_aside_is_tidied(store: FeatureStore) -> None:
    """Also in the store of permuted options, which lies within that of a job and has no lock of its own."""
    left = [store.place.folder / inner / "shards" / ".aside-0123" for inner in ("", "permuted")]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    with locked(store.place):
        assert not any(path.exists() for path in left)
    FeatureStore.open(store.place.folder)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", ".hidden", "a//b", "", "a/", "a\\b", "a\nb"])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    here = place(tmp_path / "s")
    for act in (lambda: here.read(name, 9), lambda: here.write(name, [b"x"]), lambda: here.local(name)):
        with pytest.raises(InnerjudgeError, match="inside its folder"):
            act()


def test_a_link_cannot_lead_out(store: FeatureStore, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    shard = store.place.folder / shard_name(0)
    shard.unlink()
    shard.symlink_to(secret)
    with pytest.raises(InnerjudgeError, match="a link that leads out"):
        FeatureStore.open(store.place.folder)
    shard.unlink()
    (store.place.folder / "shards").rename(tmp_path / "elsewhere")
    (store.place.folder / "shards").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InnerjudgeError, match="a link that leads out"):
        FeatureStore.open(store.place.folder)


def test_merge(tmp_path: Path) -> None:
    parts = [made(10), made(3, seed=1, first=10), made(6, seed=2, first=20, options=3)]
    for k, part in enumerate(parts):
        stored(tmp_path / f"{k}", part, shard_items=4 + k)
    folders = [tmp_path / f"{k}" for k in range(3)]
    whole = Features.concat(parts)
    same(merge(folders, tmp_path / "whole").features(), whole)
    shard = tmp_path / "whole" / shard_name(2)
    shard.write_bytes(b"")
    same(merge(folders, tmp_path / "whole").features(), whole)
    with pytest.raises(InnerjudgeError, match="the item 'q0/é0' in"):
        merge([folders[0], folders[0]], tmp_path / "twice")
    stored(tmp_path / "narrow", made(2, first=90), dtype="bfloat16")
    with pytest.raises(InnerjudgeError, match=r"of bfloat16 and .* of float32"):
        merge([folders[0], tmp_path / "narrow"], tmp_path / "mixed")
    with pytest.raises(InnerjudgeError, match="no stores"):
        merge([], tmp_path / "none")
    assert not (tmp_path / "twice").exists()


def test_features_in_memory_are_saved_once(tmp_path: Path) -> None:
    some = made(5)
    FeatureStore.save(some, tmp_path / "kept", shard_items=2)
    same(FeatureStore.open(tmp_path / "kept", check="checksums").features(), some)
    with pytest.raises(InnerjudgeError, match="which holds a store, expected a new folder"):
        FeatureStore.save(some, tmp_path / "kept")
