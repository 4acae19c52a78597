"""Verdicts into figures: the metrics of each kind of item, with intervals and paired differences to the text judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..models.items import Choice, Item, Pair, Rating, Trace
from ..probes.judge import Verdict
from .accuracy import accuracy, balanced_accuracy, pair_accuracy, permutation_accuracy
from .bootstrap import Interval, both_scored, cluster_bootstrap, paired_difference
from .correlation import kendall, pearson, spearman
from .metrics import auroc, within_question_auroc, wqd
from .reranking import Rule, selection_accuracy
from .results import ResultRow
from .statistic import Statistic

#: The judge that differences are taken to.
TEXT = "text"
#: Name under which figures stand that need no judge (majority vote, oracle, a random candidate).
NO_JUDGE = "no judge"

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one judge said of the test items.

    Args:
        judge: Name of the judge.
        verdicts: One a test item, in order.
        again: The same items with options permuted, or the pair shown in the other order (labels named as in the item).
        seconds_per_item: Passes that the judge needs, and its own work.
    """

    judge: str
    verdicts: Sequence[Verdict]
    again: Sequence[Verdict] | None = None
    seconds_per_item: float | None = None

    @property
    def scored(self) -> list[object | None]:
        """The scores, ``None`` where an item (in either form) has none."""
        pairs = zip(self.verdicts, self.again or self.verdicts, strict=True)
        return [None if a.unscored or b.unscored else a.score for a, b in pairs]


Metric = Callable[[Outcome, Mask], Statistic]


def metrics_of(kind: str, items: Sequence[Item]) -> dict[str, Metric]:
    """Name of a metric -> its value for an outcome, rows outside of the mask counting as unscored."""
    if kind == "trace":
        return _trace_metrics(cast(Sequence[Trace], items))
    if kind == "rating":
        return _rating_metrics(cast(Sequence[Rating], items))
    return (
        _choice_metrics(cast(Sequence[Choice], items))
        if kind == "choice"
        else _pair_metrics(cast(Sequence[Pair], items))
    )


def figures(
    outcomes: Sequence[Outcome], *, data: str, kind: str, items: Sequence[Item], seed: int, n_resamples: int = 1000
) -> list[ResultRow]:
    """Every metric of every judge on the test items, and its paired difference to the text judge.

    Args:
        outcomes: One a judge; the one named ``"text"``, if there is one, is compared with.
        data: Name of the data, for the rows.
        kind: Kind of the items.
        items: The test items.
        seed: Of the bootstrap.
        n_resamples: Of the bootstrap.
    """
    groups = [item.group for item in items]
    metrics = metrics_of(kind, items)
    text = next((o for o in outcomes if o.judge == TEXT), None)
    everything = np.ones(len(items), dtype=bool)
    rows = []
    for outcome in outcomes:
        unscored = sum(v is None for v in outcome.scored)
        common = both_scored(outcome.scored, text.scored) if text is not None else everything
        for name, metric in metrics.items():
            here = cluster_bootstrap(metric(outcome, everything), groups, seed=seed, n_resamples=n_resamples)
            rows.append(_row(data, outcome, name, here, unscored))
            if text is not None and outcome is not text:
                # Where unscored items count as wrong, leaving them out would change the question.
                mask = everything if name.endswith("unscored_wrong") else common
                a, b = metric(outcome, mask), metric(text, mask)
                gap = paired_difference(a, b, groups, seed=seed, n_resamples=n_resamples)
                rows.append(_row(data, outcome, f"{name}_minus_text", gap, int(len(items) - common.sum())))
    if kind == "trace":
        rows += _without_judge(cast(Sequence[Trace], items), data, seed, n_resamples)
    return rows


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


def _masked(values: Sequence[Any], mask: Mask) -> list[Any]:
    return [v if keep else None for v, keep in zip(values, mask, strict=True)]


