"""Whatever lies on the disk: what comes back is an array of the right shape or our error, never anything else."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from innerjudge.extraction.store import FeatureStore, export
from innerjudge.extraction.store.index import StoreHeader, read_entry
from innerjudge.extraction.store.shards import OpenShard, shard_name
from innerjudge.models.errors import InnerjudgeError

from .conftest import made, stored

QUIET = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damage(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A few bytes changed, cut off, put in or doubled."""
    steps = draw(
        st.lists(st.tuples(st.sampled_from("sctid"), st.floats(0, 1), st.binary(min_size=1, max_size=9)), min_size=1)
    )

    def act(raw: bytes) -> bytes:
        for how, where, what in steps:
            at = int(where * len(raw))
            if how == "s":
                raw = raw[:at] + what + raw[at + len(what) :]
            elif how == "c":
                raw = raw[:at] + raw[at + len(what) :]
            elif how == "t":
                raw = raw[:at]
            elif how == "i":
                raw = raw[:at] + what + raw[at:]
            else:
                raw = raw + raw[at:]
        return raw

    return act


def read_all(folder: Path) -> None:
    """Everything that a reader may ask for."""
    store = FeatureStore.open(folder)
    store.features()
    for name in store.shapes:
        store.layer(name, None)
    list(store.missing_reasons())
    _ = (store.content_hash, store.rounding, store.seconds)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    stored(folder, made(6), dtype="int8")
    return folder


@QUIET
@given(damage(), st.sampled_from(["store.json", "index/000000-*", "shards/000001*", "index/000001-*"]))
def test_damaged_files(
    tmp_path_factory: pytest.TempPathFactory, whole: Path, act: Callable[[bytes], bytes], which: str
) -> None:
    folder = tmp_path_factory.mktemp("f") / "s"
    shutil.copytree(whole, folder)
    path = next(folder.glob(which))
    path.write_bytes(act(path.read_bytes()))
    with contextlib.suppress(InnerjudgeError):
        read_all(folder)
        export(FeatureStore.open(folder), folder / "x.npz")
    shutil.rmtree(folder)


@QUIET
@given(damage())
def test_a_damaged_index_whose_name_fits(
    tmp_path_factory: pytest.TempPathFactory, whole: Path, act: Callable[[bytes], bytes]
) -> None:
    """The checksum keeps accidents out; this is somebody who made an index on purpose."""
    folder = tmp_path_factory.mktemp("f") / "s"
    shutil.copytree(whole, folder)
    path = next(folder.glob("index/000000-*"))
    raw = act(path.read_bytes())
    path.unlink()
    (folder / "index" / f"000000-{hashlib.sha256(raw).hexdigest()[:16]}.parquet").write_bytes(raw)
    with contextlib.suppress(InnerjudgeError):
        read_all(folder)
    shutil.rmtree(folder)


@QUIET
@given(st.dictionaries(st.sampled_from(["format", "provenance", "items", "dtype", "shard_items", "x"]), json_values))
def test_any_header(values: dict) -> None:
    with contextlib.suppress(InnerjudgeError):
        StoreHeader.parse(json.dumps(values, default=str).encode(), "h")


@QUIET
@given(st.binary(max_size=200) | json_values.map(lambda v: json.dumps(v, default=str).encode()))
def test_any_shard(tmp_path_factory: pytest.TempPathFactory, whole: Path, body: bytes) -> None:
    store = FeatureStore.open(whole)
    path = tmp_path_factory.mktemp("f") / "x.safetensors"
    for raw in (body, struct.pack("<Q", len(body)) + body, struct.pack("<Q", 2**63) + body, b"\xff" * 8 + body):
        path.write_bytes(raw)
        with pytest.raises(InnerjudgeError, match="which is damaged"):
            OpenShard(path, store.entries[0])


@pytest.mark.parametrize("offsets", [[], [0], [0, 4, 8], 0, "04", [0, 5], [4, 0], [0, 10**9], [-4, 0], None])
def test_offsets_that_are_none(whole: Path, tmp_path: Path, offsets: object) -> None:
    header = json.dumps({"labels": {"dtype": "F32", "shape": [1], "data_offsets": offsets}}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 8)
    with pytest.raises(InnerjudgeError, match="which is damaged"):
        OpenShard(path, FeatureStore.open(whole).entries[0])


@pytest.mark.parametrize(
    "change",
    [
        {"shapes": {"hidden/score": [4, 3, 10**15]}},
        {"shapes": {"hidden/score": [10**12, 3, 4]}},
        {"shapes": {"hidden/score": [4, -3, 4]}},
        {"shapes": {"hidden/score": [4, 0, 10**15]}},
        {"shapes": {"hidden/score": []}},
        {"bytes": "many"},
        {"rounding": {"x": ["a"]}},
    ],
)
def test_absurd_sizes_are_refused_before_memory_is_taken(whole: Path, tmp_path: Path, change: dict) -> None:
    folder = tmp_path / "s"
    shutil.copytree(whole, folder)
    path = next(folder.glob("index/000000-*"))
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"innerjudge"]) | change
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({b"innerjudge": json.dumps(about)}), buffer)
    path.unlink()
    name = f"000000-{hashlib.sha256(buffer.getvalue()).hexdigest()[:16]}.parquet"
    (folder / "index" / name).write_bytes(buffer.getvalue())
    with pytest.raises(InnerjudgeError, match="which is damaged"):
        read_entry(FeatureStore.begun(folder).place, 0, name)


def test_a_large_header_is_refused(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    shutil.copytree(whole, folder)
    with (folder / "store.json").open("wb") as file:
        file.truncate(1 << 34)  # a hole in the file: no disk is taken, and no memory may be
    with pytest.raises(InnerjudgeError, match="expected at most"):
        FeatureStore.open(folder)
    assert (folder / shard_name(0)).is_file()


@QUIET
@given(st.binary(max_size=60) | json_values.map(lambda v: json.dumps(v, default=str).encode()))
def test_any_line_of_items(tmp_path_factory: pytest.TempPathFactory, line: bytes) -> None:
    from innerjudge.experiments.data.item_lines import ItemLines
    from innerjudge.experiments.data.jsonl import read_items

    path = tmp_path_factory.mktemp("f") / "items.jsonl"
    path.write_bytes(b'{"item_id": "r", "prompt": "?", "response": "!"}\n' + line + b"\n")
    for read in (lambda: read_items(path), lambda: list(ItemLines(path))):
        with contextlib.suppress(InnerjudgeError):
            read()
