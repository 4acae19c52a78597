"""What a comparison or a study found, data set by data set, why items are unscored, and what its files hold."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from ..data.verdict_table import Row
from .figures import Figure, Section
from .report.browse import ShownItem

#: A text in quotes, as ``repr`` writes it; an apostrophe within a word opens none.
_QUOTED = re.compile(r"""(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?!\w)""")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why items were left unscored: ``items`` of them by each of the ``judges``.

    ``example`` is the reason of the first; ``similar`` other wordings differ in numbers and quoted texts only.
    """

    example: str
    similar: int
    items: int
    judges: tuple[str, ...]


def unscored_reasons(rows: Iterable[Row]) -> tuple[Reason, ...]:
    """Why items were left unscored, counted from the verdicts; an item in both of its forms counts once.

    Reasons that differ only in numbers, or in what they quote of an item, count as one.
    """
    said = dict.fromkeys((row.judge, row.item, row.unscored) for row in rows if row.unscored)
    made = reasons((judge, str(why)) for judge, _, why in said)
    return tuple(sorted(made, key=lambda one: -one.items * len(one.judges)))


def reasons(lacks: Iterable[tuple[str, str]]) -> list[Reason]:
    """Reasons of what lacks what (a judge, a readout), one entry an item, counted without numbers and quoted texts."""
    counts: dict[str, Counter[str]] = {}
    wordings: dict[str, set[str]] = {}
    first: dict[tuple[str, str], str] = {}
    for name, why in lacks:
        shape = shape_of(why)
        counts.setdefault(name, Counter())[shape] += 1
        wordings.setdefault(shape, set()).add(why)
        first.setdefault((name, shape), why)
    alike: dict[tuple[str, int], list[str]] = {}
    for name, found in counts.items():
        for shape, items in found.items():
            alike.setdefault((shape, items), []).append(name)
    return [
        Reason(first[names[0], shape], len(wordings[shape]) - 1, items, tuple(names))
        for (shape, items), names in alike.items()
    ]


def shape_of(reason: str) -> str:
    """A reason without its numbers and quoted texts: the same for all that differ in these only."""
    return re.sub(r"\d+", "0", _QUOTED.sub("'...'", reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """What was found on one data set: ``counts`` of items by side, judge -> family in the order of the report.

    ``summary`` is what a reader should take away, ``notes`` what was chosen and left out, ``cost`` prompts and tokens
    an item by judge, ``items`` those that can be read in the report. No report shows the ``seconds`` an item: they
    differ from run to run.
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
    items: tuple[ShownItem, ...] = ()


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
        return {name: getattr(self, name) for name in ("name", "command", "spec", "versions", "model")} | {
            "summary": {part.name: list(part.summary) for part in self.parts},
            "figures": [asdict(figure) for figure in self.figures],
            "cost_per_item": {part.name: part.cost for part in self.parts},
        }
