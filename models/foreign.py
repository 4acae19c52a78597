"""Untrusted files, read within limits: plain files of a bounded size, JSON and YAML of a bounded depth, checksums.

Every reader of the project goes through these, so that a pipe, a device, a file of gigabytes, deeply nested brackets or
a number with thousands of digits is refused with one clear line. Whatever one command writes and a later one trusts is
covered by a digest: a record (a JSON object, such as a header or a row of verdicts) holds its own in the field
:data:`SEAL`. A file is first written under a temporary name that the next run with the same output removes.
"""

import errno
import hashlib
import json
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, NoReturn, TypeVar

from filelock import FileLock, Timeout

from .errors import InnerjudgeError, one_line, shown

_Read = TypeVar("_Read")
#: Bytes of a file that is read whole.
FILE_LIMIT = 1 << 30
#: Bytes of a header or a settings file.
HEADER_LIMIT = 1 << 20
#: Brackets within brackets.
DEPTH = 64
#: Whole numbers from ``-2**64`` to ``2**64``: what other programs can hold.
_WHOLE = 1 << 64
_WIDE = "a whole number of more than 64 bits: put it in quotes"
_BEYOND = (float("inf"), float("-inf"))
_HALF = re.compile("[\ud800-\udfff]")
#: Field of a record that holds the digest of the others.
SEAL = "sha256"
#: What readers raise on damaged files.
_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, MemoryError)
#: What YAML would take for a number, of more than 20 digits: decimal, in another base, or by colons.
_LONG_NUMBER = re.compile(r"[+-]?(?=.{21})[0-9][0-9a-fA-FxXoObB_:.]*")


@contextmanager
def refusing(what: object, expected: str, *also: type[Exception]) -> Iterator[None]:
    """Turn the errors that a damaged file causes, and those in ``also``, into one line that names the file.

    ``expected`` says what it should be, and what to do. "Too many open files" passes: it does not mean damage.
    """
    try:
        yield
    except _DAMAGE + also as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        if isinstance(error, MemoryError):
            raise InnerjudgeError(f"given {shown(what)}, for which the memory is too small, expected more") from error
        why = f"{type(error).__name__}: {one_line(error)}"
        raise InnerjudgeError(f"given {shown(what)}, which is damaged ({why}), expected {expected}") from error


def require_file(path: Path, limit: int | None = None) -> int:
    """Size of a regular file in bytes, links followed; ``InnerjudgeError`` if it is not one, or exceeds ``limit``."""
    name = shown(path)
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise InnerjudgeError.of("models.no-file", name, said) from None
    if stat.S_ISDIR(found.st_mode):
        raise InnerjudgeError(f"given {name!r}, a folder, expected a file: check the path")
    if not stat.S_ISREG(found.st_mode):
        raise InnerjudgeError(f"given {name!r}, which is no regular file, expected one: copy its content into a file")
    if limit is not None and found.st_size > limit:
        raise InnerjudgeError(f"given {name!r} of {found.st_size} bytes, expected at most {limit}: split the file")
    return found.st_size


def read_file(path: Path, limit: int = FILE_LIMIT) -> bytes:
    """Content of a regular file; errors as in :func:`require_file`, also if the file grows while it is read."""
    size = require_file(path, limit)
    with path.open("rb") as file:
        raw = file.read(size + 1)  # no more: as many bytes are set aside before any is read
    if len(raw) > size:
        raise InnerjudgeError(f"given {shown(path)!r}, which grows while it is read, expected a file that is whole")
    return raw


def parse_json(raw: bytes | str) -> Any:
    """The value of a JSON text.

    ``ValueError`` if it is not UTF-8, is broken, is nested deeper than :data:`DEPTH`, or holds NaN, infinity, a number
    too large for a float or 64 bits, or half of a surrogate pair.
    """
    whole = isinstance(raw, bytes) or raw.isascii()
    if isinstance(raw, bytes):
        try:
            raw = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError("not UTF-8") from None
    try:
        found = _JSON.decode(raw)
    except RecursionError:
        raise ValueError(f"nested deeper than {DEPTH}") from None
    except ValueError as error:
        raise ValueError(_WIDE) if "integer string" in str(error) else error from None
    _require_plain(found, whole=whole and "\\u" not in raw)
    return found


def _require_plain(value: object, *, whole: bool) -> None:
    """Refuse what stands too deep, numbers that are too large and, unless it is known to be ``whole``, odd text."""
    level = [value]
    for depth in range(DEPTH + 1):
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict | list):
                if depth >= DEPTH:
                    raise ValueError(f"nested deeper than {DEPTH}")
                inner += one if isinstance(one, list) else (*one, *one.values())
            elif isinstance(one, str):
                if not whole and not one.isascii() and _HALF.search(one):
                    raise ValueError("half of a surrogate pair, which is no character")
            elif one in _BEYOND or (isinstance(one, int) and abs(one) > _WHOLE):
                raise ValueError(_WIDE if isinstance(one, int) else "a number beyond the range of a float")
        if not inner:
            return
        level = inner


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


