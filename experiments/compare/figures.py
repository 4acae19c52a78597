"""What was found, as plain data: figures with intervals, tables of them, plots with the table behind, sections."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..drawing.style import number

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
        every = [
            f for grid in (*self.grids, *(p.behind for p in self.plots if p.behind is not None)) for f in grid.figures
        ]
        return list({f.key: f for f in every}.values())


#: Key of a section -> the question that it answers, where that is one for all kinds of items.
QUESTIONS = {
    "verdict": "Do the scores say more of the labels than something cheap does?",
    "choosing": "Is it worth anything where one of several answers is to be taken?",
    "checks": "Do labels leak, or stand on both sides of a split?",
    "opponents": "Would something that does not read the model's states have done as well?",
    "scores": "How far apart are the scores of right and wrong items, or of low and high grades?",
    "confounds": "How much of a judge's figure comes from knowing which question is hard, or which answer is long?",
    "candidates": "How often is the picked answer right, and how much is there to gain?",
    "blocks": "At which block of the model can the verdict be read?",
    "agreement": "How far do verdicts agree with the labels, with what guessing would bring taken off?",
    "calibration": "Do probabilities mean what they say, and does a judge know when it does not know?",
    "prompts": "How much of what a judge says hangs on the words in which it is asked?",
    "bias": "What moves a verdict that should not: the place of a response, its length, its group, its writer?",
    "panels": "Do several judges together do better than the one that did best on the calibration questions?",
    "labels": "Which labels do the judges contradict when they are sure, and would the figures change without them?",
    "asked": "Is text judging at its best here, or would another way of asking do better?",
    "references": "Does a reference help, a wrong one mislead, and does it matter that the judge could answer itself?",
    "steadiness": "Does the judge say the same when asked again, in the other order, in another batch?",
    "selection": "How much of the best head's or layer's figure is luck?",
    "transfer": "Does what a judge learnt on one data set hold on another?",
}


def section(
    key: str,
    title: str,
    found: Iterable[str] = (),
    grids: Iterable[Grid] = (),
    plots: Iterable[Plot | None] = (),
    *,
    question: str | None = None,
) -> Section:
    """A section with its own ``question``, or that of its key; empty sentences, tables and plots are left out."""
    return Section(
        key=key,
        title=title,
        question=question or QUESTIONS[key],
        found=tuple(filter(None, found)),
        grids=tuple(one for one in grids if one.rows),
        plots=tuple(one for one in plots if one is not None),
    )


def grid(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    families: Mapping[str, str] | None = None,
    folded: bool = False,
) -> Grid:
    """A table from lists; rows that hold nothing but their name, and columns that hold nothing, are left out.

    With ``families`` (judge -> family), rows are put under the heads of their families.
    """
    kept = [row for row in rows if any(cell is not None for cell in row[1:])]
    used = [k for k in range(len(columns)) if k == 0 or any(row[k] is not None for row in kept)]
    if families is not None:
        kept.sort(key=lambda row: family_rank(families.get(str(row[0]), "")))
    return Grid(
        caption=caption,
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


def split_of_auroc(pooled: float, within: float | None, between: float | None, share: float) -> str:
    """What a pooled AUROC is made of, as a sentence; the arguments are what ``decomposition`` returns."""
    return (
        f"Pooled AUROC {pooled:.3f} = {share:.3f} x within questions {number(within, decimals=3)} + {1 - share:.3f} x "
        f"between {number(between, decimals=3)}: {100 * (1 - share):.0f}\u00a0% of the pairs are between questions."
    )
