"""Libraries and names that are imported where they are used: extras of innerjudge, and lazy packages."""

from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from typing import Any

from packaging.requirements import Requirement

from .errors import InnerjudgeError, one_line


def require(module: str, extra: str) -> Any:
    """The module, in a version that the ``extra`` of innerjudge allows, or an error that says how to install it."""
    wanted = _libraries(extra)
    named = " and ".join(f"{one.name}{one.specifier}" for one in wanted)
    expected = f'expected {named or module}: pip install "innerjudge[{extra}]"'
    try:
        found = import_module(module)
    except ImportError as error:
        raise InnerjudgeError(f"given an installation without {module} ({one_line(error)}), {expected}") from None
    for library in wanted:
        try:
            version = metadata.version(library.name)
        except metadata.PackageNotFoundError:
            raise InnerjudgeError(f"given an installation without {library.name}, {expected}") from None
        if not library.specifier.contains(version, prereleases=True):
            raise InnerjudgeError(f"given {library.name} {version}, {expected}")
    return found


def _libraries(extra: str) -> list[Requirement]:
    """What an extra brings, as pyproject.toml says; nothing where innerjudge was not installed."""
    try:
        named = [Requirement(one) for one in metadata.requires("innerjudge") or ()]
    except metadata.PackageNotFoundError:
        return []
    own = [one for one in named if one.marker and one.marker.evaluate({"extra": extra})]
    return [one for one in own if one.marker and not one.marker.evaluate({"extra": ""}) and one.name != "innerjudge"]


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """``__getattr__`` of a package whose names are imported on first use: name -> module that holds it."""

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name], package), name)

    return find
