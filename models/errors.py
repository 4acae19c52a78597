"""The one exception base of innerjudge."""

from __future__ import annotations


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
