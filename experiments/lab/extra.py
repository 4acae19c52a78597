"""Libraries of the extras, which the core does without."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...models.errors import InnerjudgeError


def require(module: str, extra: str = "lab") -> Any:
    """The module, or an error that says how to install it.

    Args:
        module: Its name.
        extra: The extra that it comes with.

    Raises:
        InnerjudgeError: If it is not installed.

    Example:
        >>> require("krippendorff").__name__
        'krippendorff'
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InnerjudgeError(
            f"given an installation without {module} ({error}), expected the extra {extra!r}: "
            f'pip install "innerjudge[{extra}]"'
        ) from None
