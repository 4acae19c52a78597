"""Checksums of what is trusted when it is read: records that carry their own, and files that a record names.

Whatever a command writes and a later one believes is covered by a digest that is written with it. A record (a JSON
object: a header, a row of verdicts) holds its own as the field :data:`SEAL`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .foreign import parse_json

#: Field of a record that holds the digest of the others.
SEAL = "sha256"
#: Bytes hashed at a time.
_BLOCK = 1 << 22


def digest_of(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record, whatever the order of its fields; :data:`SEAL` does not count."""
    plain = {name: value for name, value in record.items() if name != SEAL}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with its digest."""
    return {**record, SEAL: digest_of(record)}


def unsealed(record: object) -> dict[str, Any]:
    """The record without its digest; ``ValueError`` if it is no record, has no digest, or is not what it was sealed as.

    Example:
        >>> unsealed(sealed({"a": 1}))
        {'a': 1}
        >>> unsealed(sealed({"a": 1}) | {"a": 2})
        Traceback (most recent call last):
        ValueError: its checksum is not that of its content
    """
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
    """Inverse of :func:`dump_sealed`; ``ValueError`` as :func:`unsealed`, and if it is no JSON."""
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
        return digest_of_parts(iter(lambda: file.read(_BLOCK), b""))
