"""The one table of verdicts: a row says what one judge said of one candidate, in one order, once.

Every command that writes verdicts writes these rows, one JSON object a line, and every command that reads them reads
these (:mod:`.verdict_files`).

======================== ==================================================================================
column                   meaning
======================== ==================================================================================
``data``                 data set
``question``             unit of splits and of intervals
``candidate``            what is judged; ``"X|Y"`` where X and Y of one question are compared
``judge``                hidden-state judge, text judge, reward model or person
``order``                ``"given"``; ``"swapped"`` where Y was shown before X; ``"permuted"``: options moved
``repeat``               number of the repeat, from 0
``template``             wording of the question
``score``                a number, higher is better; of a comparison: higher favours X; of options: how far the
                         best of them stands above the second best
``label``                what the judge said: true or false, a grade, an option, ``"a"`` (X), ``"b"`` (Y), ``"tie"``
``unscored``             why there is neither score nor label
``truth``                the right label, in the words of ``label``; the same in every row of an item
``length``               characters of the response; of a comparison those of X less those of Y
``scores``               of a choice: the score of each option
``answer``, ``tokens``   of a trace: its final answer, and how many tokens were sampled
``step_scores``          of a trace, by a judge that looks at each step: the probability that the step is right
any other                tags, which are text: the split, the writer of the response, its language or topic
======================== ==================================================================================
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ...models.errors import InnerjudgeError, quoted, shown

if TYPE_CHECKING:
    import pandas as pd

Label = bool | int | float | str
#: What rows are found by: all that tells two rows of a table apart.
Key = tuple[str, str, str, str, str, int, str]
#: Data set, question and candidate.
ItemKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one judge said of one candidate, in one order, once. The module's docstring says what the columns mean.

    ``InnerjudgeError`` if the score is not finite, a row is both scored and unscored, or is neither.
    """

    question: str
    candidate: str
    judge: str
    data: str = ""
    order: str = "given"
    repeat: int = 0
    template: str = "default"
    score: float | None = None
    label: Label | None = None
    unscored: str | None = None
    truth: Label | None = None
    length: float | None = None
    scores: tuple[float | None, ...] | None = None
    answer: str | None = None
    tokens: int | None = None
    step_scores: tuple[float | None, ...] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        said = self.score is not None or self.label is not None
        given = (self.score, self.label, self.truth, self.length, *(self.scores or ()), *(self.step_scores or ()))
        if not all(math.isfinite(value) for value in given if isinstance(value, int | float)):
            raise InnerjudgeError.of("data.not-finite", self.where)
        if said == bool(self.unscored):
            both = "a verdict and a reason for none" if said else "neither score nor label, and no reason"
            raise InnerjudgeError(f"{self.where}: given {both}, expected one of the two: fill in unscored, or empty it")

    @property
    def key(self) -> Key:
        """All that tells the row from others."""
        return (self.data, self.question, self.candidate, self.judge, self.order, self.repeat, self.template)

    @property
    def item(self) -> ItemKey:
        """What is judged."""
        return (self.data, self.question, self.candidate)

    @property
    def where(self) -> str:
        """The row in words, for messages."""
        return " ".join(map(repr, filter(None, (self.data, self.question, self.candidate, self.judge))))

    @property
    def right(self) -> bool | None:
        """Whether the judge was right; ``None`` where its label or the truth is missing."""
        return None if self.label is None or self.truth is None else self.label == self.truth