_JSON = json.JSONDecoder(parse_constant=_no_number)


def digest_of(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record, whatever the order of its fields; the field :data:`SEAL` is left out."""
    plain = {name: value for name, value in record.items() if name != SEAL}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with its digest."""
    return {**record, SEAL: digest_of(record)}


def unsealed(record: object) -> dict[str, Any]:
    """The record without its digest; ``ValueError`` if it is not a record, has no digest, or was changed since."""
    if not isinstance(record, dict):
        raise ValueError("it is no object with named fields")
    if SEAL not in record:
        raise ValueError("it has no checksum: another version wrote it, or it is damaged")
    if record[SEAL] != digest_of(record):
        raise ValueError("its checksum is not that of its content")
    return {name: value for name, value in record.items() if name != SEAL}


def dump_sealed(record: Mapping[str, Any]) -> bytes:
    """A sealed record as the bytes of a file."""
    return json.dumps(sealed(record), ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"


def parse_sealed(raw: bytes) -> dict[str, Any]:
    """Inverse of :func:`dump_sealed`; ``ValueError`` as in :func:`unsealed`, or if it is not JSON."""
    return unsealed(parse_json(raw))


def digest_of_parts(parts: Iterable[bytes]) -> str:
    """SHA-256 of bytes that come one after another."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_text_file(path: Path, read: Callable[[str], _Read], expected: str) -> _Read:
    """What ``read`` makes of a UTF-8 file of at most a few megabytes; errors name the file and what was expected."""
    if not path.exists():
        raise InnerjudgeError(f"given {str(path)!r}, expected {expected}: check the path")
    try:
        return read(read_file(path, HEADER_LIMIT).decode())
    except UnicodeDecodeError:
        raise InnerjudgeError(f"{path.name}: given bytes that are not UTF-8, expected {expected}") from None
    except InnerjudgeError as error:
        raise InnerjudgeError(f"{path.name}: {error}") from None


def parse_yaml(text: str) -> Any:
    """The value of a YAML text, of plain types only.

    ``InnerjudgeError`` if broken, too long, nested too deep, or with anchors, aliases or numbers of over 20 digits.
    """
    import yaml  # only who reads YAML waits for it

    if len(text) > HEADER_LIMIT:
        raise InnerjudgeError(f"given {len(text)} characters of YAML, expected at most {HEADER_LIMIT}")
    depth = 0
    try:
        for event in yaml.parse(text, Loader=(loader := getattr(yaml, "CSafeLoader", yaml.SafeLoader))):  # libyaml
            line = f"line {event.start_mark.line + 1 if event.start_mark else 0}"
            if getattr(event, "anchor", None) is not None:
                raise InnerjudgeError(f"{line}: given an anchor or alias, expected every value written out")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEPTH:
                raise InnerjudgeError(f"{line}: given values nested deeper than {DEPTH}, expected a flatter file")
            if isinstance(event, yaml.ScalarEvent) and not event.style and _LONG_NUMBER.fullmatch(event.value):
                raise InnerjudgeError(f"{line}: given a number of {len(event.value)} digits: put it in quotes")
        return yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError, AttributeError) as error:
        raise InnerjudgeError(f"given broken YAML ({one_line(error, 300)}), expected plain values") from None


#: What the name of a file ends with that is not whole yet.
HALF = ".tmp"
#: The folder by which it is tried whether a place takes new files.
TRIAL = ".innerjudge-trial"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a file to write to: at the end it becomes ``path``; after an error it is deleted and ``path`` stays.

    A killed run leaves the file behind; the next run that writes ``path`` overwrites it.
    """
    half = path.with_name(f"{path.name}{HALF}")
    try:
        yield half
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def try_place(folder: Path) -> None:
    """Check that ``folder`` can be written to, by making a folder in it; ``OSError`` where that is refused."""
    trial = folder / TRIAL
    with suppress(FileNotFoundError):
        trial.rmdir()
    trial.mkdir(exist_ok=True)  # of another run at the same moment
    with suppress(FileNotFoundError):
        trial.rmdir()


class Scratch(TemporaryDirectory[str]):
    """A temporary folder for the work on ``output``, deleted with the object.

    Folders that killed runs left for the same output (their lock is free) are deleted first.
    """

    def __init__(self, output: str) -> None:
        known = hashlib.sha256(f"{Path.home()} {output}".encode()).hexdigest()[:16]
        prefix, place = f"innerjudge-{known}-", Path(gettempdir())
        with FileLock(place / f"{prefix}making"):  # none is found before it has its lock
            for old in place.glob(f"{prefix}*/lock"):
                with suppress(Timeout, OSError), FileLock(old, timeout=0, is_singleton=False):
                    shutil.rmtree(old.parent, ignore_errors=True)
            super().__init__(prefix=prefix, ignore_cleanup_errors=True)
            self._lock = FileLock(Path(self.name) / "lock", is_singleton=False)
            self._lock.acquire()
