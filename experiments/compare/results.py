"""What judges said of the test items of one data set, and the curves and maps that came with it, as plain data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...probes.judge import Verdict
from ..reading.cost import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a plot: ``y`` over ``x``, with an interval where there is one."""

    label: str
    x: tuple[int, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] | None = None
    high: tuple[float | None, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadMap:
    """A figure for every head, ``values[l][h]`` for block ``l + 1``; ``chosen`` holds (block from 1, head from 0)."""

    label: str
    metric: str
    values: tuple[tuple[float, ...], ...]
    chosen: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one judge said of the test items.

    Args:
        judge: Name of the judge.
        verdicts: One a test item, in order.
        again: The same items with options permuted, or the pair shown in the other order (labels named as in the
            item); ``None`` where an item was not asked again.
        seconds_per_item: Passes that the judge needs, and its own work.
        cost: Prompts and tokens an item.
    """

    judge: str
    verdicts: Sequence[Verdict]
    again: Sequence[Verdict | None] | None = None
    seconds_per_item: float | None = None
    cost: Cost | None = None


def moved_back(verdict: Verdict, order: tuple[int, ...]) -> Verdict:
    """The label of a permuted question as an index into its options as given; abstaining keeps its place.

    Example:
        >>> moved_back(Verdict("c", label=0), (2, 0, 1)).label
        2
    """
    label = verdict.label
    return replace(verdict, label=order[label]) if isinstance(label, int) and label < len(order) else verdict
