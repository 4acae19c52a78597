"""Libraries and names that are imported where they are used: extras of innerjudge, and lazy packages."""

import ast
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module, metadata
from typing import Any

from packaging.requirements import Requirement

from .errors import InnerjudgeError, one_line


@cache
def _wanted(extra: str) -> list[Requirement]:
    """What the ``extra`` of innerjudge brings, as pyproject.toml says: with its marker alone, and not innerjudge."""
    every = [Requirement(one) for one in metadata.requires("innerjudge") or ()]
    own = [one for one in every if one.marker and one.marker.evaluate({"extra": extra}) and one.name != "innerjudge"]
    return [one for one in own if one.marker and not one.marker.evaluate({"extra": ""})]


def require(module: str, extra: str) -> Any:
    """The module, in a version that the ``extra`` of innerjudge allows, or an error that says how to install it."""
    try:
        wanted = _wanted(extra)
    except metadata.PackageNotFoundError:  # innerjudge was not installed
        wanted = []
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


def lazy_names(package: str) -> tuple[list[str], Callable[[str], Any]]:
    """``__all__`` and ``__getattr__`` of a package, which imports on first use what it imports for type checkers.

    Public names are those under its ``if TYPE_CHECKING:``, as ``import NAME as NAME`` or ``NAME = OTHER``.
    """
    loader: Any = sys.modules[package].__loader__
    source = loader.get_source(package)
    if source is None:
        raise ImportError(f"{package} was installed without its source, which says what it offers: install it with it")
    blocks = (node for node in ast.parse(source).body if isinstance(node, ast.If))
    block = next(node for node in blocks if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING")
    homes: dict[str, tuple[str, str]] = {}
    public: list[str] = []
    for one in block.body:
        match one:
            case ast.ImportFrom():
                module = "." * one.level + (one.module or "")
                homes |= {alias.asname or alias.name: (module, alias.name) for alias in one.names}
                public += [alias.name for alias in one.names if alias.name == alias.asname]
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=other)):
                homes[name] = homes[other]
                public.append(name)

    def find(name: str) -> Any:
        if name not in public:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, inner = homes[name]
        found = import_module(module, package)
        return getattr(found, inner) if hasattr(found, inner) else import_module(f"{module}.{inner}", package)

    return sorted(public), find
