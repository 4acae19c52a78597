"""Content of a file that may be compressed, within limits, and its text."""

import zlib
from pathlib import Path

from ...models.errors import InnerjudgeError
from ...models.foreign import FILE_LIMIT, read_file
from ...models.shown import shown

#: What is compressed may unpack to so many times its size; a small file to a megabyte.
_RATIO, _LEAST = 200, 1 << 20


def unpacked(path: Path) -> bytes:
    """Content of a file, without gzip or zstandard."""
    raw, name = read_file(path), shown(path.name)
    most = min(FILE_LIMIT, max(_LEAST, _RATIO * len(raw)))
    try:
        if raw.startswith(b"\x1f\x8b"):
            found, left = b"", raw
            while left.startswith(b"\x1f\x8b") and len(found) <= most:  # one member after another, as `cat` joins them
                member = zlib.decompressobj(31)
                found += member.decompress(left, most + 1 - len(found))
                if not member.eof and len(found) <= most:
                    raise ValueError("it ends too early")
                left = member.unused_data
        elif raw.startswith(b"\x28\xb5\x2f\xfd"):
            found = _zstandard(raw, most)
        else:
            return raw
    except ImportError:
        raise InnerjudgeError(
            f"{name}: given a zstandard file, expected the package that reads it: pip install zstandard"
        ) from None
    except InnerjudgeError:
        raise
    except Exception as error:  # each library has errors of its own
        raise InnerjudgeError(f"{name}: given a damaged archive ({shown(error)}), expected a whole one") from None
    if len(found) > most:
        raise InnerjudgeError(f"{name}: given a file that unpacks to more than {most} bytes: unpack or split it")
    return found


def _zstandard(raw: bytes, most: int) -> bytes:
    import zstandard

    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(raw, read_across_frames=True)
    parts, size = [], 0
    while size <= most and (part := reader.read(_LEAST)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def decoded(raw: bytes, name: str) -> str:
    """The text of UTF-8 bytes, without a byte order mark; line ends as they are."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InnerjudgeError(f"{name}: given bytes that are not UTF-8 ({error.reason}), expected UTF-8") from None
