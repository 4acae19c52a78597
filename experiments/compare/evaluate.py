"""Verdicts into figures: the metrics of each kind of item, with intervals and paired differences to the text judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import numpy.typing as npt

from ...models.items import Item, Trace
from ..data.answers import normalise
from ..judges.panel import TEXT
from ..selection.reranking import selection_accuracy
from ..selection.rules import Rule
from ..stats.intervals import Interval, both_scored, cluster_interval, paired_difference
from .metrics_by_kind import BOTH_FORMS, TOP_MAJ, concerned, metrics_of
from .results import Outcome, ResultRow

#: Name under which figures stand that need no judge (majority vote, oracle, a random candidate).
NO_JUDGE = "no judge"


def figures(
    outcomes: Sequence[Outcome],
    *,
    data: str,
    kind: str,
    items: Sequence[Item],
    top_maj: Sequence[int] = TOP_MAJ,
) -> list[ResultRow]:
    """Every metric of every judge on the test items, and its paired difference to the text judge.

    Args:
        outcomes: One a judge; the one named ``"text"``, if there is one, is compared with.
        data: Name of the data, for the rows.
        kind: Kind of the items.
        items: The test items.
        top_maj: The ``k`` of top-maj@k.
    """
    groups = [item.group for item in items]
    metrics, about = metrics_of(kind, items, top_maj=top_maj), concerned(kind, items)
    text = next((o for o in outcomes if o.judge == TEXT), None)
    everything = np.ones(len(items), dtype=bool)
    rows = []
    for outcome in outcomes:
        unscored = {
            True: np.array([s is None for s in outcome.scored], dtype=bool),
            False: np.array([bool(v.unscored) for v in outcome.verdicts], dtype=bool),
        }
        common = both_scored(outcome.scored, text.scored) if text is not None else everything
        for name, metric in metrics.items():
            here = cluster_interval(metric(outcome, everything), groups)
            if not name.endswith("unscored_wrong"):
                here = _resting_on(here, groups, outcome.scored)
            mine = about.get(name, everything)
            rows.append(_row(data, outcome, name, here, int((unscored[name in BOTH_FORMS] & mine).sum())))
            if text is not None and outcome is not text:
                # Where unscored items count as wrong, leaving them out would change the question.
                mask = everything if name.endswith("unscored_wrong") else common
                a, b = metric(outcome, mask), metric(text, mask)
                gap = paired_difference(a, b, groups)
                gap = _resting_on(gap, groups, [True if keep else None for keep in mask])
                if gap.value is None:
                    gap = replace(gap, reason=_without_pairs(outcome, text, mine) or gap.reason)
                rows.append(_row(data, outcome, f"{name}_minus_text", gap, int((mine & ~common).sum())))
    if kind == "trace":
        rows += _without_judge(cast(Sequence[Trace], items), data)
    return rows


def _without_pairs(outcome: Outcome, text: Outcome, mine: npt.NDArray[np.bool_]) -> str | None:
    """Why there is nothing to take a difference on: whose scores are missing; ``None`` where both have some."""
    scored = [np.array([s is not None for s in o.scored], dtype=bool) & mine for o in (text, outcome)]
    if not scored[0].any():
        return "the text judge scored none of these items"
    if not scored[1].any():
        return "this judge scored none of these items"
    return None if (scored[0] & scored[1]).any() else "no item is scored by both this judge and the text judge"


def _resting_on(found: Interval, groups: Sequence[str], scored: Sequence[object | None]) -> Interval:
    """The figure without an interval where only one question has scored items: the others move nothing."""
    questions = {group for group, score in zip(groups, scored, strict=True) if score is not None}
    if len(questions) >= 2 or found.low is None:
        return found
    return replace(found, low=None, high=None, reason="no interval: it rests on one question")


def _row(data: str, outcome: Outcome, metric: str, found: Interval, unscored: int) -> ResultRow:
    return ResultRow(
        data=data,
        judge=outcome.judge,
        metric=metric,
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
        unscored=unscored,
        seconds_per_item=outcome.seconds_per_item,
        reason=found.reason,
    )


def _without_judge(items: Sequence[Trace], data: str) -> list[ResultRow]:
    """Majority vote, a random candidate and the oracle: what any judge must be seen against."""
    groups, truth = [item.group for item in items], [item.correct for item in items]
    answers = [normalise(item.answer) for item in items]
    nothing = Outcome(judge=NO_JUDGE, verdicts=())
    rows = []
    for name, label in (("majority", "majority"), ("mean", "random"), ("oracle", "oracle")):
        found = selection_accuracy(answers, [None] * len(items), truth, groups, rule=Rule(name))
        interval = cluster_interval(found, groups)
        rows.append(_row(data, nothing, label, interval, 0))
    return rows
