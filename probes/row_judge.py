"""Judges that read the states of one row, at one or more positions, and tools to take features row by row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from ..extraction.features import Features
from ..extraction.provenance import Provenance
from ..models.arguments import checked, require_type
from ..models.errors import InnerjudgeError
from .description import JudgeDescription, derived
from .estimator import parameters
from .judge import LearningJudge
from .labels import Floats

Combine = Literal["delta", "concat"]
#: What is taken off the states before a fit: nothing, or the mean of the item's question.
Centre = Literal["none", "question"]
#: :attr:`RowJudge.row_` of the final-normed state, which only a whole pass has.
FINAL_NORMED = -1
#: ``"best"``: the lowest held-out loss; ``"earliest"``: the first row within one standard error of it.
ChooseRow = Literal["best", "earliest"]


@parameters
class RowJudge(LearningJudge):
    """A judge of vectors: the states of one row at its positions, side by side or as a difference."""

    positions: Sequence[str] = ("reasoning_start", "reasoning_end")
    combine: Combine = "concat"
    row: int | float | ChooseRow = -1
    row_: int = field(init=False)

    # A place of a rating's prompt is the state before its score.
    kinds = derived(lambda self: ("rating", "pair", "trace") if "score" in self.positions else JudgeDescription.kinds)
    # Choosing the row takes all rows of all items.
    learns_in_parts = derived(lambda self: not isinstance(self.row, str))

    def __post_init__(self) -> None:
        if not len(self.positions) or (self.combine == "delta" and len(self.positions) > 2):
            raise InnerjudgeError.of("probes.positions", tuple(self.positions), self.combine)
        self.needs = tuple(f"hidden/{p}" for p in self.positions)

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """Adds the length of the vectors that are read."""
        pieces = len(self.positions) if self.combine == "concat" else 1
        return {**known, **({"features": pieces * known["width"]} if "width" in known else {})}

    @property
    def _reads_until(self) -> int | None:
        if self.provenance_ is None or self.row_ == FINAL_NORMED:
            return None
        return max(1, self.row_)

    def _told(self, features: Features) -> int:
        """:attr:`row_` as ``row`` says it."""
        if isinstance(self.row, str):
            raise InnerjudgeError.of("probes.row-by-bits", self.row)
        rows = features[self.needs[0]].shape[1]
        (row,) = rows_at((self.row,), rows, features.provenance)
        return self._named(features, row % rows)

    def _named(self, features: Features, row: int) -> int:
        whole = features.provenance.last_block is None
        return FINAL_NORMED if whole and row == features[self.needs[0]].shape[1] - 1 else row

    def _vectors(self, features: Features, row: int) -> Floats:
        """``[n, D]`` (delta: last position minus first) or ``[n, positions * D]``, float64."""
        states = [features[f"hidden/{p}"][:, row].astype(np.float64) for p in self.positions]
        if self.combine == "concat" or len(states) == 1:
            return np.concatenate(states, axis=-1)
        return states[-1] - states[0]

    def rows_read(self, total: int) -> frozenset[int]:
        """Only the one row, once the judge is fitted."""
        return frozenset({self.row_ % total})


def rows_at(rows: Sequence[int | float], total: int, origin: Provenance) -> list[int]:
    """Places among ``total`` rows; a share of the depth is the row nearest to it, of a pass that was not cut short."""
    shares = [row for row in rows if not isinstance(row, Integral)]
    found = [int(row) if isinstance(row, Integral) else round(row * (total - 2)) for row in rows]
    cut = origin.last_block is not None and bool(shares)
    if cut or not all(-total <= row < total for row in found) or not all(0 <= share <= 1 for share in shares):
        given, short = ", ".join(map(str, rows)), ", cut short" * cut
        raise InnerjudgeError.of("probes.row-beyond", given, total, total - 2, short, -total, total - 1)
    return found


def choose_row(losses: Floats, groups: tuple[str, ...], prefer: ChooseRow) -> int:
    r"""The row to read, by the mean of its held-out ``losses [n, rows]``; ties go to the earliest.

    The standard error of the best row's mean is over questions, whose items are not independent:
    :math:`\sqrt{\sum_q (\sum_{i \in q} (e_i - \bar e))^2} / n`. The one-standard-error rule is that of Breiman,
    Friedman, Olshen and Stone, Classification and Regression Trees, 1984.
    """
    if not len(losses):
        raise InnerjudgeError.of("probes.no-held-out")
    mean = losses.mean(axis=0)
    best = int(np.flatnonzero(mean <= mean.min() + 1e-12)[0])
    if prefer == "best":
        return best
    _, question = np.unique(np.array(groups), return_inverse=True)
    error = float(np.sqrt((np.bincount(question, weights=losses[:, best] - mean[best]) ** 2).sum())) / len(losses)
    return int(np.flatnonzero(mean <= mean[best] + error + 1e-12)[0])


def each_row(features: Features, *names: str) -> Iterator[Features]:
    """Yield features with one row of the hidden states ``names`` at a time, ``h[0]`` first, the final-normed last."""
    for row in range(features[names[0]].shape[1]):
        yield replace(features, arrays={name: features[name][:, row : row + 1] for name in names})


def each_entry(features: Features, *, normed: bool) -> Iterator[Features]:
    """Yield features with one block's verdict logits (normed or raw) at a time in place of the model's own."""
    logits = features["logits/score"]
    for block in range(logits.shape[2]):
        # The model's own logits are the last entry of (raw, normed); every judge of them reads that place.
        alone = logits[:, [int(normed)] * 2, block : block + 1]
        yield replace(features, arrays={**features.arrays, "logits/score": alone})


class RowSelector(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Features in, a matrix ``[n, width]`` out: the first step of a scikit-learn ``Pipeline``.

    Scikit-learn's ``FeatureUnion`` puts several rows or positions side by side.

    Args:
        readout: Name of an array, such as ``"hidden/reasoning_end"``.
        row: Row of that array: ``0..L`` raw ``h[l]``, -1 the final-normed one; ``None`` takes all of an item's numbers.

    Attributes:
        width_: Number of columns of the matrix.
        provenance_: Provenance of the features that it was fitted on; others are refused.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> x = np.repeat(np.linspace(-1, 1, 8)[:, None, None], 3, axis=1)
        >>> f = Features.from_arrays({"hidden/response_end": x}, provenance="my-model")
        >>> pipeline = make_pipeline(RowSelector("hidden/response_end", row=1), StandardScaler(), LogisticRegression())
        >>> pipeline.fit(f, [0, 0, 0, 0, 1, 1, 1, 1]).predict(f).tolist()
        [0, 0, 0, 0, 1, 1, 1, 1]
    """

    provenance_: Provenance

    @checked
    def __init__(self, readout: str, row: int | None = -1) -> None:
        self.readout, self.row = readout, row

    def fit(self, features: Features, labels: Any = None) -> Self:
        """Remember whose features these are; nothing is learned.

        ``InnerjudgeError`` if there is no such readout or row.
        """
        require_type(features, Features, "RowSelector.fit")
        self.provenance_ = features.provenance
        self.width_ = self.transform(features[:1]).shape[1] if len(features) else 0
        return self

    def transform(self, features: Features) -> Floats:
        """The matrix ``[n, width]``, float64.

        ``InnerjudgeError`` if an item lacks the readout (``features[features.present(readout)]`` leaves it out), or the
        features are of another model.
        """
        require_type(features, Features, "RowSelector.transform")
        self.provenance_.require(features.provenance, "RowSelector")
        array, reasons = features[self.readout], features.reasons(self.readout)
        if reasons:
            first = next(iter(reasons.items()))
            raise InnerjudgeError.of("probes.lacking", len(reasons), len(features), self.readout, first)
        if self.row is not None:
            if array.ndim < 2 or not -array.shape[1] <= self.row < array.shape[1]:
                raise InnerjudgeError.of("probes.row", self.row, self.readout, array.shape)
            array = array[:, self.row]
        return array.reshape(len(features), -1).astype(np.float64)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags
