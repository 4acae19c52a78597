"""What a store says about itself: one JSON header, and an index of Parquet files, one per shard.

The name of an index file contains its checksum, its metadata that of the shard. A shard counts as present once its
index is: the index is written last, and says what the shard must be.
"""

import hashlib
import io
import json
import math
import re
from dataclasses import asdict, dataclass
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from ...models.errors import InnerjudgeError
from ...models.foreign import digest_of, dump_sealed, parse_json, refusing, unsealed
from ..features import Features
from ..provenance import Provenance
from .place import Place
from .precision import DTYPES, Rounding

_FOLDER = "index"
_NAME = re.compile(r"(\d{6,12})-([0-9a-f]{16})\.parquet")
#: Bytes of an index file, as it is and unpacked: ids, reasons and texts of one shard.
INDEX_LIMIT = 1 << 28
_KEY = b"innerjudge"
_COLUMNS = {"place": pa.int64(), "id": pa.string(), "group": pa.string(), "missing": pa.map_(pa.string(), pa.string())}
#: What an index and a shard should be.
WRITTEN = "what `innerjudge extract` wrote: run it again, it writes the shard anew"
#: Version of the layout.
FORMAT = 2
HEADER = "store.json"


@dataclass(frozen=True, slots=True)
class StoreHeader:
    """What a store holds: ``items`` items of one provenance, ``shard_items`` in each shard but the last.

    ``dtype`` is the type of the stored hidden states, one of :data:`DTYPES`; ``job`` is a digest of what the store was
    made from and how, if a command made it: it tells whether shards with a damaged header are of this job.
    """

    provenance: Provenance
    items: int
    dtype: str = "float32"
    shard_items: int = 128
    job: str = ""

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise InnerjudgeError(f"given the type {self.dtype!r} to store, expected one of {', '.join(DTYPES)}")
        if not (0 < self.items < 1 << 48 and 0 < self.shard_items < 1 << 32):
            raise InnerjudgeError.of("extraction.store-size", self.items, self.shard_items)

    @property
    def shards(self) -> int:
        """Number of shards of the whole store."""
        return -(-self.items // self.shard_items)

    def span(self, number: int) -> tuple[int, int]:
        """First item of a shard, and the one after its last."""
        return number * self.shard_items, min((number + 1) * self.shard_items, self.items)

    @property
    def digest(self) -> str:
        """A digest of the header, which the index of every shard of this store repeats."""
        return digest_of(self._record())

    def _record(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self), "provenance": self.provenance.to_json()}

    def dump(self) -> bytes:
        """The header as it is written, with its checksum."""
        return dump_sealed(self._record())

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Self:
        """Inverse of :meth:`dump`; ``InnerjudgeError`` names ``where``, and what is wrong with the header."""
        with refusing(f"the header {where}", "what `innerjudge extract` wrote: extract again", InnerjudgeError):
            given = parse_json(raw)
            found = given.get("format")
            if found != FORMAT:
                raise ValueError(f"format {found!r:.20} instead of {FORMAT}")
            data = unsealed(given)
            del data["format"]
            known = Provenance.from_json(data.pop("provenance"))
            if any(type(data[name]) is not int for name in ("items", "shard_items")) or type(data["job"]) is not str:
                raise ValueError("a field of another type")
            return cls(known, **data)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index file ``name`` says of one shard of ``rows`` items and ``size`` bytes.

    By name of a readout: ``shapes`` (``[rows, ...]``) or ``ragged`` (``[N, ...]``, all rows of all items), ``seconds``
    of its pass, and ``rounding``, what its dtype loses. ``header`` is the store's :attr:`StoreHeader.digest`.
    """

    number: int
    name: str
    rows: int
    size: int
    sha256: str
    shapes: dict[str, tuple[int, ...]]
    ragged: dict[str, tuple[int, ...]]
    seconds: dict[str, float]
    rounding: dict[str, Rounding]
    header: str


def write_index(place: Place, header: StoreHeader, number: int, features: Features, shard: dict[str, Any]) -> Entry:
    """Write the index of a shard of ``features``; ``shard`` is what was said when it was written."""
    start, _ = header.span(number)
    about = shard | {
        "header": header.digest,
        "shapes": {name: array.shape for name, array in features.arrays.items()},
        "ragged": {name: one.values.shape for name, one in features.ragged.items()},
        "seconds": features.seconds,
    }
    columns: dict[str, Any] = {
        "place": range(start, start + len(features)),
        "id": features.ids,
        "group": features.groups,
        "missing": [[(name, why[i]) for name, why in features.missing.items() if i in why] for i in features.ids],
    }
    try:
        arrays = [pa.array(columns[name], type=kind) for name, kind in _COLUMNS.items()]
        arrays += [pa.array(texts, type=pa.string()) for texts in features.texts.values()]
    except UnicodeEncodeError as error:
        raise InnerjudgeError.of("extraction.surrogate", error.object) from None
    names = [*_COLUMNS, *(f"text/{name}" for name in features.texts)]
    table = pa.table(arrays, names=names).replace_schema_metadata({_KEY: json.dumps(about)})
    buffer = io.BytesIO()
    # Dictionaries and statistics hold a long text several times over.
    pq.write_table(table, buffer, use_dictionary=False, write_statistics=False)
    raw = buffer.getvalue()
    name = f"{number:06d}-{hashlib.sha256(raw).hexdigest()[:16]}.parquet"
    remove_index(place, number, but=name)
    place.write(f"{_FOLDER}/{name}", [raw])
    return _entry(number, name, pq.ParquetFile(io.BytesIO(raw)))


def index_names(place: Place) -> dict[int, list[str]]:
    """Number of a shard -> names of its index files, of which a killed run may have left two."""
    found: dict[int, list[str]] = {}
    for name in place.names(_FOLDER):
        if match := _NAME.fullmatch(name):
            found.setdefault(int(match[1]), []).append(name)
    return found


def remove_index(place: Place, number: int, *, but: str = "") -> None:
    """Forget a shard: remove its index files, ``but`` for that one."""
    for name in index_names(place).get(number, []):
        if name != but:
            place.remove(f"{_FOLDER}/{name}")


def read_entry(place: Place, number: int, name: str) -> Entry:
    """What an index file says of its shard; ``InnerjudgeError``, which names the file, if it is damaged."""
    return _entry(number, name, _opened(place, name))


def read_rows(place: Place, entry: Entry) -> pa.Table:
    """Ids, groups, reasons and texts of a shard."""
    with refusing(f"{_FOLDER}/{entry.name}", WRITTEN, pa.ArrowException):
        return _opened(place, entry.name).read()


def _opened(place: Place, name: str) -> pq.ParquetFile:
    match = _NAME.fullmatch(name)
    with refusing(f"{_FOLDER}/{name}", WRITTEN, pa.ArrowException):
        raw = place.read(f"{_FOLDER}/{name}", INDEX_LIMIT)
        if match is None or hashlib.sha256(raw).hexdigest()[:16] != match[2]:
            raise ValueError("its checksum is not the one in its name")
        file = pq.ParquetFile(
            io.BytesIO(raw), thrift_string_size_limit=INDEX_LIMIT, thrift_container_size_limit=1 << 20
        )
        if sum(file.metadata.row_group(k).total_byte_size for k in range(file.metadata.num_row_groups)) > INDEX_LIMIT:
            raise ValueError("it would unpack to more than an index can hold")
        held = {field.name: field.type for field in file.schema_arrow}
        if any(held.get(column) != kind for column, kind in _COLUMNS.items()):
            raise ValueError(f"expected the columns {', '.join(_COLUMNS)}")
        if any(held[column] != pa.string() for column in held.keys() - _COLUMNS.keys()):
            raise ValueError("further columns that are no texts")
        return file


def _entry(number: int, name: str, file: pq.ParquetFile) -> Entry:
    with refusing(f"{_FOLDER}/{name}", WRITTEN, pa.ArrowException):
        about = parse_json((file.schema_arrow.metadata or {})[_KEY])
        rows, size = int(file.metadata.num_rows), int(about["bytes"])
        shapes = {str(key): tuple(int(k) for k in shape) for key, shape in about["shapes"].items()}
        for key, shape in shapes.items():
            axes = shape[:-1] or shape  # no item may have an option to read at, and the last axis be empty
            if not shape or shape[0] != rows or min(axes) < 1 or shape[-1] < 0 or math.prod(shape) > size:
                raise ValueError(f"{key} of shape {shape} in {rows} rows and {size} bytes")
        ragged = {str(key): tuple(int(k) for k in shape) for key, shape in about.get("ragged", {}).items()}
        for key, shape in ragged.items():
            if not shape or min(shape) < 0 or math.prod(shape) > size:
                raise ValueError(f"{key} of shape {shape} in {size} bytes")
        seconds = {str(key): float(value) for key, value in about["seconds"].items()}
        rounding = {str(key): Rounding(*map(float, value)) for key, value in about["rounding"].items()}
        sha256, header = str(about["sha256"]), str(about["header"])
        return Entry(number, name, rows, size, sha256, shapes, ragged, seconds, rounding, header)
