"""The sides of a data set's questions: to fit on, to calibrate on, to report on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...models.errors import InnerjudgeError
from ..data.splits import Index, split_by_group
from .settings import Settings

#: Fewest questions of a data set that is also calibrated on.
FEWEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Rows of the items to fit on, to calibrate on and to report on: no question is on two sides."""

    fit: Index
    calibrate: Index
    test: Index


def split(groups: Sequence[str], settings: Settings, *, name: str) -> Sides:
    """Split by question, in two where nothing is calibrated, else in three with at least two questions to report on.

    Args:
        groups: Question of each item.
        settings: Shares of the questions, and the seed of the draw.
        name: Of the data, for the message.

    Raises:
        InnerjudgeError: With fewer than two questions, or four where scores are calibrated.

    Example:
        >>> sides = split(list("aabbccddee"), Settings(fit=0.4, calibrate=0.2), name="d")
        >>> len(sides.fit), len(sides.calibrate), len(sides.test)
        (4, 2, 4)
    """
    if settings.calibrate and len(set(groups)) < FEWEST:
        raise InnerjudgeError(
            f"{name}: given {len(set(groups))} questions, expected at least {FEWEST} to fit, calibrate and report on: "
            "raise limit"
        )
    seed = settings.seeds.split
    fit, rest = split_by_group(groups, train_fraction=settings.fit, seed=seed)
    if not settings.calibrate:
        return Sides(fit=fit, calibrate=np.array([], dtype=np.intp), test=rest)
    left = [groups[k] for k in rest]
    one, two = split_by_group(left, train_fraction=settings.calibrate / (1 - settings.fit), seed=seed + 1)
    return Sides(fit=fit, calibrate=rest[one], test=rest[two])
