"""The metrics of each kind of item, as functions of a judge and of the items that count; the most important first."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain, count
from typing import Any

from ..data.answers import normalise
from ..selection.reranking import selection_accuracy
from ..selection.rules import Rule
from ..stats.biases.preferences import accuracy_random
from ..stats.metrics import accuracy as measures
from ..stats.metrics.correlation import kendall, pearson, spearman
from ..stats.statistic import SIGNED, Statistic, combine
from .lens import Lens, Metric, as_floats, masked

#: Value of a judge that knows nothing, where the metric has one for every judge.
CHANCE = {"AUROC": 0.5, "AUROC within questions": 0.5, "pairs won within questions": 0.5, "balanced accuracy": 0.5,
          "Spearman": 0.0, "Pearson": 0.0, "Kendall": 0.0, "accuracy, one order at random": 0.5,
          "accuracy as shown": 0.5}  # fmt: skip
#: Metrics that need an item in both of its forms; the others rest on the item as given.
BOTH_FORMS = ("accuracy, options also permuted", "accuracy in both orders", "accuracy, one order at random")
#: Metrics that count unscored items as wrong, so that none is left out.
UNSCORED_WRONG = "accuracy, unscored wrong"
#: With more criteria than this, such as a rubric an item, there are no figures by criterion.
MOST_CRITERIA = 10


def metrics(lens: Lens) -> dict[str, Metric]:
    """The metrics of the kind of item, most important first; rows outside of the mask count as unscored."""
    made = {"trace": _trace, "rating": _rating, "choice": _choice, "pair": _pair}[lens.kind]
    return {name: _once(metric) for name, metric in made(lens).items()}


def chance_of(lens: Lens, metric: str, judge: str) -> float | None:
    """What a judge that knows nothing would get, where that is known.

    For choices it is the mean of 1 / (number of options), counted from the scores of the judge: judges differ in
    whether "None of the above" and "I don't know" take part.
    """
    if metric == "accuracy" and lens.kind == "choice":
        sizes = [len(row.scores) for row in lens.table.column(judge) if row is not None and row.scores]
        return sum(1 / size for size in sizes) / len(sizes) if sizes else None
    return CHANCE.get(metric)


def scored_by(lens: Lens, metric: str, judge: str) -> list[bool]:
    """Which items a judge scored for a metric: in both forms of the item where the metric needs both."""
    forms = lens.forms if metric in BOTH_FORMS else lens.forms[:1]
    return [all(each) for each in zip(*(lens.scored(judge, order=form) for form in forms), strict=True)]


def criteria(lens: Lens) -> dict[str, list[bool]]:
    """Name of each criterion's figure -> which items are of it; none with one criterion, or with too many.

    A criterion is named by what stands before its colon, cut at 40 characters; names that would be the same get a
    number. Items without a criterion are a group of their own.
    """
    tags = lens.table.tag("criterion")
    found: dict[str, list[bool]] = {}
    for tag in dict.fromkeys(tags):
        short = "no criterion" if tag is None else str(tag).split(":")[0].strip()[:40]
        taken = (f"{short} ({k})" for k in count(2))
        name = next(n for n in chain([short], taken) if f"Spearman [{n}]" not in found)
        found[f"Spearman [{name}]"] = [one == tag for one in tags]
    return found if 1 < len(found) <= MOST_CRITERIA else {}


def _once(metric: Metric) -> Metric:
    """Each judge's metric is made once, for its figure and for the differences that it is part of."""
    kept = cache(metric)
    return lambda judge, mask: kept(judge, tuple(mask))


