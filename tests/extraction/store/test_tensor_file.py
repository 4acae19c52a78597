"""A shard read in pieces gives what the safetensors library gives, whatever is asked for."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from innerjudge.extraction import Features
from innerjudge.extraction.store import FeatureStore, shards
from innerjudge.extraction.store.place import place
from innerjudge.extraction.store.precision import decode, decode_file
from innerjudge.extraction.store.shards import OpenShard, shard_name
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.tensor_file import Piece, TensorFile
from safetensors import safe_open
from safetensors.numpy import save_file

from .conftest import ORIGIN, made, stored

NAMES = ["hidden/score", "logits/score"]


def by_library(path: Path, name: str, rows: slice | list[int], layer: int | None) -> np.ndarray:
    """The naive way: the whole tensor, and then the part."""
    with safe_open(path, "pt") as file:
        whole = decode(name, {key: file.get_tensor(key) for key in set(file.keys()) if key.startswith(name)}).numpy()
    if whole.ndim > 2:
        whole = np.moveaxis(whole, 0, 1)
        return whole[rows] if layer is None else whole[rows, layer]
    return whole[rows]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data(), dtype=st.sampled_from(["float32", "bfloat16", "float16", "int8"]))
def test_every_way_to_read_equals_the_library(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, dtype: str
) -> None:
    folder = tmp_path_factory.mktemp("s")
    store = stored(folder, made(9), dtype=dtype)
    number = data.draw(st.sampled_from(sorted(store.entries)))
    shard, path = OpenShard(folder / shard_name(number), store.entries[number]), folder / shard_name(number)
    n = store.entries[number].rows
    rows = data.draw(st.slices(n) | st.lists(st.integers(0, n - 1), min_size=1))
    name = data.draw(st.sampled_from(NAMES))
    layers = store.entries[number].shapes[name][1] if len(store.entries[number].shapes[name]) > 2 else 0
    layer = data.draw(st.none() | st.integers(-layers, layers - 1)) if layers else None
    wanted = by_library(path, name, rows, layer)
    asked = rows if isinstance(rows, slice) else np.array(rows)
    np.testing.assert_array_equal(shard.read(name, asked, layer), wanted)
    out = np.full(wanted.shape, 7, np.float32)
    assert shard.read(name, asked, layer, out) is out
    np.testing.assert_array_equal(out, wanted)


def test_a_piece_by_hand() -> None:
    # 3 x 4 x 2 float32 at byte 100: a row has 4 * 2 * 4 = 32 bytes; row 1 begins at 132, its entry 2 at 132 + 2 * 8
    piece = Piece("F32", (3, 4, 2), 100)
    assert piece.row(1) == Piece("F32", (4, 2), 132)
    assert piece.row(-1) == Piece("F32", (4, 2), 164)
    assert piece.row(1).span(2, 4) == Piece("F32", (2, 2), 148)
    assert (piece.size, piece.row(1).span(3, 1).size) == (96, 0)


def test_a_shard_that_becomes_shorter_while_it_is_read_is_named(tmp_path: Path) -> None:
    store = stored(tmp_path, made(6))
    assert store.layer("hidden/score", 0).shape == (6, 4)
    os.truncate(tmp_path / shard_name(0), 300)
    with pytest.raises(InnerjudgeError, match=r"000000\.safetensors, which is damaged .*too early"):
        store.layer("hidden/score", -1)


def test_files_are_let_go_of(tmp_path: Path) -> None:
    def handles() -> int:
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this system does not list the open files of a process")
    store = stored(tmp_path, made(6))
    gc.collect()
    before = handles()
    store.layer("hidden/score", 0)
    store.layer("hidden/score", 0, [3, 1])
    assert handles() > before
    store.close()
    gc.collect()
    assert handles() == before


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"[]", "no object"),
        (b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 16]}}', "8 bytes at"),
        (b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}', "16 bytes at"),
        (b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}', "shape"),
        (b'{"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}', "F99"),
        (b'{"a": {"dtype": "F32", "shape": [true], "data_offsets": [0, 4]}}', "shape"),
        (b'{"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}', "shape"),
        (b'{"a": {"dtype": "F32", "shape": [' + b"9, " * 10**5 + b'9], "data_offsets": [0, 4]}}', "shape"),
        (b'{"a": 1}', "no type, shape and offsets"),
    ],
)
def test_a_header_that_cannot_be_true(tmp_path: Path, header: bytes, said: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(ValueError, match=said):
        TensorFile(path)


def test_a_store_that_was_read_can_be_written_again(tmp_path: Path) -> None:
    features = made(6)
    store = stored(tmp_path, features)
    held = store.layer("hidden/score", 1)
    store.write(0, features.take(range(*store.header.span(0))))
    np.testing.assert_array_equal(FeatureStore.open(tmp_path).layer("hidden/score", 1), held)


def test_numbers_of_any_type_are_stored_as_single_ones(tmp_path: Path) -> None:
    some = Features(
        ids=("a", "b"), groups=("q", "q"), provenance=ORIGIN, arrays={"labels": np.array([1, 2]), "x": np.ones((2, 3))}
    )
    store = FeatureStore.save(some, tmp_path)
    assert store.layer("labels", None).tolist() == [1.0, 2.0]
    assert store.layer("x", None).dtype == np.float32


def test_a_file_of_other_types_is_read(tmp_path: Path) -> None:
    """As they were written before all became single ones."""
    save_file({"a": np.array([1.5, 2.0]), "b": np.array([3, 4])}, tmp_path / "x")
    file = TensorFile(tmp_path / "x")
    assert [decode_file(file.read(file.pieces[name])).tolist() for name in "ab"] == [[1.5, 2.0], [3.0, 4.0]]


def test_few_files_are_open_however_many_shards_there_are(tmp_path: Path) -> None:
    store = stored(tmp_path, made(200), shard_items=1)
    features = store.features()
    np.testing.assert_array_equal(store.layer("hidden/score", 1), features["hidden/score"][:, 1])
    assert len(store._open) == shards._OPEN < 100


def test_an_upload_whose_parts_fail_leaves_no_file(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"one"
        raise KeyboardInterrupt

    for where in (f"file://{tmp_path}/a", "memory://tests/partial"):
        there = place(where)
        with pytest.raises(KeyboardInterrupt):
            there.write("items.jsonl", parts())
        assert there.size("items.jsonl") is None
        there.write("items.jsonl", (part for part in (b"one", b"two")))
        assert there.read("items.jsonl", 100) == b"onetwo"
