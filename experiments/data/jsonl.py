"""Items as JSONL: one JSON object a line, all lines of a file of one kind, told apart by their fields.

:mod:`.kinds` has the table of fields. An optional field that is ``null`` counts as absent; unknown fields are kept.

An output is checked before the long work. A checksum stands beside a result ``OUT``, in ``OUT.sha256`` as
``sha256sum -c`` reads it. A file that is not what its checksum says is damaged: the command that wrote it makes it
again, and every other one refuses it.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...models.arguments import checked
from ...models.errors import InnerjudgeError, shown
from ...models.foreign import HEADER_LIMIT, digest_of_file, parse_json, read_file, replacing, require_file, try_place
from ...models.items import Item
from .kinds import REQUIRED, kind_of, kind_of_record, record_to_item
from .records import Record, known_file


def require_room(out: str | Path) -> None:
    """Refuse an output that could not be written, before anything is computed; leaves no trace.

    ``out`` may not exist yet: the nearest folder above it that does must take new files.
    """
    folder = Path(out) if Path(out).is_dir() else Path(out).absolute().parent
    with writing(out):
        # Only an attempt tells: a superuser may write everywhere by the mode bits, also where no file can be.
        try_place(next(one for one in (folder, *folder.parents) if one.exists()))


@contextmanager
def writing(out: str | Path) -> Iterator[None]:
    """Turn a system error while ``out`` is written into one line that names the file."""
    try:
        yield
    except OSError as error:
        raise InnerjudgeError.of("data.unwritable", str(out), error.strerror or error) from error


def check_new(out: Path, *also: str, ours: str, begun: Set[str] = frozenset()) -> None:
    """Refuse a file, and a folder of files without ``ours`` or one of ``also``, by which a command knows its own.

    ``begun`` are names that a run which was killed before it wrote these may have left.
    """
    require_room(out)
    if out.exists() and not out.is_dir():
        raise InnerjudgeError(f"given --out {out}, which is a file, expected a folder: choose another --out")
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if names - begun and not names & {ours, *also}:
        raise InnerjudgeError.of("data.out-holds-others", out, " or ".join((*also, ours)))


def checksum_of(path: Path) -> Path:
    """The file that holds the checksum of ``path``."""
    return path.with_name(f"{path.name}.sha256")


def is_whole(path: Path) -> bool:
    """Whether a file is there, and is what the checksum beside it says."""
    if not path.is_file() or not checksum_of(path).exists():
        return False
    try:
        return checksum_line(path.name, digest_of_file(path)) in read_file(checksum_of(path), HEADER_LIMIT)
    except InnerjudgeError:
        return False


def checksum_line(name: str, digest: str) -> bytes:
    """The content of a file that holds a checksum."""
    return os.fsencode(f"{digest}  {name}\n")


def is_damaged(path: Path) -> bool:
    """Whether a file differs from the checksum beside it; a file without one is never called damaged."""
    return path.is_file() and checksum_of(path).exists() and not is_whole(path)


def require_undamaged(path: Path) -> None:
    """Refuse a file that is not what the checksum beside it says."""
    if is_damaged(path):
        raise InnerjudgeError.of("data.checksum", shown(path), shown(checksum_of(path).name))


def remade(path: Path) -> str:
    """The words for a file that is made again because it is damaged; empty for any other."""
    return " What was there was damaged (checksum)." if is_damaged(path) else ""


#: Bytes of a line: longer ones hold no item that a model could read.
LINE = 1 << 26
#: Characters of a line with one beyond 16 bits, for which Python holds four bytes for every one.
WIDE = 1 << 23
_BEYOND = re.compile(rb"[\xf0-\xf4]|\\u[dD][89abAB]")
#: Bytes by which a file of another format is known.
START = 1 << 16


@checked
def read_items(path: str | Path) -> list[Item]:
    """The items of a UTF-8 JSONL file in file order, all of one kind, with unique ids.

    Blank lines are skipped; line numbers in messages count them. ``InnerjudgeError`` names file, line and field: broken
    JSON, a missing field, a wrong type, an empty file, a duplicate id, mixed kinds, an answer index out of range, an
    unknown preference, a line that fits two kinds.
    """
    items: list[Item] = []
    places: list[str] = []
    for item, _, number in placed_items(path):
        items.append(item)
        places.append(f"{Path(path).name} line {number}")
    check_unique(items, places)
    return items


def placed_items(path: str | Path) -> Iterator[tuple[Item, int, int]]:
    """The items of a file one after another, each with the byte at which its line begins and the line's number.

    Memory holds one line. Ids are not compared here; errors as in :func:`read_items`, when the line is reached.
    """
    kind, first = None, ""
    for record, at, number in lines_as_records(path):
        kind, first = kind_of_record(record, kind, first), first or record.where
        yield record_to_item(record, kind), at, number


def read_records(path: str | Path) -> list[Record]:
    """The objects of a JSONL file, at least one, whatever their fields.

    ``InnerjudgeError`` names file and line: no file, an empty one, broken JSON, NaN, a line that is not an object.
    """
    return [record for record, _, _ in lines_as_records(path)]


def lines_as_records(path: str | Path) -> Iterator[tuple[Record, int, int]]:
    """Each object of a file, the byte at which its line begins, and the number of the line."""
    file = Path(path)
    if not file.exists():
        raise InnerjudgeError.of("data.no-lines", shown(path))
    require_file(file)
    require_undamaged(file)
    name, at, number, found = shown(file.name), 0, 0, False
    with file.open("rb") as lines:
        while raw := lines.readline(LINE + 1):
            start, at, number = at, at + len(raw), number + 1
            if number == 1 and (known := known_file(raw[:START])):
                raise InnerjudgeError(f"{name}: given {known}")
            if len(raw) > LINE:
                raise InnerjudgeError(f"{name} line {number}: given more than {LINE} bytes, expected one item per line")
            if not raw.isspace():
                found = True
                yield _parse(raw, f"{name} line {number}"), start, number
    if not found:
        raise InnerjudgeError(f"{name}: given an empty file, expected one item per line: write at least one")


def parse_item(raw: bytes, where: str) -> Item:
    """The item of one line of a file; errors name ``where``, and the field."""
    record = _parse(raw, where)
    return record_to_item(record, kind_of_record(record))


def check_unique(items: Iterable[Item], places: Iterable[str]) -> None:
    """Refuse two items of one id, naming both places."""
    seen: dict[str, str] = {}
    for item, place in zip(items, places, strict=True):
        if item.id in seen:
            named = " and ".join(repr(k) for k in REQUIRED[kind_of(item)] if k.endswith("_id"))
            raise InnerjudgeError.of("data.id-twice", place, named, shown(item.id), seen[item.id])
        seen[item.id] = place


def write_jsonl(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, whole or not at all (a temporary file beside it, then a rename).

    Its checksum stands beside it, and is written first, behind that of a whole old file: a run that is killed leaves
    one of the two, whole. NaN, infinity and what JSON cannot say are an error; the old file then stays as it was.
    """
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as half:
        with half.open("wb") as out:
            out.writelines(jsonl_lines(rows, file.name))
        seal(file, *([file] if is_whole(file) else []), half)
    seal(file, file)


