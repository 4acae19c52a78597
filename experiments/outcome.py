"""What one judge said of the test items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..probes.judge import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one judge said of the test items.

    Args:
        judge: Name of the judge.
        verdicts: One a test item, in order.
        again: The same items with options permuted, or the pair shown in the other order (labels named as in the item).
        seconds_per_item: Passes that the judge needs, and its own work.
    """

    judge: str
    verdicts: Sequence[Verdict]
    again: Sequence[Verdict] | None = None
    seconds_per_item: float | None = None

    @property
    def scored(self) -> list[object | None]:
        """The scores, ``None`` where an item (in either form) has none."""
        pairs = zip(self.verdicts, self.again or self.verdicts, strict=True)
        return [None if a.unscored or b.unscored else a.score for a, b in pairs]
