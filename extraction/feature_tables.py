"""Features as a pandas table, as one line, and as a small table in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.shown import html_table
from .feature_arrays import FeatureArrays

if TYPE_CHECKING:
    import pandas as pd


def feature_frame(features: FeatureArrays, names: tuple[str, ...]) -> pd.DataFrame:
    """See :meth:`.Features.frame`."""
    import pandas as pd

    reasons = features.reasons(*(names or (*features.arrays, *features.texts)))
    small = [*features.texts, *(name for name, array in features.arrays.items() if array.ndim <= 2)]
    columns: dict[str, Any] = {"group": features.groups}
    for name in names or small:
        if name in features.texts:
            columns[name] = features.texts[name]
            continue
        array = features.array(name)
        for place in np.ndindex(array.shape[1:]):
            columns[f"{name}[{','.join(map(str, place))}]" if place else name] = array[:, *place]
    columns["missing"] = [reasons.get(i, "") for i in features.ids]
    return pd.DataFrame(columns, index=pd.Index(features.ids, name="id"))


def summary(features: FeatureArrays) -> str:
    """How many items there are, of which model, and the shape of each readout."""
    parts = [f"{name} [{', '.join(map(str, array.shape))}]" for name, array in features.arrays.items()]
    items, questions = len(features), len(set(features.groups))
    sizes = f"{items} item{'s' * (items != 1)}, {questions} question{'s' * (questions != 1)}"
    model = features.provenance.model
    return f"Features({sizes}, model {model!r}: {', '.join((*parts, *features.texts)) or 'nothing'})"


def html_summary(features: FeatureArrays) -> str:
    """One line a readout: its shape, how many items have it, and the first reason of the others."""
    rows = []
    for name in (*features.arrays, *features.texts):
        reasons = features.missing.get(name, {})
        shape = " x ".join(map(str, features.arrays[name].shape)) if name in features.arrays else "text"
        rows.append((name, shape, len(features) - len(reasons), next(iter(reasons.values()), "")))
    title = f"Features of {len(features)} items, {len(set(features.groups))} questions, {features.provenance.model}"
    return html_table(title, ("readout", "shape", "items", "first reason of those without"), rows)