def seal(path: Path, *contents: Path) -> None:
    """Write the checksum of what ``path`` is, and will be; a line that is true stays there at every moment."""
    checksum_of(path).touch()
    with checksum_of(path).open("r+b") as out:
        out.write(b"".join(checksum_line(path.name, digest_of_file(one)) for one in contents))
        out.truncate()


def jsonl_lines(rows: Iterable[Mapping[str, Any]], name: str) -> Iterator[bytes]:
    """The lines of a JSONL file called ``name``; NaN, infinity and what JSON cannot say are an error."""
    for number, row in enumerate(rows, start=1):
        try:
            line = json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InnerjudgeError.of("data.no-json", name, number, error) from None
        yield line + b"\n"


def require_narrow(raw: bytes, where: str) -> None:
    """Refuse a long line that would take four times its bytes in Python's memory."""
    if len(raw) > WIDE and _BEYOND.search(raw):
        n = len(raw.translate(None, bytes(range(0x80, 0xC0)))) - 5 * raw.count(b"\\u")
        if n > WIDE:
            raise InnerjudgeError.of("data.too-wide", where, n, 4 * n, WIDE)


def _parse(raw: bytes, where: str) -> Record:
    require_narrow(raw, where)
    try:
        return Record.of(parse_json(raw), where)
    except ValueError as error:
        raise InnerjudgeError(f"{where}: given broken JSON ({error}), expected one object a line: correct it") from None
