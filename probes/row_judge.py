"""Judges that read the states of one row, at one or more positions."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from .fitted_arrays import Form, Number
from .judge import LearningJudge
from .labels import Floats
from .row_selection import ChooseRow

Combine = Literal["delta", "concat"]
#: :attr:`RowJudge.row_` of the final-normed state, which only a whole pass has.
FINAL_NORMED = -1


class RowJudge(LearningJudge):
    """A judge of vectors: the states of one row, side by side or as their difference.

    Example:
        >>> from innerjudge import DifferenceOfMeans
        >>> issubclass(DifferenceOfMeans, RowJudge), DifferenceOfMeans(row="best").learns_in_parts
        (True, False)
    """

    forms: ClassVar[Mapping[str, Form]] = {**LearningJudge.forms, "row_": Number(low=FINAL_NORMED, whole=True)}
    row_: int

    def __init__(self, *, positions: Sequence[str], combine: Combine, row: int | ChooseRow) -> None:
        self.positions, self.combine, self.row = positions, combine, row
        if combine not in ("delta", "concat") or not len(positions) or (combine == "delta" and len(positions) > 2):
            raise InnerjudgeError(
                f"given positions={tuple(positions)}, combine={combine!r}, expected 'delta' of one or two positions or "
                "'concat' of any number"
            )
        if isinstance(row, str) and row not in ("best", "earliest"):
            raise InnerjudgeError(f"given row={row!r}, expected a number, 'best' or 'earliest'")
        self.needs = tuple(f"hidden/{p}" for p in positions)

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """Also the length of the vectors that are read."""
        pieces = len(self.needs) if self.combine == "concat" else 1
        return {**known, **({"features": pieces * known["width"]} if "width" in known else {})}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Ratings first, where it reads the state before a score."""
        return ("rating", "pair", "trace") if "hidden/score" in self.needs else ("trace", "rating", "pair")

    @property
    def learns_in_parts(self) -> bool:
        """Only where the row is given: choosing it takes all rows of all items."""
        return not isinstance(self.row, str)

    @property
    def _reads_until(self) -> int | None:
        if self.provenance_ is None or self.row_ == FINAL_NORMED:
            return None
        return max(1, self.row_)

    def _told(self, features: Features) -> int:
        """:attr:`row_` as ``row`` says it."""
        if isinstance(self.row, str):
            raise InnerjudgeError(
                f"given row={self.row!r} with items bit by bit, expected a number: only `fit` chooses a row"
            )
        rows = features[self.needs[0]].shape[1]
        if not -rows <= self.row < rows:
            raise InnerjudgeError(
                f"given row={self.row} of {rows} rows h[0..{rows - 2}] and normed, expected {-rows} to {rows - 1}"
            )
        return self._named(features, self.row % rows)

    def _named(self, features: Features, row: int) -> int:
        whole = features.provenance.last_block is None
        return FINAL_NORMED if whole and row == features[self.needs[0]].shape[1] - 1 else row

    def _vectors(self, features: Features, row: int) -> Floats:
        """``[n, D]`` (delta: last position minus first) or ``[n, positions * D]``, float64."""
        states = [features[name][:, row].astype(np.float64) for name in self.needs]
        if self.combine == "concat" or len(states) == 1:
            return np.concatenate(states, axis=-1)
        return states[-1] - states[0]

    def rows_read(self, total: int) -> frozenset[int]:
        """The one row, once it is fitted."""
        return frozenset({self.row_ % total})