class Table(Sequence[Row]):
    """Rows with unique keys, in a fixed order.

    ``InnerjudgeError`` if two rows have one key, or two rows of one item have different truths.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = tuple(rows)
        self._at: dict[Key, Row] = {}
        self._items: dict[ItemKey, Row] = {}
        for row in self.rows:
            if row.key in self._at:
                raise InnerjudgeError.of("data.twice", row.where, shown(row.order), row.repeat, shown(row.template))
            self._at[row.key] = row
            known = self._items.setdefault(row.item, row)
            if known.truth is None:
                self._items[row.item] = row
            elif row.truth is not None and row.truth != known.truth:
                raise InnerjudgeError.of(
                    "data.two-truths", row.where, quoted(row.truth), shown(known.judge), quoted(known.truth)
                )

    def __repr__(self) -> str:
        return f"Table({len(self)} rows on {len(self._items)} items, by {shown(', '.join(self.judges))})"

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return Table(self.rows[index]) if isinstance(index, slice) else self.rows[index]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __add__(self, other: Iterable[Row]) -> "Table":
        """This table and more rows."""
        return Table((*self.rows, *other))

    def where(self, **columns: Any) -> "Table":
        """Rows whose columns (or tags) have these values; a set, list or tuple stands for any of its members."""
        wanted = {k: v if isinstance(v, set | frozenset | list | tuple) else (v,) for k, v in columns.items()}
        columns = Row.__dataclass_fields__
        found = (({k: getattr(r, k) if k in columns else r.tags.get(k) for k in wanted}, r) for r in self.rows)
        return Table(row for has, row in found if all(has[k] in v for k, v in wanted.items()))

    def frame(self) -> "pd.DataFrame":
        """A pandas table: one row a verdict, its tags as columns; ``to_parquet`` writes it."""
        import pandas as pd

        columns = [one.name for one in fields(Row) if one.name != "tags"]
        found = pd.DataFrame({one: [getattr(row, one) for row in self] for one in columns})
        return found.join(pd.DataFrame([dict(row.tags) for row in self]), rsuffix=" (tag)")

    @property
    def judges(self) -> tuple[str, ...]:
        """Names in order of appearance."""
        return tuple(dict.fromkeys(row.judge for row in self.rows))

    @property
    def items(self) -> tuple[ItemKey, ...]:
        """The items in order of appearance: the axis of every column below."""
        return tuple(self._items)

    @property
    def groups(self) -> list[tuple[str, str]]:
        """Question of every item."""
        return [(data, question) for data, question, _ in self._items]

    @property
    def truths(self) -> list[Label | None]:
        """The true label of every item."""
        return [row.truth for row in self._items.values()]

    @property
    def lengths(self) -> list[float | None]:
        """Length of every item."""
        return self._of_items(lambda row: row.length)

    @property
    def answers(self) -> list[str | None]:
        """Final answer of every item; ``None`` where it has none."""
        return self._of_items(lambda row: row.answer)

    def tag(self, name: str) -> list[str | None]:
        """A tag of every item; ``None`` where it has none."""
        return self._of_items(lambda row: row.tags.get(name))

    def _of_items(self, value: Callable[[Row], Any]) -> list[Any]:
        """What the last row of each item that says something says."""
        found = dict.fromkeys(self._items)
        found.update({row.item: one for row in self.rows if (one := value(row)) is not None})
        return list(found.values())

    def column(
        self, judge: str, *, order: str = "given", repeat: int = 0, template: str = "default"
    ) -> list[Row | None]:
        """The rows of one judge, one an item; ``None`` where it was not asked."""
        return [self._at.get((*item, judge, order, repeat, template)) for item in self._items]

    def scores(self, judge: str, **asked: Any) -> list[float | None]:
        """Scores of one judge, one an item; ``None`` where unscored or not asked; ``asked`` as in :meth:`column`."""
        return [None if row is None else row.score for row in self.column(judge, **asked)]

    def labels(self, judge: str, **asked: Any) -> list[Label | None]:
        """Labels of one judge, in the same way."""
        return [None if row is None else row.label for row in self.column(judge, **asked)]

    def unscored(self, judge: str) -> dict[str, int]:
        """Why rows of a judge are unscored, and how many for each reason."""
        return dict(Counter(row.unscored for row in self.rows if row.judge == judge and row.unscored))
