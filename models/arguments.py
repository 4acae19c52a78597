"""Arguments of public functions are checked against their annotations before anything is run."""

import inspect
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache, partial, wraps
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import numpy as np

from .errors import InnerjudgeError


class UnknownArgumentError(InnerjudgeError, TypeError):
    """The function has no argument of that name; it is a ``TypeError`` too."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a number must be beside its type: in words, and as a test."""

    words: str
    holds: Callable[[Any], bool]


#: Types of numbers with their bounds, for annotations: :func:`checked` refuses others.
Count = Annotated[int, Bound("at least 1", lambda n: n >= 1)]
Share = Annotated[float, Bound("a share from 0 to 1", lambda x: 0 <= x <= 1)]
PositiveShare = Annotated[float, Bound("a share above 0, at most 1", lambda x: 0 < x <= 1)]
Within = Annotated[float, Bound("a share above 0 and below 1", lambda x: 0 < x < 1)]
Positive = Annotated[float, Bound("a finite number above 0", lambda x: 0 < x < np.inf)]
NotNegative = Annotated[float, Bound("at least 0", lambda x: x >= 0)]

_Object = TypeVar("_Object")
_Callable = TypeVar("_Callable", bound=Callable[..., Any])
_SAID = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
#: What to do where an object of a class was expected, by the name of the class.
_ADVICE: dict[str, str] = _SAID["advice"]
#: What to type for an argument that a function does not have, by its name.
_INSTEAD: dict[str, str] = _SAID["instead"]
#: Plain types, and what counts as one of them beside itself.
_PLAIN: dict[Any, tuple[type, ...]] = {
    bool: (bool, np.bool_),
    int: (int, np.integer),
    float: (int, float, np.integer, np.floating),
    str: (str,),
    NoneType: (NoneType,),
}


def checked(function: _Callable, *, words: bool = False) -> _Callable:
    """Refuse arguments that are not of the annotated types.

    Strings, numbers, ``None``, classes of this package, and lists, tuples and mappings of them are checked; anything
    else (arrays, protocols, the arguments of callables) is left to the function, and so is which words of a ``Literal``
    there are, unless ``words`` is true. ``InnerjudgeError`` names the argument, what was given, what was expected and
    what to do.
    """

    @wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        signature, hints = _described(function)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            _require_known(function, signature, kwargs)
            return function(*args, **kwargs)  # Python's own message says what is missing or too much
        for name, value in bound.arguments.items():
            if name in hints and not fits(value, hints[name], words):
                raise InnerjudgeError(_message(_name(function), name, value, hints[name]))
        return function(*args, **kwargs)

    return inner  # type: ignore[return-value]


def named(function: _Callable) -> _Callable:
    """Refuse names of arguments that the function does not have, and say what to type instead.

    :func:`checked` does so as well.
    """

    @wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        _require_known(function, inspect.signature(function), kwargs)
        return function(*args, **kwargs)

    return inner  # type: ignore[return-value]


def _require_known(function: Callable[..., Any], signature: inspect.Signature, given: Mapping[str, Any]) -> None:
    if any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values()):
        return
    odd = next((name for name in given if name not in signature.parameters), None)
    if odd is not None:
        known = [name for name in signature.parameters if name not in ("self", "cls")]
        close = get_close_matches(odd, known, 1)
        advice = _INSTEAD.get(odd) or (f"did you mean {close[0]}?" if close else "leave it out")
        raise UnknownArgumentError(
            f"{_name(function)}: given {odd}=..., expected {', '.join(known) or 'no arguments'}: {advice}"
        )


def checked_fields(cls: type[_Object]) -> type[_Object]:
    """:func:`checked`, words included, for the constructor of a dataclass: write it above ``@dataclass``."""
    cls.__init__ = checked(cls.__init__, words=True)  # type: ignore[method-assign]
    return cls


def require_type(value: object, expected: type, what: str) -> None:
    """Refuse an object of another class; ``what`` is the function or method that was called."""
    if not isinstance(value, expected):
        raise InnerjudgeError(_message(what, "", value, expected))


def fits(value: Any, hint: Any, words: bool = False) -> bool:
    """Whether a value is of an annotated type; ``True`` where the annotation says nothing that can be checked."""
    origin, args, fit = get_origin(hint), get_args(hint), partial(fits, words=words)
    if hint is Any:
        return True
    if origin is Annotated:
        return fit(value, args[0]) and args[1].holds(value)
    if origin in (Union, UnionType):
        return any(fit(value, one) for one in args)
    if origin is Literal:
        return any(fits(value, type(one)) and (value == one or not words) for one in args)
    if hint in _PLAIN:
        return isinstance(value, _PLAIN[hint])
    if origin is tuple and args and args[-1] is not Ellipsis:
        return isinstance(value, list | tuple) and len(value) == len(args) and all(map(fit, value, args))
    if origin in (Sequence, list, tuple, set, frozenset, Iterable):
        inner = value if isinstance(value, list | tuple | set | frozenset) else ()  # others are used up, or read files
        return _is_series(value, origin) and all(fit(one, args[0]) for one in inner)
    if origin is Mapping or origin is dict:
        return isinstance(value, Mapping) and all(fit(one, args[1]) for one in value.values())
    if origin is np.ndarray:
        return isinstance(value, np.ndarray)
    if origin is Callable:
        return callable(value)
    if hint is os.PathLike or (isinstance(hint, type) and issubclass(hint, os.PathLike)):
        return isinstance(value, os.PathLike)
    if isinstance(hint, type) and not getattr(hint, "_is_protocol", False) and hint is not object:
        return isinstance(value, hint)
    return True


def _is_series(value: Any, origin: Any) -> bool:
    if isinstance(value, str | bytes | Mapping):
        return False
    if origin is Iterable:
        return hasattr(value, "__iter__")
    return hasattr(value, "__len__") and (hasattr(value, "__getitem__") or isinstance(value, set | frozenset))


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
    if origin is Annotated:
        return f"{args[1].words} ({_spelled(args[0])})"
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
    if origin is np.ndarray:
        return "an array"
    return getattr(hint, "__name__", str(hint))
