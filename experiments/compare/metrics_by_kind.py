"""The metrics of each kind of item, as functions of what a judge said and of the items that count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ...models.items import Choice, Item, Pair, Rating, Trace
from ...probes.judge import Verdict
from ..data.answers import normalise
from ..selection.reranking import selection_accuracy
from ..selection.rules import Rule
from ..stats.metrics.accuracy import accuracy, balanced_accuracy, pair_accuracy, permutation_accuracy
from ..stats.metrics.auroc import auroc, within_question_auroc, wqd
from ..stats.metrics.correlation import kendall, pearson, spearman
from ..stats.statistic import SIGNED, Statistic, divide
from .results import Outcome

#: Metrics that need both forms of an item; the others rest on the item as given.
BOTH_FORMS = ("permutation_accuracy", "accuracy_both_orders")
#: With more criteria than this, such as a rubric an item, there are no figures by criterion.
MOST_CRITERIA = 10
#: How many of the best candidates vote in top-maj@k, as in the CLUE paper.
TOP_MAJ = (4, 8, 16)

Mask = npt.NDArray[np.bool_]
Metric = Callable[[Outcome, Mask], Statistic]


def metrics_of(kind: str, items: Sequence[Item], *, top_maj: Sequence[int] = TOP_MAJ) -> dict[str, Metric]:
    """Name of a metric -> its value for an outcome, rows outside of the mask counting as unscored.

    ``top_maj`` are the ``k`` of top-maj@k; one that is more than any question has candidates is left out.
    """
    if kind == "trace":
        return _trace_metrics(cast(Sequence[Trace], items), top_maj)
    if kind == "rating":
        return _rating_metrics(cast(Sequence[Rating], items))
    return (
        _choice_metrics(cast(Sequence[Choice], items))
        if kind == "choice"
        else _pair_metrics(cast(Sequence[Pair], items))
    )


def _masked(values: Sequence[Any], mask: Mask) -> list[Any]:
    return [v if keep else None for v, keep in zip(values, mask, strict=True)]


def _trace_metrics(items: Sequence[Trace], top_maj: Sequence[int]) -> dict[str, Metric]:
    truth = [item.correct for item in items]
    groups = [item.group for item in items]
    answers = [normalise(item.answer) for item in items]

    most = max(Counter(groups).values(), default=0)

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
    } | {str(rule): picked(rule) for rule in (Rule("top-maj", k=k) for k in top_maj if k <= most)}


def _rating_metrics(items: Sequence[Rating]) -> dict[str, Metric]:
    human = [item.mean_score for item in items]
    quality = [item.extra.get("quality") for item in items]

    def correlation(function: Callable[..., Statistic], truth: Sequence[Any], keep: Mask) -> Metric:
        return lambda o, m: function(truth, _masked([v.score for v in o.verdicts], m & keep))

    all_rows = np.ones(len(items), dtype=bool)
    functions = {"spearman": spearman, "pearson": pearson, "kendall": kendall}
    found = {name: correlation(function, human, all_rows) for name, function in functions.items()}
    if items and all(isinstance(q, int | float) for q in quality):
        found["spearman_noiseless"] = correlation(spearman, quality, all_rows)
    members = _criteria(items)
    if members:
        # Criteria have levels of their own: pooled, a judge would gain by knowing which one it is asked about.
        for name, function in functions.items():
            found[f"{name}_pooled"] = found[name]
            found[name] = _mean_of([correlation(function, human, keep) for keep in members.values()])
        for label, keep in members.items():
            found[label] = correlation(spearman, human, keep)
    return found


def concerned(kind: str, items: Sequence[Item]) -> dict[str, Mask]:
    """Which items a metric is about, for those that are not about all of them: the figures of one criterion.

    Example:
        >>> two = [Rating(item_id=c, prompt="", response="", criterion=c) for c in ("clear", "short")]
        >>> concerned("rating", two)["spearman[short]"]
        array([False,  True])
    """
    return _criteria(cast(Sequence[Rating], items)) if kind == "rating" else {}


def _criteria(items: Sequence[Rating]) -> dict[str, Mask]:
    """Metric of each criterion -> the items of it; empty with one criterion, or with too many."""
    criteria = dict.fromkeys(item.criterion for item in items)
    if not 1 < len(criteria) <= MOST_CRITERIA:
        return {}
    names = {c: f"spearman[{str(c).split(':')[0].strip()[:40]}]" for c in criteria}
    return {name: np.array([item.criterion == c for item in items], dtype=bool) for c, name in names.items()}


def _mean_of(metrics: Sequence[Metric]) -> Metric:
    """Mean over criteria of a correlation within each; criteria on which it is undefined are left out."""

    def metric(outcome: Outcome, mask: Mask) -> Statistic:
        parts = [m(outcome, mask) for m in metrics]
        defined = [p for p in parts if p.value is not None]
        if not defined:
            return parts[0]

        def over(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            values = np.stack([p.over(weights) for p in defined])
            known = ~np.isnan(values)
            return divide(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))

        value = float(np.mean([cast(float, p.value) for p in defined]))
        return Statistic(value=value, n=sum(p.n for p in defined), size=parts[0].size, limits=SIGNED, over=over)

    return metric


def _choice_metrics(items: Sequence[Choice]) -> dict[str, Metric]:
    answers = [item.answer for item in items]

    def right(verdicts: Sequence[Verdict], mask: Mask) -> list[bool | None]:
        # A permuted verdict is labelled by where it put the option in the item as given.
        return [
            None if v.unscored or answer is None or not keep else v.label == answer
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
