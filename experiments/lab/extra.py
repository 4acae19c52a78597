"""Libraries of the extra ``[lab]``, which the core does without."""

from __future__ import annotations

from typing import Any

from ..extra import require as require_of


def require(module: str) -> Any:
    """The module, or an error that says how to install it.

    Raises:
        InnerjudgeError: If it is not installed.

    Example:
        >>> require("krippendorff").__name__
        'krippendorff'
    """
    return require_of(module, "lab")
