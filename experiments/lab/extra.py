"""Libraries of the extra ``[lab]``, which the core does without."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...models.errors import InnerjudgeError


def require(module: str) -> Any:
    """The module, or an error that says how to install it.

    Raises:
        InnerjudgeError: If it is not installed.

    Example:
        >>> require("pydantic").__name__
        'pydantic'
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InnerjudgeError(
            f"given an installation without {module} ({error}), expected the extra for studies: "
            'pip install "innerjudge[lab]"'
        ) from None
