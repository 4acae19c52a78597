"""The one exception base of innerjudge, and the part of it that a run survives."""

from collections.abc import Iterable

from .shown import MESSAGE, shown


class InnerjudgeError(Exception):
    """Every error that innerjudge raises on purpose.

    The message says what was given, what was expected and what to do next. The command line prints it as one
    line and exits with code 2.

    Example:
        >>> try:
        ...     raise InnerjudgeError("given 0 items, expected at least 1: check --limit")
        ... except InnerjudgeError as error:
        ...     print(error)
        given 0 items, expected at least 1: check --limit
    """

    #: What the command line exits with.
    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(shown(message, MESSAGE))


class UnreadableError(InnerjudgeError):
    """One item, or one readout of this model, cannot be read; the others can, and a run goes on without it.

    ``readouts`` are the names of those that this model does not give; none where the item is at fault.
    """

    def __init__(self, message: str, readouts: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.readouts = frozenset(readouts)


def one_line(error: BaseException, most: int = 200) -> str:
    """The message of anybody's error as part of one of ours: without line breaks, cut and escaped."""
    return shown(" ".join(str(error).split()), most)
