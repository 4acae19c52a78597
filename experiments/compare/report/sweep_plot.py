"""A sweep as a picture: a judge a line over the rows of the states, or its heads as a map."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...drawing import STYLE, curves, head_map
from ..sweep import Sweep


def draw(found: Sweep) -> Figure:
    """Figures over the rows of the states, each judge at its best position on the fitting questions; heads as maps."""
    with mpl.rc_context(STYLE):
        if found.table["head"].notna().any():
            names = list(dict.fromkeys(found.table["judge"]))
            figure = Figure(figsize=(4.4 * len(names), 3.5), layout="constrained")
            for ax, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
                part = found.table[found.table["judge"] == name]
                held = part.pivot_table(index="row", columns="head", values="test").to_numpy()
                best = _best(part)
                head_map(ax, held, label=found.metric, chosen=[(int(best["row"]), int(best["head"]))])
                ax.set_title(name, loc="left")
            return figure
        lines = {}
        for judge, part in found.table.groupby("judge", sort=False):
            if part["fit"].notna().any():
                best = _best(part)
                same = part[(part["position"] == best["position"]) & (part["normalisation"] == best["normalisation"])]
                lines[f"{judge}, {best['position']}, {best['normalisation']}"] = (
                    same["row"].to_list(),
                    same["test"].to_list(),
                )
        figure = Figure(figsize=(9, 4), layout="constrained")
        handles = curves(
            figure.subplots(), lines, x="row: h[0] to h[L], then final-normed", y=found.metric, legend=False
        )
        figure.legend(handles=handles, loc="outside right upper", fontsize=8.5)
        return figure


def _best(part: pd.DataFrame) -> pd.Series:
    return part.iloc[int(np.nanargmax(part["fit"].to_numpy()))]
