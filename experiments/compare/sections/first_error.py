"""Where the first error is: judges that score each step beside opponents that read no state; best-of-N by steps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.base import clone

from ....models.items import Item, Trace
from ....probes.labels import folds
from ...data.answers import normalise
from ...judges.fitting import fit_seat
from ...selection.reranking import selection_accuracy
from ...selection.rules import Rule
from ...stats.metrics import steps as measures
from ...stats.metrics.accuracy import auroc, within_question_auroc
from ...stats.statistic import Statistic
from ..figures import Cell, Figure, Section, grid, section, worded
from ..lens import Lens, differences, masked
from ..results import Outcome

if TYPE_CHECKING:
    from ..judging import Judging

KEY, F1 = "steps", "F1 of the first error"
_SHOWN = ("exact, with an error", "exact, without", "AUROC of steps", "AUROC within traces")


def with_borders(run: "Judging", outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes; those with scores of steps have the border below which a step counts as wrong, if any is known."""
    return [replace(o, border=_border(run, o.judge)) if any(v.step_scores for v in o.verdicts) else o for o in outcomes]


def _border(run: "Judging", name: str) -> float | None:
    """The best border on the fitting half, where each item is scored by a judge fitted on other questions."""
    judge, items = run.seats[name].judge, cast(Sequence[Trace], run.items)
    known = np.array([k for k in run.fit if items[k].first_error is not None], dtype=np.intp)
    part, labels, scores = run.features["items"].take(known), run.labels_of(judge), dict[int, Any]()
    for train, test in folds(part.groups) if len(known) else ():
        fold = clone(judge)
        fit_seat("", fold, part, [labels[k] for k in known], train)
        said = fold.verdicts(part.take(test)) if fold.provenance_ else ()
        scores |= {int(k): one.step_scores for k, one in zip(test, said, strict=False)}
    return measures.best_border([scores.get(k) for k in range(len(known))], [items[k].first_error for k in known])


def first_errors(lens: Lens, items: Sequence[Item], borders: Mapping[str, float]) -> Section | None:
    """ProcessBench's figures, how steps are told apart, and best-of-N by scores of steps; ``None`` without any."""
    held = {(lens.data, i.group, i.candidate_id): i for i in items if isinstance(i, Trace)}
    traces = [held.get(key) for key in lens.table.items]
    first = [None if one is None else one.first_error for one in traces]
    judges = [judge for judge in lens.judges if judge in borders]
    if not judges or all(one is None for one in first):
        return None
    columns = {judge: lens.table.column(judge) for judge in judges}
    scores: dict[str, list[Any]] = {j: [row and row.step_scores for row in rows] for j, rows in columns.items()}
    said = {judge: measures.first_below(scores[judge], borders[judge]) for judge in judges}

    def f1(judge: str, mask: Sequence[bool]) -> Statistic:
        return measures.first_error_f1(masked(first, mask), said[judge])

    def shown(judge: str) -> list[Figure]:
        pairs = enumerate(zip(traces, scores[judge], strict=True))
        steps = [(k, *one) for k, (t, s) in pairs if t and s for one in zip(t.step_labels or (), s, strict=False)]
        of, told, found = zip(*steps, strict=True) if steps else ((), (), ())
        exact = [measures.first_error_accuracy(first, said[judge], wrong=wrong) for wrong in (True, False)]
        made, groups = (
            [*exact, auroc(told, found), within_question_auroc(told, found, of)],
            [lens.groups[k] for k in of],
        )
        by = (lens.groups, lens.groups, groups, groups)
        return [lens.figure(KEY, judge, n, one, groups=g) for n, one, g in zip(_SHOWN, made, by, strict=True)]

    answers, best_of_n = [normalise(answer) for answer in lens.table.answers], Rule("best-of-n")

    def picked(judge: str, how: str) -> Figure:
        column = measures.aggregated(scores[judge], how)
        found = selection_accuracy(answers, column, lens.truths, lens.groups, rule=best_of_n)
        return lens.figure(KEY, judge, f"top@1 by {how}", found)

    every = [True] * len(first)
    figures = {judge: lens.figure(KEY, judge, F1, f1(judge, every)) for judge in judges}
    ranked = sorted((f for f in figures.values() if f.value is not None), key=lambda f: -(f.value or 0.0))
    rival = next((f for f in ranked if lens.families[f.judge] == "baseline"), None)
    gaps = {} if rival is None else differences(lens, KEY, F1, f1, dict.fromkeys(judges, every), against=rival.judge)
    rows: list[list[Cell]] = [[j, figures[j], gaps.get(j), *shown(j), borders[j]] for j in judges]
    picks: list[list[Cell]] = [[j, *(picked(j, how) for how in measures.AGGREGATES)] for j in judges]
    against = rival.judge if rival else "none"
    words = worded(KEY, best=ranked[0], rival=rival, gap=gaps.get(ranked[0].judge)) if ranked else []
    grids = [
        grid("steps", rows, _SHOWN, families=lens.families, f1=F1, rival=against),
        grid("steps picks", picks, measures.AGGREGATES, families=lens.families, folded=True),
    ]
    return section(KEY, "Where it goes wrong", words, grids)
