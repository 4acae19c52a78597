"""A cheap judge first, an expensive one where the cheap one is not sure; what that costs, and how accurate it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ...models.arguments import checked
from ...models.errors import InnerjudgeError
from ...probes import Promise, Verdict
from ...probes.promise import certainty
from ...probes.promising import identity
from ..drawing.lines import curves
from ..judges.judge import Judge
from ..stats.intervals import cluster_interval
from ..stats.metrics.accuracy import accuracy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Decided(NamedTuple):
    """Verdicts of a cascade, and whether the second judge gave each. Compare labels only: scores have two scales."""

    verdicts: list[Verdict]
    second: list[bool]


class Cascade:
    """Two judges, of which the second is asked only about verdicts that the promise of the first does not keep.

    ``judges`` are the cheap one (a probe) and the expensive one (the text judge, or one of a larger model), on the same
    kind of items; the ``promise`` is about verdicts of the first (``"wrong among kept"`` or ``"kept and wrong"``), by
    default its own. ``InnerjudgeError`` if there are not two judges of one kind, or nothing is promised about verdicts.

    Example:
        >>> from innerjudge import LAGER, Judge, Promise, Task, TextJudge, load
        >>> lm, text = load("reference"), TextJudge.presets(Task("trace"))["text"]
        >>> judges = [Judge(one, lm, kind="trace") for one in (LAGER(values=(0, 1)), text)]
        >>> promise = Promise("wrong among kept", 0.1, 0.9, threshold=0.9, questions=90, border=0.5)
        >>> Cascade(judges, promise).verdicts([("Start with 7. Add 5.", "<think>7+5=12</think>12")]).second
        [True]
    """

    @checked
    def __init__(self, judges: Sequence[Judge], promise: Promise | None = None) -> None:
        kinds = [judge.kind for judge in judges]
        if len(kinds) != 2 or len(set(kinds)) != 1:
            raise InnerjudgeError(f"given judges of {kinds}, expected a cheap and a dear one of one kind of items")
        held = judges[0].promise if promise is None else promise
        if held is None or held.refused is not None or held.risk not in ("wrong among kept", "kept and wrong"):
            raise InnerjudgeError.of("selection.no-promise", str(held))
        if held.fit and held.fit != identity(judges[0].judge, held.model):
            raise InnerjudgeError.of("selection.other-promise")
        self.judges, self.promise = tuple(judges), held

    def verdicts(self, pairs: Any, batch_size: int = 32) -> Decided:
        """One verdict a pair, as :meth:`.PairJudge.verdicts` takes them; the second judge sees what is not kept."""
        found = self.judges[0].verdicts(pairs, batch_size)
        asked = [not self.promise.keeps(one.score) for one in found]
        some = [pair for pair, ask in zip(pairs, asked, strict=True) if ask]
        again = iter(self.judges[1].verdicts(some, batch_size) if some else [])
        return Decided([next(again) if ask else one for one, ask in zip(found, asked, strict=True)], asked)


@checked
def cost_curve(
    first: Sequence[Verdict], second: Sequence[Verdict], truth: Sequence[Any], groups: Sequence[str], *,
    promise: Promise | None = None, border: float | None = None, costs: tuple[float, float] = (1.0, 1.0),
    points: int = 11
) -> pd.DataFrame:  # fmt: skip
    """Accuracy against cost, from nothing asked of the second judge to everything; the last row is the promise's.

    ``first`` and ``second`` are verdicts of the cheap and of the expensive judge on items that neither the fit nor the
    promise has seen, with the right label (``truth``; an unscored verdict counts as wrong) and the question of each.
    The ``promise`` of the first judge also says how its sureness is measured; without one, ``border`` is the score
    between its verdicts, ``None`` for choices. ``costs`` are those of an item for each judge: passes, or tokens read
    and written. Of the ``points`` rows before the last, the least sure items go to the second judge first.

    Columns: ``point`` (``"share"`` or ``"promise"``), ``share`` of the items that the second judge sees, ``cost`` an
    item, ``accuracy``, and its interval over questions, ``low`` and ``high``.
    """
    if not len(first) == len(second) == len(truth) == len(groups) > 0:
        raise InnerjudgeError("given columns of different lengths or empty ones, expected one verdict of each an item")
    sure = np.full(len(first), -np.inf)
    there = [k for k, one in enumerate(first) if one.score is not None]
    sure[there] = certainty([first[k].score for k in there], border if promise is None else promise.border)
    order, n = np.argsort(sure, kind="stable"), len(first)
    cuts = [("share", order[: round(n * k / (points - 1))]) for k in range(points)]
    rows = []
    cuts += [] if promise is None else [("promise", np.flatnonzero(sure < promise.threshold))]
    for name, asked in cuts:
        seen = set(asked.tolist())
        said = [(second if k in seen else first)[k] for k in range(n)]
        right = [one.unscored is None and one.label == known for one, known in zip(said, truth, strict=True)]
        found, share = cluster_interval(accuracy(right, [True] * n), groups), len(asked) / n
        row = {"point": name, "share": share, "cost": costs[0] + share * costs[1], "accuracy": found.value}
        rows.append(row | {"low": found.low, "high": found.high})
    return pd.DataFrame(rows)


def draw_cost(ax: "Axes", table: pd.DataFrame, *, unit: str = "passes an item") -> None:
    """The curve of :func:`cost_curve`, with the point that the promise chose."""
    line, chosen = table[table["point"] == "share"], table[table["point"] == "promise"]
    columns = ("cost", "accuracy", "low", "high")
    curves(ax, {"cascade": [line[c].tolist() for c in columns]}, x=unit, y="accuracy", legend=False)
    ax.plot(chosen["cost"], chosen["accuracy"], "D", color="#000000", markersize=7)
    at = (float(chosen["cost"].iloc[0]), float(chosen["accuracy"].iloc[0]))
    ax.annotate("promise", at, xytext=(6, -12), textcoords="offset points", fontsize=8.5)
