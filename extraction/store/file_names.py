"""Names and sizes of files in a store: none leads out of its folder, none is larger than what it should be."""

import re

from ...models.errors import InnerjudgeError

#: Names that are asked for: parts of letters, digits, dots and dashes that do not begin with a dot.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
#: What the name of a file begins with that is still being written.
ASIDE = ".aside-"


def checked(name: str) -> str:
    """``name``, unless it could lead out of a folder.

    Example:
        >>> checked("shards/000000.safetensors")
        'shards/000000.safetensors'
        >>> checked("../secrets")
        Traceback (most recent call last):
        innerjudge.models.errors.InnerjudgeError: given the file name '../secrets', expected one inside its folder
    """
    if not NAME.fullmatch(name):
        raise InnerjudgeError(f"given the file name {name!r}, expected one inside its folder")
    return name


def within(content: bytes, limit: int, what: str) -> bytes:
    """``content``, unless it is longer than ``limit``."""
    if len(content) > limit:
        raise too_large(len(content), limit, what)
    return content


def too_large(size: int, limit: int, what: str) -> InnerjudgeError:
    """What is said of a file that is too large to be what it should be."""
    return InnerjudgeError(f"given {what} of {size} bytes or more, expected at most {limit}: it is damaged, delete it")
