"""What judges said about the test items of one data set, and by-products: curves, maps of heads, notes, costs."""

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
    """What one judge said of the test items, in order, and its cost per item (passes that it needs, own work).

    ``again``: with options permuted, or the pair shown in the other order (labels named as in the item); ``None`` where
    an item was not asked again. ``random``: what the same judge says of random projections of the question's state.
    """

    judge: str
    verdicts: Sequence[Verdict]
    again: Sequence[Verdict | None] | None = None
    random: Sequence[Verdict] | None = None
    seconds_per_item: float | None = None
    border: float | None = None
    cost: Cost | None = None


def moved_back(verdict: Verdict, order: tuple[int, ...]) -> Verdict:
    """The label of a permuted question as an index into its options as given; abstaining keeps its place."""
    label = verdict.label
    return replace(verdict, label=order[label]) if isinstance(label, int) and label < len(order) else verdict


@dataclass(frozen=True, slots=True)
class Byproducts:
    """What is kept beside the verdicts: ``notes`` of what the judges chose, curves over blocks, maps of heads.

    By judge, ``seconds`` are those of an item, on the machine on which it was asked, ``cost`` has the prompts and
    tokens of an item, ``borders`` what a step must score to count as right.
    """

    notes: list[str]
    curves: list[Curve]
    maps: list[HeadMap]
    seconds: dict[str, float | None]
    cost: dict[str, dict[str, float]]
    borders: dict[str, float]
