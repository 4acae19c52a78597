"""What people are told: text made safe to show, the base of all exceptions, and the one that a run survives."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path
from reprlib import Repr
from typing import Any, Self

#: Control and format characters: C0, C1, marks of writing direction, line separators, halves of surrogate pairs, tags.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
#: What may hold anything: only the beginning of it is written out.
_MANY = (list, tuple, dict, set, frozenset, bytes)
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlist = 20
#: Characters of a message of which a person reads so many at most.
MESSAGE = 4000


def shown(text: object, most: int = 200, *, lines: bool = False) -> str:
    r"""A name or a value as a terminal, a log or a page may show it: it can neither move the cursor nor forge a line.

    Text longer than ``most`` characters is cut and ends with an ellipsis; with ``lines``, line breaks and tabs stay.
    """
    text = text[:100] if isinstance(text, bytes) else text  # reprlib writes all of them out
    value = text if isinstance(text, str) else _SHORT.repr(text) if isinstance(text, _MANY) else str(text)
    if len(value) > most:
        value = f"{value[:most]}…"
    kept = "\n\t" if lines else ""
    return _HIDDEN.sub(lambda one: one[0] if one[0] in kept else one[0].encode("unicode_escape").decode("ascii"), value)


def quoted(value: object, most: int = 60) -> str:
    """A value as it would be typed in Python (text in quotes), cut and escaped."""
    return repr(shown(value, most)) if isinstance(value, str) else shown(value, most)


def readable(text: str) -> str:
    r""":func:`shown` for a whole text: of any length, with its line breaks and tabs.

    Example:
        >>> readable("one\n\x07two") == "one\n\\x07two"
        True
    """
    return shown(text, len(text), lines=True)


def html_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as HTML, every text escaped."""
    head = "".join(f"<th>{escape(one)}</th>" for one in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(one))}</td>' for one in row)}</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption>{f'<tr>{head}</tr>' if header else ''}{body}</table>"


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

    @classmethod
    def of(cls, key: str, *given: object, **more: Any) -> Self:
        """The error with the message of a key such as ``"data.folder"``, which is filled in with what was given.

        Messages of more than a line stand in ``errors.toml`` of their floor, or of their room of ``experiments``.
        """
        place, _, name = key.partition(".")
        return cls(_messages(place)[name].format(*given), **more)


@cache
def _messages(place: str) -> dict[str, str]:
    root = Path(__file__).parents[1]
    folder = next(one for one in (root / "experiments" / place, root / place) if one.is_dir())
    return tomllib.loads((folder / "errors.toml").read_text("utf-8"))


class UnreadableError(InnerjudgeError):
    """One item, or one readout of this model, cannot be read; the others can, and a run goes on without it.

    ``readouts`` names those that this model does not give; it is empty where the item is at fault.
    """

    def __init__(self, message: str, readouts: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.readouts = frozenset(readouts)


def one_line(error: BaseException, most: int = 200) -> str:
    """The message of another library's error as part of one of ours: without line breaks, cut and escaped."""
    return shown(" ".join(str(error).split()), most)
