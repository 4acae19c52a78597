"""Who judges best: the figures of each kind of item, paired differences, and better than chance or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...stats.biases.position import accuracy_random
from ...stats.intervals import Interval
from ...stats.metrics.accuracy import accuracy, balanced_accuracy, pair_accuracy, permutation_accuracy
from ...stats.metrics.auroc import auroc, within_question_auroc, wqd
from ...stats.metrics.correlation import kendall, pearson, spearman
from ...stats.metrics.precision_recall import auprc, within_question_auprc
from ...stats.multiple import Difference, holm
from ...stats.permutation import better_than_chance
from ...stats.statistic import SIGNED, Statistic, combine
from ..draw import forest
from ..figures import Cell, Figure, Section, grid
from ..lens import Lens, Metric, as_floats

KEY = "accuracy"
#: Value of a judge that knows nothing, where the metric has one.
CHANCE = {"AUROC": 0.5, "AUROC within questions": 0.5, "pairs won within questions": 0.5, "balanced accuracy": 0.5,
          "Spearman": 0.0, "Pearson": 0.0, "Kendall": 0.0, "accuracy, one order at random": 0.5,
          "accuracy as shown": 0.5}  # fmt: skip


def metrics(lens: Lens) -> dict[str, Metric]:
    """The metrics of the kind of item, most important first."""
    made = {"trace": _trace, "rating": _rating, "choice": _choice, "pair": _pair}[lens.kind]
    return {name: _once(metric) for name, metric in made(lens).items()}


def _once(metric: Metric) -> Metric:
    """Each judge's metric is made once, for its figure and for the differences that it is part of."""
    known: dict[tuple[str, tuple[bool, ...]], Statistic] = {}

    def of(judge: str, mask: Sequence[bool]) -> Statistic:
        key = judge, tuple(mask)
        if key not in known:
            known[key] = metric(judge, mask)
        return known[key]

    return of


def headline(lens: Lens) -> Section:
    """Figures of every judge, its paired difference to :attr:`Lens.against`, and the test against chance."""
    found = metrics(lens)
    main = next(iter(found))
    scored = {judge: _scored(lens, judge, main) for judge in lens.judges}
    everything = [True] * len(lens.labels)
    gaps = lens.differences(KEY, main, found[main], lens.judges, scored)
    rows: list[list[Cell]] = []
    figures: dict[str, Figure] = {}
    for judge in lens.judges:
        cells: list[Cell] = []
        for name, metric in found.items():
            null = CHANCE.get(name) if name != "AUROC within questions" else None
            figure = lens.figure(KEY, judge, name, metric(judge, everything), null=null)
            cells.append(figure)
            figures.setdefault(judge, figure)
        rows.append([judge, cells[0], gaps.get(judge), *cells[1:], sum(scored[judge]), _lost(scored[judge])])
    columns = ["judge", main, f"less {lens.against}", *list(found)[1:], "items", "unscored"]
    tests = _chance_tests(lens) if lens.kind == "trace" else ()
    plot = forest(lens, "ranking", main, list(figures.values()), mark=CHANCE.get(main))
    return Section(
        key=KEY,
        title="Who judges best",
        question=_QUESTION[lens.kind],
        found=tuple(_said(lens, main, figures, gaps)),
        grids=(grid("Every judge on the reported questions", columns, rows), *tests),
        plots=(plot,) if plot else (),
    )


_QUESTION = {
    "trace": "Does a judge tell right from wrong answers, and above all among the answers to one question?",
    "rating": "Does a judge rank responses as people do?",
    "choice": "Does a judge pick the right option, wherever it stands?",
    "pair": "Does a judge prefer the response that people prefer, whichever is shown first?",
}


def _said(lens: Lens, main: str, figures: dict[str, Figure], gaps: dict[str, Figure]) -> list[str]:
    known = [f for f in figures.values() if f.value is not None]
    if not known:
        return [f"No judge has a figure for {main}: {next(iter(figures.values())).reason if figures else 'no judge'}."]
    best = max(known, key=lambda f: f.value or 0.0)
    said = [f"Highest {main}: {best.judge} with {spelt(best)}. The highest of several figures flatters its judge."]
    if not gaps:
        return [*said, _nothing_to_compare_with(lens)]
    for verdict, words in (("better", "Better than"), ("worse", "Worse than")):
        names = [f"{g.judge} by {spelt(g, sign=True)}" for g in gaps.values() if g.verdict == verdict]
        if names:
            said.append(f"{words} {lens.against} after correction for {len(gaps)} judges: {'; '.join(names)}.")
        elif verdict == "better":
            said.append(f"No judge is better than {lens.against} after correction for {len(gaps)} judges.")
    level = [g.judge for g in gaps.values() if g.verdict == "not told apart" and g.value is not None]
    if level:
        said.append(f"Not told apart from {lens.against}, which does not mean equal: {', '.join(level)}.")
    return said


