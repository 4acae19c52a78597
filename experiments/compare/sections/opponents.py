"""The answer first: the best judge against the strongest of its opponents, and what its figure is worth.

A judge is called better only where it is better than every opponent: the largest p-value of its paired differences
counts (an intersection-union test, Berger 1982), corrected for the number of judges. So no correction is needed for
which opponent is the strongest, and none has to be picked beforehand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...data.answers import normalise
from ...judges.panel import OPPONENTS
from ...selection.reranking import selection_accuracy
from ...selection.rules import Rule
from ...stats.intervals import Difference, difference, holm
from ...stats.metrics.accuracy import auroc, decomposition
from ...stats.statistic import Statistic
from ..figures import Cell, Figure, Grid, Section, grid, section, split_of_auroc, worded
from ..lens import Lens, Metric
from ..metrics import metrics, scored_by
from ..trace_blind import PASS_RATE, RANDOM, of_another, pass_rate

KEY = "opponents"


@dataclass(frozen=True, slots=True)
class Standing:
    """A judge that is not an opponent: its figure, its closest opponent's, and the difference, tested as above."""

    own: Figure
    closest: Figure
    gap: Figure


def opponents(lens: Lens) -> Section | None:
    """Every judge against all its opponents, best first; for traces also what its AUROC is made of.

    The metric is the first that has figures. ``None`` if all judges are opponents, or none is.
    """
    stands: list[Standing] = []
    for main, metric in metrics(lens).items():
        figures = {j: lens.figure(KEY, j, main, metric(j, scored_by(lens, main, j))) for j in lens.judges}
        known = {judge: one for judge, one in figures.items() if one.value is not None}
        theirs = [judge for judge in known if lens.families[judge] in OPPONENTS]
        if stands := standings(lens, main, metric, known, theirs):
            break  # else no question has a right and a wrong answer, and the next metric is the pooled one
    if not stands:
        return None
    better = [one.own.judge for one in stands if one.gap.verdict == "better"]
    found = worded(KEY, best=stands[0], better=better, n=len(stands), theirs=len(theirs))
    rows: list[list[Cell]] = [[one.own.judge, one.own, one.closest.judge, one.closest, one.gap] for one in stands]
    grids = [grid("opponents", rows, main=main)]
    if lens.kind == "trace":
        best = stands[0].own.judge
        scores = lens.table.scores(best)
        parts, (other, blind) = decomposition(lens.truths, scores, lens.groups), _shuffled(lens, best, scores)
        split = None if parts is None else split_of_auroc(*parts)
        found += worded(f"{KEY} of traces", judge=best, split=split, other=other, blind=blind)
        found += _choosing(lens, best)
        grids.append(_made_of(lens, [one.own.judge for one in stands] + theirs))
    return section(KEY, "Against its opponents", found, grids)


def standings(
    lens: Lens, main: str, metric: Metric, figures: Mapping[str, Figure], theirs: Sequence[str]
) -> list[Standing]:
    """Each judge that is not an opponent against all of them, highest figure first; none without a common item."""
    scored = {judge: scored_by(lens, main, judge) for judge in figures}
    closest: dict[str, tuple[str, Difference]] = {}
    for judge in figures:
        made: dict[str, Difference] = {}
        for other in theirs if judge not in theirs else ():
            both = [a and b for a, b in zip(scored[judge], scored[other], strict=True)]
            made[other] = difference(metric(judge, both), metric(other, both), lens.groups)
        if seen := {o: d for o, d in made.items() if d.interval.value is not None}:
            name = min(seen, key=lambda o: seen[o].interval.value or 0.0)
            # Without a p-value, or where an opponent is ahead, there is no claim of better.
            p = max(1.0 if d.p is None or (d.interval.value or 0.0) <= 0 else d.p for d in seen.values())
            closest[judge] = name, replace(seen[name], p=p)
    corrected = holm([one for _, one in closest.values()])
    found = []
    for (judge, (name, _)), one in zip(closest.items(), corrected, strict=True):
        found.append(Standing(figures[judge], figures[name], lens.gap(KEY, judge, main, one, against=name)))
    return sorted(found, key=lambda one: -(one.own.value or 0.0))


def _shuffled(lens: Lens, judge: str, scores: Sequence[float | None]) -> list[Figure]:
    """The AUROC of a judge on what is not about the answer: another one's score, the question's state at random."""
    tags = [row and row.tags.get(RANDOM) for row in lens.table.column(judge)]
    some = {
        "score of another candidate": of_another(scores, lens.groups),
        "random projections of the question": [float(tag) if tag and tag != "None" else None for tag in tags],
    }
    return [lens.describe(KEY, judge, f"AUROC, {name}", auroc(lens.truths, one)) for name, one in some.items()]


def _choosing(lens: Lens, judge: str) -> list[str]:
    """Whether picking by a judge among the answers of a question does better than no judge."""
    answers = [normalise(answer) for answer in lens.table.answers]

    def picked(rule: str, scores: Sequence[float | None]) -> Statistic:
        return selection_accuracy(answers, scores, lens.truths, lens.groups, rule=Rule(rule))

    own = picked("best-of-n", lens.table.scores(judge))
    if own.value is None or lens.n_groups == len(lens.groups):
        return []
    told, shown = [], 0
    rules = {"random": "one at random", "majority": "the majority's"}
    for rule, words in rules.items() if any(answers) else [("random", rules["random"])]:
        other = picked(rule, [None] * len(answers))
        gain = lens.gap(KEY, judge, "top@1", difference(own, other, lens.groups), against=rule)
        told.append((words, lens.figure(KEY, rule, "top@1", other), gain))
        shown += gain.low is not None and gain.low > 0
    right = lens.figure(KEY, judge, "top@1", own)
    return worded(f"{KEY} at choosing", judge=judge, own=right, told=told, shown=shown)


def _made_of(lens: Lens, judges: Sequence[str]) -> Grid:
    """The pairs behind each pooled AUROC, and that of another candidate's score; the pass rate of the others beside."""
    rows: list[list[Cell]] = []
    blind = pass_rate([None if t is None else float(t) for t in lens.truths], lens.groups)
    columns = {judge: lens.table.scores(judge) for judge in judges}
    for judge, scores in {**columns, PASS_RATE: list(blind)}.items():
        parts = decomposition(lens.truths, scores, lens.groups) or (None, None, None, None)
        shuffled = (one if one.n else None for one in _shuffled(lens, judge, scores))
        rows.append([judge, *(None if part is None else round(part, 3) for part in parts), *shuffled])
    return grid("opponents of traces", rows, folded=True)
