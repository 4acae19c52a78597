"""What judging yields besides verdicts: notes, curves over blocks, maps of heads, costs; kept as the verdicts are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar, cast

from .results import Curve, HeadMap, Outcome
from .steps import StepStore

_Made = TypeVar("_Made", Curve, HeadMap)


@dataclass
class Byproducts:
    """What is kept beside the verdicts on one data set.

    Args:
        store: Where.
        name: Name of the data set.
        depends: What the verdicts depend on.
    """

    store: StepStore
    name: str
    depends: Any
    _loose: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def keep(
        self, notes: Sequence[str], curves: Sequence[Curve], maps: Sequence[HeadMap], outcomes: Sequence[Outcome]
    ) -> None:
        """Keep them; to be called before the verdicts are written, so that they are there where those are."""
        self._records("notes", [{"note": note} for note in notes])
        self._records("curves", [asdict(curve) for curve in curves])
        self._records("maps", [asdict(one) for one in maps])
        self._records("seconds", [{"judge": one.judge, "seconds": one.seconds_per_item} for one in outcomes])
        self._records("cost", [{"judge": o.judge} | asdict(o.cost) for o in outcomes if o.cost is not None])

    def notes(self) -> list[str]:
        """What the judges chose."""
        return [str(one["note"]) for one in self._records("notes")]

    def curves(self) -> list[Curve]:
        """Curves over blocks."""
        return [_revived(Curve, one) for one in self._records("curves")]

    def maps(self) -> list[HeadMap]:
        """Maps of heads."""
        return [_revived(HeadMap, one) for one in self._records("maps")]

    def seconds(self) -> dict[str, float | None]:
        """Seconds an item of every judge, on the machine on which it was asked."""
        return {str(one["judge"]): one["seconds"] for one in self._records("seconds")}

    def cost(self) -> dict[str, dict[str, float]]:
        """Prompts and tokens an item of every judge."""
        return {str(o["judge"]): {name: o[name] for name in ("prompts", "tokens")} for o in self._records("cost")}

    def _records(self, what: str, made: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
        if self.store.folder is None:  # it keeps nothing, and they are asked for once more
            return self._loose.setdefault(what, list(made))
        return self.store.records(f"{what}-{self.name}", self.depends, lambda: list(made))


def _revived(what: type[_Made], values: dict[str, Any]) -> _Made:
    """A curve or map from plain data, in which tuples are lists."""

    def frozen(value: Any) -> Any:
        return tuple(map(frozen, value)) if isinstance(value, list) else value

    return what(**cast(Any, {name: frozen(value) for name, value in values.items()}))
