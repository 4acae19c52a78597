"""Untrusted files, read within limits: plain files of a bounded size, and JSON of a bounded depth.

Every reader of the project goes through these two, so that a pipe, a device, a file of gigabytes, a tower of brackets
or a number of thousands of digits is one clear refusal where it is read.
"""

import json
import re
import stat
from pathlib import Path
from typing import Any, NoReturn

from .errors import InnerjudgeError
from .shown import shown

#: Bytes of a file that is read whole.
FILE_LIMIT = 1 << 30
#: Bytes of a header or a settings file.
HEADER_LIMIT = 1 << 20
#: Brackets within brackets.
DEPTH = 64
#: Whole numbers from ``-2**64`` to ``2**64``: what other programs can hold.
_WHOLE = 1 << 64
_LONG = re.compile(r"\d{19}|[eE]\+?\d{3}")
_SURROGATE = re.compile(r"\\u[dD][89abAB]|\\u[dD][c-fC-F]|[\ud800-\udfff]")


def require_file(path: Path, limit: int | None = None) -> int:
    """Bytes of a regular file, links followed.

    ``InnerjudgeError`` if there is nothing, or a folder, pipe, socket or device, or the file is larger than ``limit``.
    """
    name = shown(path)
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise InnerjudgeError(
            f"given {name!r}, which cannot be read ({said}), expected a file: check the path"
        ) from None
    if stat.S_ISDIR(found.st_mode):
        raise InnerjudgeError(f"given {name!r}, a folder, expected a file: check the path")
    if not stat.S_ISREG(found.st_mode):
        raise InnerjudgeError(f"given {name!r}, which is no regular file, expected one: copy its content into a file")
    if limit is not None and found.st_size > limit:
        raise InnerjudgeError(f"given {name!r} of {found.st_size} bytes, expected at most {limit}: split the file")
    return found.st_size


def read_file(path: Path, limit: int = FILE_LIMIT) -> bytes:
    """Content of a regular file; errors as :func:`require_file`, also if it grows while it is read."""
    size = require_file(path, limit)
    with path.open("rb") as file:
        raw = file.read(size + 1)  # no more: as many bytes are set aside before any is read
    if len(raw) > size:
        raise InnerjudgeError(f"given {shown(path)!r}, which grows while it is read, expected a file that is whole")
    return raw


def parse_json(raw: bytes | str) -> Any:
    """The value of a JSON text.

    ``ValueError``, in few words: no UTF-8, broken, nested deeper than :data:`DEPTH`, NaN or infinity, a number that
    neither a float nor 64 bits hold, or half of a surrogate pair.
    """
    if isinstance(raw, bytes):
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError("not UTF-8") from None
    else:
        text = raw
    try:
        found = (_STRICT if _LONG.search(text) else _PLAIN).decode(text)
    except RecursionError:
        raise ValueError(f"nested deeper than {DEPTH}") from None
    if text.count("[") + text.count("{") > DEPTH:
        _require_flat(found)
    if _SURROGATE.search(text):
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair, which is no character") from None
    return found


def _require_flat(value: object) -> None:
    level = [value]
    for _ in range(DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)  # type: ignore[attr-defined]
            if isinstance(inner, list | dict)
        ]
        if not level:
            return
    raise ValueError(f"nested deeper than {DEPTH}")


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number beyond the range of a float")
    return value


def _whole(digits: str) -> int:
    if len(digits) > 21 or abs(value := int(digits)) > _WHOLE:
        raise ValueError("a whole number of more than 64 bits: put it in quotes")
    return value


_PLAIN = json.JSONDecoder(parse_constant=_no_number)
_STRICT = json.JSONDecoder(parse_constant=_no_number, parse_float=_float, parse_int=_whole)
