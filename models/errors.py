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
        super().__init__(shown(message, MESSAGE, lines=True))


class UnreadableError(InnerjudgeError):
    """One item, or one readout of this model, cannot be read; the others can, and a run goes on without it.

    Args:
        message: The reason, kept for whatever is left unscored.
        readouts: Names of the readouts that this model does not give; none where the item is at fault.

    Example:
        >>> UnreadableError("given Bloom, expected readable heads", {"qk/before"}).readouts
        frozenset({'qk/before'})
    """

    def __init__(self, message: str, readouts: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.readouts = frozenset(readouts)


def one_line(error: BaseException) -> str:
    """The message of an error, without line breaks and cut after 200 characters.

    Example:
        >>> one_line(ValueError("two" + chr(10) + "lines"))
        'two lines'
    """
    return " ".join(str(error).split())[:200]
