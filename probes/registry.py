"""The judges that can be saved, loaded and put on a panel: those of this package and of others.

A class of another package is known once it is given to :func:`register_judge`, or its package is installed with an
entry point in the group ``innerjudge.judges``. A name in a file is looked up here, never imported.
"""

import warnings
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from inspect import isabstract
from types import MappingProxyType
from typing import Any, TypeVar

from ..models.errors import InnerjudgeError, one_line
from .description import PRESETS
from .judge import BaseJudge

#: Entry points of other packages: ``my-judge = my_package.my_module:MyJudge``.
GROUP = "innerjudge.judges"

_Judge = TypeVar("_Judge", bound=type[BaseJudge])
_theirs: dict[str, type[BaseJudge]] = {}


@cache
def _ours() -> dict[str, type[BaseJudge]]:
    """The judges of this package, in the order of reports."""
    package = import_module(__package__)  # which imports this module
    return {name: getattr(package, name) for name in PRESETS["judges"]}


def register_judge(judge: _Judge) -> _Judge:
    """Register a judge class by its name, so that it is saved, loaded, compared and served like those of this package.

    Use it as a decorator for a class in a script or notebook; an earlier class of the same name and module is replaced,
    as when a cell is run again. An installed package names its classes in the entry point group ``innerjudge.judges``
    instead, and need not be imported.

    Raises:
        InnerjudgeError: If it is not a subclass of BaseJudge, has abstract methods left, or its name is taken.

    Example:
        >>> from innerjudge import BaseJudge, register_judge
        >>> @register_judge
        ... class LastLogProb(BaseJudge):
        ...     needs = ("logprob",)
        ...     def _scores(self, features):
        ...         return features["logprob"][:, 0].astype(float)
        ...     def _labels(self, scores, features):
        ...         return [None] * len(scores)
        >>> "LastLogProb" in registered_judges()
        True
    """
    if not (isinstance(judge, type) and issubclass(judge, BaseJudge)) or isabstract(judge):
        raise InnerjudgeError.of("probes.no-judge", judge)
    name = judge.__name__
    known = _ours().get(name) or _theirs.get(name)
    if known is not None and known.__module__ != judge.__module__:
        raise InnerjudgeError.of("probes.name-taken", name, judge.__module__, known.__module__)
    if name not in _ours():
        _theirs[name] = judge
    return judge


def registered_judges() -> Mapping[str, type[BaseJudge]]:
    """All known judge classes by name: those of this package, and then those of others."""
    _load_installed()
    return MappingProxyType(_ours() | _theirs)


def origin_of(judge: type[BaseJudge]) -> dict[str, Any] | None:
    """Where a class of another package comes from, for the message if it is missing; ``None`` for our own."""
    if _ours().get(judge.__name__) is judge:
        return None
    own = f"{judge.__module__}."
    named = (p for p in entry_points(group=GROUP) if p.attr == judge.__name__ and own.startswith(f"{p.module}."))
    found = next(named, None)
    package = None if found is None or found.dist is None else f"{found.dist.name}=={found.dist.version}"
    return {"module": judge.__module__, "package": package}


def how_to_get(name: object, origin: object) -> str:
    """What to install or import, so that a class that a saved judge names is known here."""
    given = origin if isinstance(origin, Mapping) else {}
    if given.get("package"):
        return f"install its package (pip install '{given['package']}')"
    if given.get("module"):
        return f"import the module that defines it ({given['module']}) and call register_judge({name}) first"
    return "call register_judge with its class first, or fit it again with this version"


@cache
def _load_installed() -> None:
    for point in entry_points(group=GROUP):
        try:
            register_judge(point.load())
        except Exception as error:
            warnings.warn(
                f"the judge {point.name!r} ({point.value}) of an installed package is left out, since it cannot be "
                f"imported ({type(error).__name__}: {one_line(error)}): mend or uninstall that package",
                stacklevel=2,
            )
