"""What judges said about the test items of one data set, and by-products: curves, maps of heads, notes, costs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from ...probes.judge import Verdict
from ..reading.cost import Cost
from .steps import StepStore


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
    cost: Cost | None = None


def moved_back(verdict: Verdict, order: tuple[int, ...]) -> Verdict:
    """The label of a permuted question as an index into its options as given; abstaining keeps its place."""
    label = verdict.label
    return replace(verdict, label=order[label]) if isinstance(label, int) and label < len(order) else verdict


@dataclass
class Byproducts:
    """What is kept in ``store`` beside the verdicts on the data set ``name``, under what those depend on."""

    store: StepStore
    name: str
    depends: Any
    _loose: dict[str, Any] = field(default_factory=dict)

    def keep(
        self, notes: Sequence[str], curves: Sequence[Curve], maps: Sequence[HeadMap], outcomes: Sequence[Outcome]
    ) -> None:
        """Keep them. Call this before the verdicts are written, so that no verdicts are there without them."""
        made = {"notes": list(notes), "curves": [asdict(one) for one in curves], "maps": [asdict(one) for one in maps]}
        made["seconds"] = {one.judge: one.seconds_per_item for one in outcomes}
        made["cost"] = {one.judge: asdict(one.cost) for one in outcomes if one.cost is not None}
        self._kept(made)

    @property
    def step(self) -> str:
        """Name of their step."""
        return f"beside-{self.name}"

    def notes(self) -> list[str]:
        """What the judges chose."""
        return list(map(str, self._kept()["notes"]))

    def curves(self) -> list[Curve]:
        """Curves over blocks."""
        return TypeAdapter(list[Curve]).validate_python(self._kept()["curves"])

    def maps(self) -> list[HeadMap]:
        """Maps of heads."""
        return TypeAdapter(list[HeadMap]).validate_python(self._kept()["maps"])

    def seconds(self) -> dict[str, float | None]:
        """Seconds an item of every judge, on the machine on which it was asked."""
        return dict(self._kept()["seconds"])

    def cost(self) -> dict[str, dict[str, float]]:
        """Prompts and tokens an item of every judge."""
        told = self._kept()["cost"].items()
        return {judge: {name: one[name] for name in ("prompts", "tokens")} for judge, one in told}

    def _kept(self, made: dict[str, Any] | None = None) -> dict[str, Any]:
        if self.store.folder is None:  # it keeps nothing, and they are asked for once more
            self._loose |= made or {}
            return self._loose
        return self.store.records(self.step, self.depends, lambda: [made or {}])[0]
