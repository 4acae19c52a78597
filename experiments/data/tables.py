"""Tables of any form as records: CSV, TSV, Parquet, JSON, JSONL, saved data sets, and rows in memory.

A file is recognised by its first bytes, not by its name. Files are read within the limits of
:mod:`~innerjudge.models.foreign`.
"""

import csv
import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from glob import glob, has_magic
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.errors import InnerjudgeError, shown
from ...models.foreign import FILE_LIMIT, HEADER_LIMIT, parse_json, read_file, require_file
from .jsonl import LINE, START, WIDE, lines_as_records, require_narrow, require_undamaged
from .records import Record, begun_as, known_file

if TYPE_CHECKING:
    import pyarrow as pa

#: Where a row stands, where that is not its number; and the row.
Rows = Iterator[tuple[str, Any]]
#: What a folder of ``Dataset.save_to_disk`` holds, and one of ``DatasetDict.save_to_disk``.
_STATE, _SPLITS = "state.json", "dataset_dict.json"
_JSON = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
#: What is compressed may unpack to so many times its size; a small file to a megabyte.
_RATIO, _LEAST = 200, 1 << 20


def files_of(spec: str | Path) -> list[Path]:
    """The files that a path or a pattern names, in order; a folder that ``datasets`` saved counts as one.

    ``InnerjudgeError`` if there is none, or a folder is not a saved data set.
    """
    path = Path(spec)
    found = [path] if path.exists() or not has_magic(str(spec)) else sorted(map(Path, glob(str(spec), recursive=True)))
    for one in found:
        if not one.exists():
            raise InnerjudgeError(f"given {shown(one)!r}, expected a file: there is none; check the path")
        if (one / _SPLITS).is_file():
            splits = sorted(inner.name for inner in one.iterdir() if (inner / _STATE).is_file())
            named = ", ".join(shown(one / split) for split in splits) or "none"
            raise InnerjudgeError(f"given {shown(one)!r}, a saved DatasetDict, expected one split of it: {named}")
        if one.is_dir() and not (one / _STATE).is_file():
            ends = sorted({inner.suffix for inner in one.iterdir() if inner.is_file() and inner.suffix})
            raise InnerjudgeError.of("data.folder", shown(one), ends[0] if ends else ".jsonl")
    if not found:
        raise InnerjudgeError(f"given {shown(spec)!r}, a pattern that no file fits, expected one that does")
    return found


def records_of(data: Any) -> Iterator[Record]:
    """The rows of what :func:`innerjudge.items_from` takes, or records; values are those that JSON has."""
    if isinstance(data, str | Path):
        for path in files_of(data):
            yield from read_table(path)
        return
    for number, row in enumerate(_rows_in_memory(data), start=1):
        where = f"row {number}"
        if not isinstance(row, Mapping | Record):
            raise InnerjudgeError(f"{where}: given a {type(row).__name__}, expected a mapping: {{'prompt': ...}}")
        yield row if isinstance(row, Record) else _record(row, where)


def _rows_in_memory(data: Any) -> Iterable[Any]:
    name = type(data).__name__
    columns = getattr(data, "column_names", None)
    if isinstance(columns, Mapping):
        raise InnerjudgeError(f"given a {name}, expected one split: pass data[{next(iter(data), 'train')!r}]")
    if "Iterable" in name and columns is not None:
        raise InnerjudgeError(f"given a {name}, which may not end, expected rows: pass list(data.take(1000))")
    if method := getattr(data, "to_pylist", getattr(data, "to_dicts", None)):
        return method()  # type: ignore[no-any-return]
    if hasattr(data, "itertuples"):
        if not data.columns.is_unique:
            raise InnerjudgeError("given a frame with two columns of one name, expected each name once: rename one")
        return data.to_dict("records")  # type: ignore[no-any-return]
    if isinstance(data, Mapping):
        lengths = {len(one) if isinstance(one, list | tuple) else -1 for one in data.values()}
        if len(lengths) != 1 or -1 in lengths:
            raise InnerjudgeError("given one mapping, expected a list of them, or columns of one length: write [row]")
        return [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]
    if isinstance(data, list | tuple | chain) or columns is not None:  # a chain: what check_spec began to read
        return data  # type: ignore[no-any-return]
    raise InnerjudgeError.of("data.no-table", name)


def read_table(path: Path) -> Iterator[Record]:
    """The rows of one file or saved data set, at least one; places are lines of JSONL and rows of others."""
    if is_lines(path):
        yield from (record for record, _, _ in lines_as_records(path))
        return
    name, number = shown(path.name), 0
    rows = _arrow(path, None, name) if path.is_dir() else _rows(path, name)
    for number, (place, row) in enumerate(rows, start=1):
        where = f"{name} {place or f'row {number}'}"
        yield _record(row, where) if isinstance(row, Mapping) else Record.of(row, where)
    if not number:
        raise InnerjudgeError(f"{name}: given an empty file, expected one item per row: write at least one")


