"""A store as files that other programs read: Parquet, or npz of numpy."""

import math
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...models.errors import InnerjudgeError
from .reading import StoreReading


def export(store: StoreReading, out: str | Path) -> None:
    """Write all items into one file, ``.parquet`` or ``.npz``, part by part, whole or not at all.

    ``.parquet`` has one row an item: id, group, each readout as a list of numbers (its shape in the metadata of its
    column) and each text; a readout that an item lacks is null (an empty list where items have several rows).
    ``.npz`` has one array a readout, ``[n, ...]``, and ``id``, ``group`` and ``present/NAME`` beside them; of a readout
    with several rows an item all rows, and where each item's begin in ``rows/NAME``.
    """
    path = Path(out)
    writers = {".parquet": _parquet, ".npz": _npz}
    if path.suffix not in writers:
        raise InnerjudgeError(f"given the output {path}, expected a name that ends in {' or '.join(writers)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.tmp")
    try:
        writers[path.suffix](store, aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _parquet(store: StoreReading, path: Path) -> None:
    shapes = store.shapes
    writer = None
    try:
        for part in store.parts():
            fields = [pa.field("id", pa.string()), pa.field("group", pa.string())]
            columns = [pa.array(part.ids), pa.array(part.groups)]
            for name, shape in shapes.items():
                size = int(np.prod(shape[1:]))
                whole = np.zeros((len(part), *shape[1:]), np.float32)
                whole[..., : part[name].shape[-1]] = part[name]
                lists = pa.FixedSizeListArray.from_arrays(
                    pa.array(whole.reshape(-1)), size, mask=pa.array(~part.present(name))
                )
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
    ids: list[str] = []
    groups: list[str] = []
    present: dict[str, list[np.bool_]] = {name: [] for name in (*store.shapes, *store.ragged_names)}
    for part in store.parts([]):
        ids += part.ids
        groups += part.groups
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, shape in store.shapes.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_2_0(file, header)
                for part in store.parts([name]):
                    values = np.zeros((len(part), *shape[1:]), np.float32)
                    values[..., : part[name].shape[-1]] = part[name]
                    file.write(values.tobytes())
                    present[name] += list(part.present(name))
        for name in store.ragged_names:
            one = store.ragged(name)
            present[name] = list(store.features([name]).present(name))
            for key, held in ((name, one.values), (f"rows/{name}", one.offsets)):
                with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, held, allow_pickle=False)
        small = {"id": np.array(ids), "group": np.array(groups)}
        small |= {f"present/{name}": np.array(mask) for name, mask in present.items()}
        for name, array in small.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
