"""What loaders share: items of the rows of a table, named records of a JSON object, archives within limits."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from ....models.errors import InnerjudgeError, one_line, shown
from ....models.foreign import FILE_LIMIT, require_file
from ....models.items import Item
from ..kinds import hash_of, kind_of_record, record_to_item
from ..records import Record
from ..tables import read_table

Rows = Iterator[dict[str, Any]]


def by_rows(rows: Callable[[Record, str], Rows]) -> Callable[[Path], list[Item]]:
    """A loader of tables, from a function that turns a row into items; rows are called ``FILE-NUMBER``, from 0."""

    @wraps(rows)
    def load(path: Path) -> list[Item]:
        named = ((f"{path.name.partition('.')[0]}-{k}", record) for k, record in enumerate(read_table(path)))
        return [item_of(row, record.where) for name, record in named for row in rows(record, name)]

    return load


def item_of(row: dict[str, Any], where: str) -> Item:
    """The item with these fields."""
    record = Record(row, where)
    return record_to_item(record, kind_of_record(record))


def kept(record: Record, *names: str) -> dict[str, Any]:
    """The fields that are there, as they are."""
    return {name: record.values[name] for name in names if record.has(name)}


def one_of(record: Record, name: str, known: Sequence[str]) -> int:
    """Which of these strings a field is, from 0."""
    value = record.text(name)
    if value not in known:
        raise record.error(name, repr(shown(value)), f"one of {shown(', '.join(known))}", "correct the value")
    return known.index(value)


def question_of(prompt: Any) -> str:
    """A name for a question that its rows share by their prompt alone."""
    return f"q-{hash_of([repr(prompt)])}"


#: Files of an archive.
_MEMBERS = 100_000
#: Bytes that a small archive may unpack to for each of its own.
_RATIO = 200
_BLOCK = 1 << 20


def require_archive(path: Path, limit: int = FILE_LIMIT) -> None:
    """Refuse what is not a regular file, is too large, or is a zip that unpacks to more than ``limit`` bytes.

    The sizes in a zip's directory may lie, so a zip that claims to be small is also unpacked once, and not kept.
    """
    held = require_file(path, limit)
    if not zipfile.is_zipfile(path):
        return
    name, most, size = shown(path), min(limit, max(_BLOCK, _RATIO * held)), 0
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            fits = len(members) <= _MEMBERS and sum(one.file_size for one in members) <= most
            for one in members if fits else ():
                with archive.open(one) as file:
                    while size <= most and (block := file.read(_BLOCK)):
                        size += len(block)
    except Exception as error:  # each way of compressing has errors of its own
        raise InnerjudgeError.of("data.damaged-zip", name, one_line(error)) from None
    if not fits or size > most:
        raise InnerjudgeError.of("data.unpacks-to-more", name, held, most)
