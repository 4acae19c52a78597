"""What people are told: text made safe to show, the one exception base, and the part of it that a run survives.

Arguments of public functions are checked against their annotations before anything is run.
"""

import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache, wraps
from html import escape
from reprlib import Repr
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

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

    What is longer than ``most`` characters ends with an ellipsis; with ``lines``, line breaks and tabs stay.
    """
    text = text[:100] if isinstance(text, bytes) else text  # reprlib writes all of them out
    value = text if isinstance(text, str) else _SHORT.repr(text) if isinstance(text, _MANY) else str(text)
    if len(value) > most:
        value = f"{value[:most]}…"
    kept = "\n\t" if lines else ""
    return _HIDDEN.sub(
        lambda found: found[0] if found[0] in kept else found[0].encode("unicode_escape").decode("ascii"), value
    )


def quoted(value: object, most: int = 60) -> str:
    """A value as it would be typed, cut and escaped: a text in quotes."""
    return repr(shown(value, most)) if isinstance(value, str) else shown(value, most)


def readable(text: str) -> str:
    r"""A whole text as :func:`shown` gives a value: of any length, line breaks and tabs as they are.

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


_Object = TypeVar("_Object")
_Callable = TypeVar("_Callable", bound=Callable[..., Any])
#: What to do where an object of a class was expected, by the name of the class.
_ADVICE = {
    "LanguageModel": "innerjudge.load(name) loads a model, innerjudge.wrap(model, tokenizer) takes one in memory",
    "Features": "innerjudge.read(lm, items) reads them, Features.from_arrays(...) takes arrays that you have",
    "BaseJudge": "make a judge first, such as innerjudge.CLUE()",
    "TokenizersBackend": "a fast tokenizer (tokenizer.json), by whose offsets tokens are found; a slow one has none",
    "Judge": "innerjudge.Judge(judge, lm) puts a fitted judge and its model together",
}


def checked(function: _Callable) -> _Callable:
    """Refuse arguments that are not of the annotated types.

    Strings, numbers, ``None``, classes of this package, and lists, tuples and mappings of them are checked; what an
    annotation says beyond that (arrays, protocols, callables' own arguments) is left to the function.
    ``InnerjudgeError`` names the argument, what was given, what was expected and what to do.
    """

    @wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        signature, hints = _described(function)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # Python's own message says what is missing or too much
        for name, value in bound.arguments.items():
            if name in hints and not fits(value, hints[name]):
                raise InnerjudgeError(_message(_name(function), name, value, hints[name]))
        return function(*args, **kwargs)

    return inner  # type: ignore[return-value]


def checked_fields(cls: type[_Object]) -> type[_Object]:
    """:func:`checked` for the constructor of a dataclass: stands above ``@dataclass``."""
    cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]
    return cls


def require_type(value: object, expected: type, what: str) -> None:
    """Refuse an object of another class; ``what`` is the function or method that was called."""
    if not isinstance(value, expected):
        raise InnerjudgeError(_message(what, "", value, expected))


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotated type; ``True`` where the annotation says nothing that can be checked."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in args)
    if origin is Literal:
        return any(fits(value, type(one)) for one in args)  # which words there are is for the function to say
    if hint in _plain():
        return isinstance(value, _plain()[hint])
    if origin is tuple and args and args[-1] is not Ellipsis:
        return isinstance(value, list | tuple) and len(value) == len(args) and all(map(fits, value, args))
    if origin in (Sequence, list, tuple, set, frozenset, Iterable):
        return _is_series(value, origin) and all(fits(one, args[0]) for one in _entries(value))
    if origin is Mapping or origin is dict:
        return isinstance(value, Mapping) and all(fits(one, args[1]) for one in value.values())
    if _is_array(origin):
        return isinstance(value, origin)
    if origin is Callable:
        return callable(value)
    if hint is os.PathLike or (isinstance(hint, type) and issubclass(hint, os.PathLike)):
        return isinstance(value, os.PathLike)
    if isinstance(hint, type) and not getattr(hint, "_is_protocol", False) and hint is not object:
        return isinstance(value, hint)
    return True


@cache
def _plain() -> dict[Any, tuple[type, ...]]:
    """Plain types, and what counts as one of them beside itself; only who checks one waits for numpy."""
    import numpy as np

    integer, number = (int, np.integer), (int, float, np.integer, np.floating)
    return {bool: (bool, np.bool_), int: integer, float: number, str: (str,), NoneType: (NoneType,)}


def _is_array(origin: Any) -> bool:
    return getattr(origin, "__name__", "") == "ndarray"


def _is_series(value: Any, origin: Any) -> bool:
    if isinstance(value, str | bytes | Mapping):
        return False
    if origin is Iterable:
        return hasattr(value, "__iter__")
    return isinstance(value, set | frozenset) or (hasattr(value, "__getitem__") and hasattr(value, "__len__"))


def _entries(value: Any) -> Iterable[Any]:
    """Entries that can be looked at without using them up or reading files."""
    return value if isinstance(value, list | tuple | set | frozenset) else ()


@lru_cache(maxsize=1024)
def _described(function: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, Any]]:
    """Signature, and types by parameter; those that cannot be resolved (imported for types only) are left out."""
    signature = inspect.signature(function)
    hints = {}
    for name, parameter in signature.parameters.items():
        hint = parameter.annotation
        if hint is inspect.Parameter.empty or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        try:
            hints[name] = eval(hint, inspect.unwrap(function).__globals__) if isinstance(hint, str) else hint
        except (NameError, AttributeError, TypeError):
            continue
    return signature, hints


def _name(function: Callable[..., Any]) -> str:
    return function.__qualname__.removesuffix(".__init__").rpartition(">.")[2]


def _message(where: str, name: str, value: Any, hint: Any) -> str:
    shown = repr(value) if isinstance(value, str | int | float | NoneType) else ""
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    kind = type(value).__name__
    given = (f"{name}={shown} ({kind})" if shown else f"{name}, a {kind}") if name else shown and f"{shown} ({kind})"
    words = _spelled(hint)
    advice = next(
        (text for cls, text in _ADVICE.items() if cls in words.replace("[", " ").replace("]", " ").split()), ""
    )
    if hint is str and hasattr(value, "state_dict"):
        advice = "a model that is in memory is taken by innerjudge.wrap(model, tokenizer)"
    return f"{where}: given {given or f'a {kind}'}, expected {words}" + (f": {advice}" if advice else "")


def _spelled(hint: Any) -> str:
    if hint is NoneType or hint is None:
        return "None"
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return "anything"
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_spelled, args)))
    if origin is Literal:
        return " or ".join(map(repr, args))
    if origin in (Sequence, list, tuple, Iterable, set, frozenset) and args:
        if origin is tuple and args[-1] is not Ellipsis:
            return f"({', '.join(map(_spelled, args))})"
        return f"a list of {_spelled(args[0])}"
    if origin in (Mapping, dict):
        return f"a dict of {_spelled(args[1])} by {_spelled(args[0])}"
    if _is_array(origin):
        return "an array"
    return getattr(hint, "__name__", str(hint))