def _trace(lens: Lens) -> dict[str, Metric]:
    truths, groups, table = lens.truths, lens.groups, lens.table
    answers = [normalise(answer) for answer in table.answers]
    most = max(Counter(groups).values(), default=0)

    def of(function: Callable[..., Statistic], *more: Any) -> Metric:
        return lambda j, m: function(truths, masked(table.scores(j), m), *more)

    def picked(rule: Rule) -> Metric:
        return lambda j, m: selection_accuracy(answers, masked(table.scores(j), m), truths, groups, rule=rule)

    votes = (Rule("top-maj", k=k) for k in lens.settings.top_maj if k <= most)
    return {
        "AUROC within questions": of(measures.within_question_auroc, groups),
        "AUROC": of(measures.auroc),
        "top@1": picked(Rule("best-of-n")),
        "pairs won within questions": of(measures.wqd, groups),
        "AUPRC": of(measures.auprc),
        "AUPRC within questions": of(measures.within_question_auprc, groups),
        "balanced accuracy": lambda j, m: measures.balanced_accuracy(truths, masked(table.labels(j), m)),
    } | {str(rule): picked(rule) for rule in votes}


def _rating(lens: Lens) -> dict[str, Metric]:
    human, parts = as_floats(lens.truths), criteria(lens)
    quality = [None if value is None else float(value) for value in lens.table.tag("quality")]

    def of(function: Callable[..., Statistic], truth: Sequence[Any], keep: Sequence[bool] | None = None) -> Metric:
        def metric(judge: str, mask: Sequence[bool]) -> Statistic:
            scores = masked(lens.table.scores(judge), mask)
            return function(truth, scores if keep is None else masked(scores, keep))

        return metric

    functions = {"Spearman": spearman, "Pearson": pearson, "Kendall": kendall}
    pooled = {name: of(function, human) for name, function in functions.items()}
    noiseless = {"Spearman, noiseless": of(spearman, quality)} if quality and None not in quality else {}
    if not parts:
        return {"Spearman": pooled["Spearman"], **noiseless, **pooled}
    # Criteria have levels of their own: pooled, a judge would gain by knowing which one it is asked about.
    within = {n: _mean_of([of(f, human, keep) for keep in parts.values()]) for n, f in functions.items()}
    found = {"Spearman": within["Spearman"], **noiseless, **within}
    found |= {name: of(spearman, human, keep) for name, keep in parts.items()}
    return found | {f"{name}, criteria pooled": metric for name, metric in pooled.items()}


def _mean_of(parts: Sequence[Metric]) -> Metric:
    """Mean over criteria of a correlation within each; criteria on which it is undefined are left out."""

    def metric(judge: str, mask: Sequence[bool]) -> Statistic:
        made = [part(judge, mask) for part in parts]
        defined = [one for one in made if one.value is not None]
        if len(defined) < 2:
            return (defined or made)[0]
        return combine(defined, lambda *values: sum(values) / len(values), limits=SIGNED)

    return metric


def _choice(lens: Lens) -> dict[str, Metric]:
    truths, table = lens.truths, lens.table

    def rights(judge: str, mask: Sequence[bool]) -> list[list[Any]]:
        return [masked(lens.rights(judge, order=order), mask) for order in ("given", "permuted")]

    return {
        "accuracy": lambda j, m: measures.accuracy(truths, masked(table.labels(j), m)),
        "accuracy, options also permuted": lambda j, m: measures.permutation_accuracy(*rights(j, m)),
        UNSCORED_WRONG: lambda j, _: measures.accuracy(truths, table.labels(j), unscored="wrong"),
    }


def _pair(lens: Lens) -> dict[str, Metric]:
    truths, table = lens.truths, lens.table

    def orders(judge: str, mask: Sequence[bool]) -> tuple[list[Any], list[Any]]:
        return masked(table.labels(judge), mask), masked(table.labels(judge, order="swapped"), mask)

    return {
        "accuracy in both orders": lambda j, m: measures.pair_accuracy(truths, *orders(j, m)),
        "accuracy, one order at random": lambda j, m: accuracy_random(truths, *orders(j, m)),
        # In the order of the data alone: for imported judges that saw no other.
        "accuracy as shown": lambda j, m: measures.pair_accuracy(truths, *[orders(j, m)[0]] * 2),
    }
