"""Vectors of candidates for VecCISC: the hidden states that an extraction kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...extraction.features import Features
from ...extraction.store import FeatureStore
from ...models.errors import InnerjudgeError
from .columns import Columns
from .representatives import Vectors

#: States to cluster on, the first that the features have.
POSITIONS = ("hidden/reasoning_end", "hidden/response_end")


def vectors_of(features: Features, columns: Columns) -> Vectors:
    """The last state of each candidate, ``[n, D]``: final-normed, at the end of its reasoning, else of its response.

    Raises:
        InnerjudgeError: If the features lack such states, or one of the candidates.
    """
    ids = {one: row for row, one in enumerate(features.ids)}
    wanted = [f"{q}/{c}" for q, c in zip(columns.questions, columns.candidates, strict=True)]
    lacking = [one for one in wanted if one not in ids]
    if lacking:
        raise InnerjudgeError(
            f"given features without {lacking[0]!r} ({len(lacking)} of {len(wanted)} candidates), expected all of "
            "them: extract them from the same file"
        )
    rows = np.array([ids[one] for one in wanted], dtype=np.intp)
    part = features.take(rows)
    for name in POSITIONS:
        if name in part.arrays and part.present(name).all():
            return np.asarray(part[name][:, -1], dtype=np.float64)
    reasons = next((why for name in POSITIONS for why in part.missing.get(name, {}).values()), "none was extracted")
    raise InnerjudgeError(
        f"given features with no state at the end of every candidate ({reasons}), expected {' or '.join(POSITIONS)}: "
        "extract traces"
    )


def load_vectors(folder: str | Path, columns: Columns) -> Vectors:
    """:func:`vectors_of` a folder that ``extract`` wrote."""
    store = FeatureStore.open(folder, check="checksums")
    return vectors_of(store.features([name for name in POSITIONS if name in store.shapes]), columns)
