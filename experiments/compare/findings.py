"""What a comparison or a study found, data set by data set, and the objects that its files hold."""

from dataclasses import dataclass, field
from typing import Any

from .figures import Figure, Section
from .reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """What was found on one data set.

    Args:
        name: Name of the data set.
        kind: Kind of its items.
        counts: How many items there are, and on which side.
        families: Judge -> family, in the order of the report.
        summary: What a reader should take away.
        sections: What was asked, and found.
        notes: What was chosen and left out.
        unscored: Why items are unscored.
        seconds: Judge -> seconds an item. No report shows them: they differ from run to run.
        cost: Judge -> prompts and tokens an item.
    """

    name: str
    kind: str
    counts: dict[str, int]
    families: dict[str, str]
    summary: tuple[str, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()
    unscored: tuple[Reason, ...] = ()
    seconds: dict[str, float | None] = field(default_factory=dict)
    cost: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a comparison or a study found, and how it was made.

    ``seconds`` are those of its stages; no report shows them, since they differ from run to run. ``how_to_read`` takes
    the place of what every comparison says about its figures.
    """

    name: str
    command: str
    spec: dict[str, Any]
    versions: dict[str, str]
    model: dict[str, Any]
    parts: tuple[DataReport, ...]
    across: tuple[Section, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    how_to_read: tuple[str, ...] = ()

    @property
    def sections(self) -> list[Section]:
        """All sections."""
        return [*(s for part in self.parts for s in part.sections), *self.across]

    @property
    def figures(self) -> list[Figure]:
        """All figures."""
        return [figure for section in self.sections for figure in section.figures]

    def results_json(self) -> dict[str, Any]:
        """The object of ``results.json``."""
        return {
            "name": self.name,
            "command": self.command,
            "spec": self.spec,
            "versions": self.versions,
            "model": self.model,
            "summary": {part.name: list(part.summary) for part in self.parts},
            "figures": [figure.to_json() for figure in self.figures],
            "cost_per_item": {part.name: part.cost for part in self.parts},
        }

    def timings_json(self) -> dict[str, Any]:
        """The object of ``timings.json``, which alone differs between two runs of one thing."""
        judges = {part.name: part.seconds for part in self.parts}
        return {"seconds": self.seconds, "seconds_per_item": judges}