def _rows(path: Path, name: str) -> Rows:
    require_undamaged(path)
    raw = unpacked(path)
    if what := begun_as(raw[:START]):
        raise InnerjudgeError(f"{name}: given {what}")
    if raw.startswith(b"PAR1"):
        return _arrow(path, raw, name)
    is_json = raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{")
    for number, line in enumerate(() if is_json or len(raw) <= WIDE else io.BytesIO(raw), start=1):
        require_narrow(line.rstrip(b"\r\n"), f"{name} line {number}")
    return (_json if is_json else _csv)(decoded(raw, name), name)


def unpacked(path: Path) -> bytes:
    """Content of a file, unpacked from gzip or zstandard; an error where it is damaged, or unpacks to far too much."""
    raw, name = read_file(path), shown(path.name)
    most = min(FILE_LIMIT, max(_LEAST, _RATIO * len(raw)))
    try:
        if raw.startswith(b"\x1f\x8b"):
            found = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(most + 1)
        elif raw.startswith(b"\x28\xb5\x2f\xfd"):
            import zstandard

            packed = zstandard.ZstdDecompressor(max_window_size=1 << 27)
            found = io.BufferedReader(packed.stream_reader(raw, read_across_frames=True)).read(most + 1)
        else:
            return raw
    except ImportError:
        raise InnerjudgeError.of("data.zstandard", name) from None
    except Exception as error:  # each library has errors of its own
        raise InnerjudgeError(f"{name}: given a damaged archive ({shown(error)}), expected a whole one") from None
    if len(found) > most:
        raise InnerjudgeError(f"{name}: given a file that unpacks to more than {most} bytes: unpack or split it")
    return found


def decoded(raw: bytes, name: str) -> str:
    """The text of UTF-8 bytes, without a byte order mark; line ends as they are."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InnerjudgeError(f"{name}: given bytes that are not UTF-8 ({error.reason}), expected UTF-8") from None


def is_lines(path: Path) -> bool:
    """Whether a file is plain JSONL, of any size: its first line begins an object, and it is in no other form."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(START)
    return start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and not known_file(start)


def _json(text: str, name: str) -> Rows:
    """One list of objects; or objects one after another, a line each or written over several."""
    at, line = _SPACE.match(text).end(), 1  # type: ignore[union-attr]
    if text[at] == "[":
        yield from (("", one) for one in parsed(text, name))
        return
    while at < len(text):
        try:
            end = _JSON.raw_decode(text, at)[1]
        except (ValueError, RecursionError):
            end = len(text)  # what is wrong with it is said below
        yield f"line {line}", parsed(text[at:end], f"{name} line {line}")
        start, at = at, _SPACE.match(text, end).end()  # type: ignore[union-attr]
        line += text.count("\n", start, at)


def parsed(text: str, where: str) -> Any:
    """The value of a JSON text; an error that names ``where``."""
    try:
        return parse_json(text)
    except ValueError as error:
        raise InnerjudgeError(f"{where}: given broken JSON ({error}), expected objects: correct it") from None


def _csv(text: str, name: str) -> Rows:
    """Rows below a header; commas, tabs or semicolons, whichever the header has most of. An empty cell is no value."""
    text = text.lstrip("\r\n")
    header, *_ = text.split("\n", 1)
    csv.field_size_limit(max(LINE, csv.field_size_limit()))  # of the whole process
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",\t;", key=header.count), strict=True)
    try:
        names = [cell.strip() for cell in next(rows, [])]
        if len(set(names)) < len(names) or not all(names) or "\0" in header:
            raise InnerjudgeError.of("data.header", name, shown(",".join(names)))
        for number, row in enumerate(rows, start=1):
            if len(row) not in (0, len(names)):
                raise InnerjudgeError.of("data.cells", name, number, len(row), len(names))
            if row:
                yield f"row {number}", {k: cell or None for k, cell in zip(names, row, strict=True)}
    except csv.Error as error:
        raise InnerjudgeError(f"{name}: given broken CSV ({error}), expected one row per line: write it anew") from None


def _arrow(path: Path, raw: bytes | None, name: str) -> Rows:
    """Rows of a Parquet file, or of a folder by ``Dataset.save_to_disk``: its files are Arrow streams."""
    try:
        for batch in _saved(path) if raw is None else _parquet(raw):
            yield from (("", row) for row in batch.to_pylist())
    except InnerjudgeError:
        raise
    except Exception as error:  # pyarrow has many kinds, and a header may be anything
        what = "files of save_to_disk" if raw is None else "Parquet"
        raise InnerjudgeError(f"{name}: given broken {what} ({shown(error)}), expected them whole") from None


def _parquet(raw: bytes) -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(raw))
    if sum(file.metadata.row_group(k).total_byte_size for k in range(file.metadata.num_row_groups)) > FILE_LIMIT:
        raise ValueError(f"it unpacks to more than {FILE_LIMIT} bytes")
    yield from file.iter_batches(1024)


def _saved(folder: Path) -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa

    state = parse_json(read_file(folder / _STATE, HEADER_LIMIT))
    if state.get("_indices_files"):
        raise ValueError("it is a selection of another: save .flatten_indices() of it")
    for one in [str(file["filename"]) for file in state["_data_files"]]:
        if Path(one).name != one:
            raise ValueError(f"the file {shown(one)!r} stands elsewhere")
        require_file(folder / one, FILE_LIMIT)
        with pa.memory_map(str(folder / one)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                batch.validate(full=True)
                yield batch


def _record(row: Mapping[Any, Any], where: str) -> Record:
    return Record({str(k): _plain(v, f"{where}: column {str(k)!r:.60}") for k, v in row.items()}, where)


def _plain(value: Any, where: str) -> Any:
    """A value as JSON has it: arrays are lists, dates text, and what pandas has for nothing is ``None``."""

    def other(one: Any) -> Any:
        if type(one).__name__ in ("NAType", "NaTType"):
            return None
        if isinstance(one, date | datetime | time | timedelta | Decimal):
            return str(one)
        if isinstance(one, Mapping) or hasattr(one, "tolist"):  # of numpy, an array or one number
            return dict(one) if isinstance(one, Mapping) else one.tolist()
        raise TypeError(f"a {type(one).__name__}")

    if isinstance(value, str):
        return value
    try:
        return json.loads(json.dumps(value, default=other), parse_constant=lambda _: None)  # NaN and infinity are None
    except (TypeError, ValueError, RecursionError) as error:
        raise InnerjudgeError(f"{where}: given {error}, expected text or numbers: leave the column out") from None
