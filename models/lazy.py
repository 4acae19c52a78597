"""Names of a package that are imported when they are first asked for, so that importing the package stays quick."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """``__getattr__`` of a package: name -> module, relative to the package, that holds it.

    Example:
        >>> find = lazy_names("innerjudge.models", {"InnerjudgeError": ".errors"})
        >>> find("InnerjudgeError").__name__
        'InnerjudgeError'
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name], package), name)

    return find
