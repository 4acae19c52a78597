"""Libraries that the core does not need: each comes with an extra, and is imported where it is used."""

from importlib import import_module, metadata
from typing import Any

from packaging.requirements import Requirement

from .errors import InnerjudgeError


def require(module: str, extra: str) -> Any:
    """The module, in a version that the extra allows, or an error that says how to install it.

    Args:
        module: Name of the module.
        extra: Extra of innerjudge that brings it.

    Raises:
        InnerjudgeError: If it is not installed, or a library of the extra is older than needed.

    Example:
        >>> require("yaml", "lab").__name__
        'yaml'
    """
    wanted = _libraries(extra)
    expected = f'expected {" and ".join(map(_spelt, wanted)) or module}: pip install "innerjudge[{extra}]"'
    try:
        found = import_module(module)
    except ImportError as error:
        raise InnerjudgeError(f"given an installation without {module} ({error}), {expected}") from None
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


def _spelt(library: Requirement) -> str:
    return f"{library.name}{library.specifier}"
