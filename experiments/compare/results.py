"""What a comparison found, as plain data: read by the report, the plots and the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ...probes.judge import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One figure: a judge, a metric, its value with a 95 % interval, and what it rests on.

    ``value`` is ``None`` where the metric is not defined (``reason`` says why). ``metric`` ends in ``_minus_text`` for
    the paired difference to the text judge on the items that both scored.
    """

    data: str
    judge: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    unscored: int
    seconds_per_item: float | None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


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
class Comparison:
    """Judges compared on one data set.

    Args:
        data: The data as given, such as ``"builtin:solve"``.
        kind: ``"trace"``, ``"rating"``, ``"choice"`` or ``"pair"``.
        n_items: Items read.
        n_fit: Items of the questions that judges were fitted and heads chosen on.
        n_test: Items that every figure is reported on; no question is on both sides.
        judges: Names in the order of the report, with a family each: ``"hidden"``, ``"logits"``, ``"text"`` or
            ``"baseline"``.
        headline: The metrics shown in the short table, most important first.
        rows: All figures.
        verdicts: Rows of ``verdicts.jsonl``: ids of the item, ``data``, ``judge``, ``score``, ``label``, ``unscored``,
            ``truth``.
        by_block: Curves over blocks, ``x`` from 0 (the embedding row) or 1 to L, with their metric.
        head_maps: Layer-by-head maps.
        by_candidates: Accuracy against the number of candidates.
        notes: Sentences for the reader: what was chosen, what could not be scored and why.
    """

    data: str
    kind: str
    n_items: int
    n_fit: int
    n_test: int
    judges: dict[str, str]
    headline: tuple[str, ...]
    rows: tuple[ResultRow, ...]
    verdicts: tuple[dict[str, Any], ...]
    by_block: tuple[Curve, ...] = ()
    by_block_metric: str = ""
    head_maps: tuple[HeadMap, ...] = ()
    by_candidates: tuple[Curve, ...] = ()
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One call of the main job."""

    command: str
    seed: int
    versions: dict[str, str]
    model: dict[str, Any]
    comparisons: tuple[Comparison, ...]

    def results_json(self) -> dict[str, Any]:
        """The object written to ``results.json``; ``data`` is a list where several data sets were compared."""
        data = [c.data for c in self.comparisons]
        return {
            "command": self.command,
            "seed": self.seed,
            "versions": self.versions,
            "model": self.model,
            "data": data[0] if len(data) == 1 else data,
            "rows": [row.to_json() for c in self.comparisons for row in c.rows],
        }


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
