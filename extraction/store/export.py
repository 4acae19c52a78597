"""Write a store as a file that other programs read (Parquet or numpy's npz), or merge several stores."""

import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ...models.errors import InnerjudgeError
from ...models.foreign import replacing
from ..features import Features
from ..ragged import widen
from .place import place
from .reading import StoreReading
from .store import FeatureStore, locked


def export(store: StoreReading, out: str | Path) -> None:
    """Write all items into one file, ``.parquet`` or ``.npz``, part by part, whole or not at all.

    ``.parquet`` has one row per item: id, group, each readout as a list of numbers (its shape in the metadata of its
    column) and each text; a readout that an item lacks is null (an empty list where items have several rows). ``.npz``
    has one array ``[n, ...]`` per readout, and ``id``, ``group`` and ``present/NAME``; a readout with several rows per
    item has all rows in one array, and where each item's rows begin in ``rows/NAME``.
    """
    path = Path(out)
    writers = {".parquet": _parquet, ".npz": _npz}
    if path.suffix not in writers:
        raise InnerjudgeError(f"given the output {path}, expected a name that ends in {' or '.join(writers)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as half:
        writers[path.suffix](store, half)


def _parquet(store: StoreReading, path: Path) -> None:
    shapes = store.shapes
    writer = None
    try:
        for part in store.parts():
            fields = [pa.field("id", pa.string()), pa.field("group", pa.string())]
            columns = [pa.array(part.ids), pa.array(part.groups)]
            for name, shape in shapes.items():
                flat, mask = pa.array(widen(part[name], shape[-1]).reshape(-1)), pa.array(~part.present(name))
                lists = pa.FixedSizeListArray.from_arrays(flat, math.prod(shape[1:]), mask=mask)
                fields.append(pa.field(name, lists.type, metadata={"shape": str(list(shape[1:]))}))
                columns.append(lists)
            for name, one in part.ragged.items():
                flat = pa.array(one.values.reshape(-1))
                size = math.prod(one.values.shape[1:])
                lists = pa.LargeListArray.from_arrays(pa.array(one.offsets * size), flat)
                fields.append(pa.field(name, lists.type, metadata={"shape": str(["rows", *one.values.shape[1:]])}))
                columns.append(lists)
            for name, texts in part.texts.items():
                fields.append(pa.field(f"text/{name}", pa.string()))
                columns.append(pa.array(texts, pa.string()))
            schema = pa.schema(fields)
            writer = writer or pq.ParquetWriter(path, schema)
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    finally:
        if writer is not None:
            writer.close()


def _npz(store: StoreReading, path: Path) -> None:
    parts = list(store.parts([]))
    small = {"id": np.array([i for part in parts for i in part.ids])}
    small |= {"group": np.array([group for part in parts for group in part.groups])}
    present: dict[str, list[np.bool_]] = {name: [] for name in (*store.shapes, *store.ragged_names)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:

        def add(name: str, array: npt.NDArray[Any]) -> None:
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:  # no time in it
                np.lib.format.write_array(file, array, allow_pickle=False)

        for name, shape in store.shapes.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array_header_2_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
                for part in store.parts([name]):
                    file.write(widen(part[name], shape[-1]).tobytes())
                    present[name] += list(part.present(name))
        for name in store.ragged_names:
            one = store.ragged(name)
            present[name] = list(store.features([name]).present(name))
            add(name, one.values)
            add(f"rows/{name}", one.offsets)
        for name, array in (small | {f"present/{name}": np.array(mask) for name, mask in present.items()}).items():
            add(name, array)


def merge(parts: Sequence[str | Path], into: str | Path, *, job: str = "") -> FeatureStore:
    """Write the items of several stores, one after another, as a new store; the parts stay as they are.

    Every shard of the parts is checked before it is read. A killed merge goes on when it is called again.
    ``InnerjudgeError`` if there are no parts, an id is in two of them, or their provenances, dtypes or readouts differ.
    """
    if not parts:
        raise InnerjudgeError("given no stores to merge, expected at least one")
    stores = [FeatureStore.open(part, check="checksums") for part in parts]
    first = stores[0]
    seen: dict[str, str] = {}
    for store in stores:
        first.provenance.require(store.provenance, f"merging {store.place} with {first.place}")
        if store.header.dtype != first.header.dtype:
            raise InnerjudgeError.of(
                "extraction.two-dtypes", store.place, store.header.dtype, first.place, first.header.dtype
            )
        if odd := sorted({*store.shapes, *store.ragged_names} ^ {*first.shapes, *first.ragged_names}):
            raise InnerjudgeError(f"given {odd} in one of {store.place} and {first.place} only, expected the same")
        for one in store.ids():
            if one in seen:
                raise InnerjudgeError.of("extraction.item-twice", one, seen[one], store.place)
            seen[one] = str(store.place)
    with locked(place(into)):
        merged = FeatureStore.create(into, replace(first.header, items=len(seen), job=job))
        lacking = merged.missing()
        for number, features in enumerate(_spans(stores, first.header.shard_items)):
            if number in lacking:
                merged.write(number, features)
    return FeatureStore.open(into)


def _spans(stores: Sequence[FeatureStore], size: int) -> Iterator[Features]:
    held: list[Features] = []
    for store in stores:
        for part in store.parts():
            held.append(part)
            while sum(map(len, held)) >= size:
                whole = Features.concat(held)
                yield whole.take(range(size))
                held = [whole.take(range(size, len(whole)))] if len(whole) > size else []
    if held:
        yield Features.concat(held)
