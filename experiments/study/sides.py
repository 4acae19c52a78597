"""The three sides of a study's data: to fit on, to calibrate on, to report on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...models.errors import InnerjudgeError
from ..data.splits import Index, split_by_group
from .spec import Splits

#: Fewest questions that a data set must have on each side.
FEWEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Rows of the items to fit on, to calibrate on and to report on: no question is on two sides."""

    fit: Index
    calibrate: Index
    test: Index


def split(groups: Sequence[str], share: Splits, *, seed: int, name: str) -> Sides:
    """Split by question: the shares of the study, at least two questions to report on.

    Args:
        groups: Question of each item.
        share: Shares of the questions on either of the first two sides.
        seed: Of the draw.
        name: Of the data, for the message.

    Raises:
        InnerjudgeError: With fewer than four questions.

    Example:
        >>> sides = split(list("aabbccddee"), Splits(), seed=0, name="d")
        >>> len(sides.fit), len(sides.calibrate), len(sides.test)
        (4, 2, 4)
    """
    if len(set(groups)) < 2 + FEWEST:
        raise InnerjudgeError(
            f"{name}: given {len(set(groups))} questions, expected at least {2 + FEWEST} to fit, calibrate "
            "and report on: raise limit"
        )
    fit, rest = split_by_group(groups, train_fraction=share.fit, seed=seed)
    left = [groups[k] for k in rest]
    one, two = split_by_group(left, train_fraction=share.calibrate / (1 - share.fit), seed=seed + 1)
    return Sides(fit=fit, calibrate=rest[one], test=rest[two])
