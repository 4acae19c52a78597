"""What was found, as plain data: figures with intervals, tables of them, plots with the table behind, sections."""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..drawing.style import filled, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

#: Which way is good. ``"none"`` is for figures that describe: a bias is best at 0.
Good = Literal["higher", "lower", "zero", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a ``judge`` (or what else it is of) in a section (``part``), with the 95 % interval.

    ``metric`` has its condition in brackets where there is one. ``reason`` says why ``value`` or an end is ``None``,
    ``n`` what it rests on, ``unscored`` how many items it leaves out without a score (of both judges). ``p_corrected``
    is ``p`` after the correction for the number of judges; ``against`` the judge of which this is a paired difference,
    with its ``verdict``: better, worse or not told apart.
    """

    data: str
    part: str
    judge: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    unscored: int = 0
    reason: str | None = None
    p: float | None = None
    p_corrected: float | None = None
    against: str | None = None
    verdict: str | None = None
    good: Good = "higher"

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What tells it from other figures of a study."""
        return (self.data, self.part, self.judge, self.metric, self.against or "")


#: Families in the order of a report, with the words for them.
FAMILIES = {"hidden": "Hidden state", "logits": "Verdict logits", "text": "Text", "baseline": "Baseline",
            "imported": "Imported", "people": "People", "panel": "Panel", "asked": "Way of asking"}  # fmt: skip

Cell = Figure | str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table; the first column names the row. A report shows a ``folded`` one only when it is asked to.

    ``families`` has the family of the judge of each row, where rows stand under the heads of families.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    families: tuple[str, ...] = ()
    folded: bool = False

    @property
    def figures(self) -> list[Figure]:
        """The figures in it."""
        return [cell for row in self.rows for cell in row if isinstance(cell, Figure)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A plot: a file name without suffix, alternative text, what draws it, and the table behind it."""

    name: str
    heading: str
    alt: str
    draw: "Callable[[], Drawing | None]"
    behind: Grid | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the report: the question, and what was found, in words, tables and plots."""

    key: str
    title: str
    question: str
    found: tuple[str, ...] = ()
    grids: tuple[Grid, ...] = ()
    plots: tuple[Plot, ...] = ()

    @property
    def figures(self) -> list[Figure]:
        """All figures of its tables, each once."""
        grids = (*self.grids, *(plot.behind for plot in self.plots if plot.behind is not None))
        return list({f.key: f for grid in grids for f in grid.figures}.values())


_TEMPLATES = Path(__file__).parent / "report" / "templates"
#: Key of a section -> the question that it answers, where that is one for all kinds of items, else for each of them.
QUESTIONS: dict[str, str] = tomllib.loads((_TEMPLATES / "questions.toml").read_text("utf-8"))
#: Section and name of a table -> its caption and columns, of which ``*`` stands for those that are known later.
TABLES: dict[str, dict[str, Any]] = tomllib.loads((_TEMPLATES / "tables.toml").read_text("utf-8"))
#: Key of a section -> the template of what it says.
SENTENCES: dict[str, str] = tomllib.loads((_TEMPLATES / "sentences.toml").read_text("utf-8"))


def section(
    key: str, title: str, found: Iterable[str] = (), grids: Iterable[Grid] = (), plots: Iterable[Plot | None] = (), *,
    asks: str | None = None, **known: object
) -> Section:  # fmt: skip
    """A section with the question ``asks``, or that of its key; empty sentences, tables and plots are left out.

    ``known`` fills in names of the question.
    """
    return Section(
        key=key,
        title=title,
        question=QUESTIONS[asks or key].format(**known),
        found=tuple(filter(None, found)),
        grids=tuple(one for one in grids if one.rows),
        plots=tuple(one for one in plots if one is not None),
    )


def grid(
    key: str, rows: Sequence[Sequence[Cell]], more: Iterable[str] = (), *, families: Mapping[str, str] | None = None,
    folded: bool = False, **known: object
) -> Grid:  # fmt: skip
    """A table of :data:`TABLES` from lists; rows that hold nothing but their name, and empty columns, are left out.

    ``more`` are the columns that ``*`` stands for, ``known`` fills in names. With ``families`` (judge -> family), rows
    are put under the heads of their families.
    """
    about = TABLES[key]
    columns = [n for c in about["columns"] for n in (more if c == "*" else [c.format(**known)])]
    kept = [row for row in rows if any(cell is not None for cell in row[1:])]
    used = [k for k in range(len(columns)) if k == 0 or any(row[k] is not None for row in kept)]
    if families is not None:
        kept.sort(key=lambda row: family_rank(families.get(str(row[0]), "")))
    return Grid(
        caption=about["caption"].format(**known),
        columns=tuple(columns[k] for k in used),
        rows=tuple(tuple(row[k] for k in used) for row in kept),
        families=() if families is None else tuple(families.get(str(row[0]), "") for row in kept),
        folded=folded,
    )


def family_rank(family: str) -> int:
    """Place of a family in a report; unknown ones come last."""
    return list(FAMILIES).index(family) if family in FAMILIES else len(FAMILIES)


def spelt(figure: Figure, *, sign: bool = False) -> str:
    """A figure in a sentence: value and interval."""
    ends = "" if figure.low is None else f" [{number(figure.low)}, {number(figure.high)}]"
    return number(figure.value, sign=sign) + ends


def worded(key: str, **known: Any) -> list[str]:
    """What a section says of what is ``known``: the template of its key in :data:`SENTENCES`, a sentence a line."""
    page = filled(SENTENCES[key], known, spelt=spelt, signed=partial(spelt, sign=True))
    return [line for line in page.split("\n") if line.strip()]


def split_of_auroc(pooled: float, within: float | None, between: float | None, share: float) -> str:
    """What a pooled AUROC is made of, as a sentence; the arguments are what ``decomposition`` returns."""
    return (
        f"Pooled AUROC {pooled:.3f} = {share:.3f} x pairs won within questions {number(within, decimals=3)} + "
        f"{1 - share:.3f} x between {number(between, decimals=3)}: "
        f"{100 * (1 - share):.0f}\u00a0% of the pairs are between questions."
    )