def _nothing_to_compare_with(lens: Lens) -> str:
    why = lens.table.unscored(lens.against)
    there = f"{lens.against} has no verdict on any reported item ({max(why, key=lambda w: why[w])})" if why else ""
    return f"{there or f'There is no judge named {lens.against} to compare with'}: no claim of better is made."


def spelt(figure: Figure, *, sign: bool = False) -> str:
    """A figure in a sentence: value and interval.

    Example:
        >>> spelt(Figure(data="d", part="p", judge="j", metric="m", value=0.512, low=0.4, high=0.61))
        '0.51 [0.40, 0.61]'
    """
    from ...drawing.spelling import number

    ends = "" if figure.low is None else f" [{number(figure.low)}, {number(figure.high)}]"
    return number(figure.value, sign=sign) + ends


def _chance_tests(lens: Lens) -> tuple[Any, ...]:
    rows: list[list[Cell]] = []
    made = []
    for judge in lens.judges:
        test = better_than_chance(lens.labels, lens.table.scores(judge), lens.groups, n_permutations=1000)
        made.append((judge, test))
    tests = [
        Difference(interval=Interval(value=test.value, low=None, high=None, n=test.n), p=test.p) for _, test in made
    ]
    for (judge, test), corrected in zip(made, holm(tests), strict=True):
        figure = Figure(
            data=lens.data,
            part=KEY,
            judge=judge,
            metric="permutation test within questions",
            value=test.value,
            n=test.n,
            reason=test.reason,
            p=test.p,
            p_corrected=corrected.p_corrected,
            good="none",
        )
        p = [None if v is None else round(v, 4) for v in (figure.p, figure.p_corrected)]
        rows.append([judge, figure, *p, test.n])
    columns = ["judge", "AUROC within questions", "p", "p, corrected", "questions with both"]
    return (grid("Better than chance within questions (labels shuffled inside each question)", columns, rows),)


def _lost(scored: Sequence[bool]) -> int:
    return len(scored) - sum(scored)


def _scored(lens: Lens, judge: str, main: str) -> list[bool]:
    forms = lens.forms[:1] if main == "accuracy" else lens.forms
    return [all(each) for each in zip(*(lens.scored(judge, order=form) for form in forms), strict=True)]


def _trace(lens: Lens) -> dict[str, Metric]:
    labels, groups, table = lens.labels, lens.groups, lens.table

    def of(function: Callable[..., Statistic], *more: Any) -> Metric:
        return lambda j, m: function(labels, lens.masked(table.scores(j), m), *more)

    return {
        "AUROC within questions": of(within_question_auroc, groups),
        "AUROC": of(auroc),
        "pairs won within questions": of(wqd, groups),
        "AUPRC": of(auprc),
        "AUPRC within questions": of(within_question_auprc, groups),
        "balanced accuracy": lambda j, m: balanced_accuracy(labels, lens.masked(table.verdicts(j), m)),
    }


def _rating(lens: Lens) -> dict[str, Metric]:
    labels = as_floats(lens.labels)
    parts = lens.in_criteria()

    def of(function: Callable[..., Statistic]) -> Metric:
        def metric(judge: str, mask: Sequence[bool]) -> Statistic:
            scores = lens.masked(lens.table.scores(judge), mask)
            made = [function(labels, lens.masked(scores, part)) for part in parts]
            defined = [one for one in made if one.value is not None]
            return (
                combine(defined, lambda *v: sum(v) / len(v), limits=SIGNED)
                if len(defined) > 1
                else (defined or made)[0]
            )

        return metric

    return {"Spearman": of(spearman), "Pearson": of(pearson), "Kendall": of(kendall)}


def _choice(lens: Lens) -> dict[str, Metric]:
    labels, table = lens.labels, lens.table

    def both(judge: str, mask: Sequence[bool]) -> Statistic:
        given, other = lens.rights(judge), lens.rights(judge, order="permuted")
        return permutation_accuracy(lens.masked(given, mask), lens.masked(other, mask))

    return {
        "accuracy": lambda j, m: accuracy(labels, lens.masked(table.verdicts(j), m)),
        "accuracy, options also permuted": both,
    }


def _pair(lens: Lens) -> dict[str, Metric]:
    labels, table = lens.labels, lens.table

    def orders(judge: str, mask: Sequence[bool]) -> tuple[list[Any], list[Any]]:
        return lens.masked(table.verdicts(judge), mask), lens.masked(table.verdicts(judge, order="swapped"), mask)

    return {
        "accuracy in both orders": lambda j, m: pair_accuracy(labels, *orders(j, m)),
        "accuracy, one order at random": lambda j, m: accuracy_random(labels, *orders(j, m)),
        "accuracy as shown": lambda j, m: _as_shown(labels, orders(j, m)[0]),
    }


def _as_shown(labels: Sequence[Any], given: Sequence[Any]) -> Statistic:
    """In the order of the data alone: for imported judges that saw no other."""
    return pair_accuracy(labels, given, given)