def _trace_metrics(items: Sequence[Trace]) -> dict[str, Metric]:
    truth = [item.correct for item in items]
    groups = [item.group for item in items]
    answers = [item.answer for item in items]

    def scores(outcome: Outcome, mask: Mask) -> list[float | None]:
        return _masked([v.score for v in outcome.verdicts], mask)

    def picked(rule: Rule) -> Metric:
        return lambda o, m: selection_accuracy(answers, scores(o, m), truth, groups, rule=rule)

    return {
        "auroc": lambda o, m: auroc(truth, scores(o, m)),
        "within_question_auroc": lambda o, m: within_question_auroc(truth, scores(o, m), groups),
        "within_question_pairs": lambda o, m: wqd(truth, scores(o, m), groups),
        "balanced_accuracy": lambda o, m: balanced_accuracy(truth, _masked([v.label for v in o.verdicts], m)),
        "top@1": picked(Rule("top@1")),
        "top-maj@4": picked(Rule("top-maj", k=4)),
    }


def _without_judge(items: Sequence[Trace], data: str, seed: int, n_resamples: int) -> list[ResultRow]:
    """Majority vote, a random candidate and the oracle: what any judge must be seen against."""
    groups, truth = [item.group for item in items], [item.correct for item in items]
    answers = [item.answer for item in items]
    nothing = Outcome(judge=NO_JUDGE, verdicts=())
    rows = []
    for name, label in (("majority", "majority"), ("mean", "random"), ("oracle", "oracle")):
        found = selection_accuracy(answers, [None] * len(items), truth, groups, rule=Rule(name))
        interval = cluster_bootstrap(found, groups, seed=seed, n_resamples=n_resamples)
        rows.append(_row(data, nothing, label, interval, 0))
    return rows


def _rating_metrics(items: Sequence[Rating]) -> dict[str, Metric]:
    human = [item.mean_score for item in items]
    quality = [item.extra.get("quality") for item in items]

    def correlation(function: Callable[..., Statistic], truth: Sequence[Any], keep: Sequence[bool]) -> Metric:
        wanted = np.array(keep, dtype=bool)
        return lambda o, m: function(truth, _masked([v.score for v in o.verdicts], m & wanted))

    all_rows = [True] * len(items)
    found = {
        "spearman": correlation(spearman, human, all_rows),
        "pearson": correlation(pearson, human, all_rows),
        "kendall": correlation(kendall, human, all_rows),
    }
    if items and all(isinstance(q, int | float) for q in quality):
        found["spearman_noiseless"] = correlation(spearman, quality, all_rows)
    criteria = dict.fromkeys(item.criterion for item in items)
    if len(criteria) > 1:
        for criterion in criteria:
            name = str(criterion).split(":")[0].strip()[:40]
            found[f"spearman[{name}]"] = correlation(spearman, human, [i.criterion == criterion for i in items])
    return found


def _choice_metrics(items: Sequence[Choice]) -> dict[str, Metric]:
    answers = [item.answer for item in items]

    def right(verdicts: Sequence[Verdict], mask: Mask) -> list[bool | None]:
        # A permuted verdict is labelled by where it put the option in the item as given.
        return [
            None if v.unscored or not keep else v.label == answer
            for v, answer, keep in zip(verdicts, answers, mask, strict=True)
        ]

    def labels(outcome: Outcome, mask: Mask) -> list[Any]:
        return _masked([v.label for v in outcome.verdicts], mask)

    return {
        "accuracy": lambda o, m: accuracy(answers, labels(o, m)),
        "permutation_accuracy": lambda o, m: permutation_accuracy(
            right(o.verdicts, m), right(o.again or o.verdicts, m)
        ),
        "accuracy_unscored_wrong": lambda o, m: accuracy(answers, labels(o, m), unscored="wrong"),
    }


def _pair_metrics(items: Sequence[Pair]) -> dict[str, Metric]:
    preferences = [item.preference for item in items]

    def labels(verdicts: Sequence[Verdict], mask: Mask) -> list[str | None]:
        return _masked([v.label for v in verdicts], mask)

    return {
        "accuracy_both_orders": lambda o, m: pair_accuracy(
            preferences, labels(o.verdicts, m), labels(o.again or o.verdicts, m)
        ),
        "accuracy": lambda o, m: pair_accuracy(preferences, labels(o.verdicts, m), labels(o.verdicts, m)),
    }
