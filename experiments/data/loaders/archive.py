"""A file that another library will unpack: bounded first, by what it says it holds and by what it really holds."""

import zipfile
import zlib
from pathlib import Path

from ....models.errors import InnerjudgeError
from ....models.foreign import FILE_LIMIT, require_file
from ....models.shown import shown

#: Files of an archive.
_MEMBERS = 100_000
#: Bytes that a small archive may unpack to for each of its own.
_RATIO = 200
_BLOCK = 1 << 20


def require_archive(path: Path, limit: int = FILE_LIMIT) -> None:
    """Refuse what is no regular file, is too large, or is a zip that unpacks to more than ``limit`` bytes.

    The sizes in a zip's directory may lie, so that what says little is also unpacked once, into nothing.

    Raises:
        InnerjudgeError: Names the file.
    """
    held = require_file(path, limit)
    if not zipfile.is_zipfile(path):
        return
    name = shown(path)
    most = min(limit, max(_BLOCK, _RATIO * held))
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > _MEMBERS or sum(one.file_size for one in members) > most:
                raise InnerjudgeError(
                    f"given {name!r} of {held} bytes, which unpacks to more than {most}, expected an archive that does "
                    "not: write it again"
                )
            left = most
            for one in members:
                with archive.open(one) as file:
                    while block := file.read(_BLOCK):
                        left -= len(block)
                        if left < 0:
                            raise InnerjudgeError(
                                f"given {name!r}, which holds more than its own directory says, expected an archive "
                                "that was not tampered with"
                            )
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise InnerjudgeError(f"given {name!r}, a damaged zip archive ({error}), expected a whole one") from None
