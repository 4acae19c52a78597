"""Features of one block alone, so that every judge that is fitted on them or asked about them reads that block."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from ..extraction.features import Features
from ..extraction.provenance import Provenance
from ..models.arguments import checked, require_type
from ..models.errors import InnerjudgeError
from .labels import Floats


def each_row(features: Features, *names: str) -> Iterator[Features]:
    """One row of the hidden states ``names`` after another, ``h[0]`` first and the final-normed one last."""
    for row in range(features[names[0]].shape[1]):
        yield replace(features, arrays={name: features[name][:, row : row + 1] for name in names})


def each_entry(features: Features, *, normed: bool) -> Iterator[Features]:
    """Features with the verdict logits of one block after another (normed or raw) in place of the model's own.

    Example:
        >>> import numpy as np
        >>> from innerjudge import EScore
        >>> logits = np.zeros((1, 2, 2, 2))
        >>> logits[0, 1, 0] = [0, np.log(3)]  # h[0] through the norm says yes, three to one
        >>> f = Features.from_arrays({"logits/score": logits, "labels": [2]}, provenance="m")
        >>> [EScore(values=(0, 1)).decision_function(part).round(2).item() for part in each_entry(f, normed=True)]
        [0.75, 0.5]
    """
    logits = features["logits/score"]
    for block in range(logits.shape[2]):
        # The model's own logits are the last entry of (raw, normed); every judge of them reads that place.
        alone = logits[:, [int(normed)] * 2, block : block + 1]
        yield replace(features, arrays={**features.arrays, "logits/score": alone})


class RowSelector(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Features in, a matrix ``[n, width]`` out: the first step of a ``Pipeline`` of scikit-learn.

    Several rows or positions stand side by side with scikit-learn's ``FeatureUnion``.

    Args:
        readout: Name of an array, such as ``"hidden/reasoning_end"``.
        row: Row of it: ``0..L`` raw ``h[l]``, -1 the final-normed one; ``None`` takes all of an item's numbers.

    Attributes:
        width_: Columns of the matrix.
        provenance_: Of the features that it was fitted on; others are refused.

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

        Raises:
            InnerjudgeError: If there is no such readout or row.
        """
        require_type(features, Features, "RowSelector.fit")
        self.provenance_ = features.provenance
        self.width_ = self.transform(features[:1]).shape[1] if len(features) else 0
        return self

    def transform(self, features: Features) -> Floats:
        """The matrix ``[n, width]``, float64.

        Raises:
            InnerjudgeError: If an item lacks the readout (``features[features.present(readout)]`` leaves it out), or
                the features are of another model.
        """
        require_type(features, Features, "RowSelector.transform")
        self.provenance_.require(features.provenance, "RowSelector")
        array, reasons = features[self.readout], features.reasons(self.readout)
        if reasons:
            raise InnerjudgeError(
                f"given {len(reasons)} of {len(features)} items without {self.readout} (first: "
                f"{next(iter(reasons.items()))}), expected items that have it: take "
                f"features[features.present({self.readout!r})]"
            )
        if self.row is not None:
            if array.ndim < 2 or not -array.shape[1] <= self.row < array.shape[1]:
                raise InnerjudgeError(
                    f"given row={self.row} of {self.readout}, of shape {array.shape}, expected one of its second axis, "
                    "or None for all numbers of an item"
                )
            array = array[:, self.row]
        return array.reshape(len(features), -1).astype(np.float64)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags
