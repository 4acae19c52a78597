"""Labels that the judges together contradict, and every judge's figure when they are repaired."""

from collections.abc import Sequence
from typing import Any

from ...compare.figures import Cell, Section, grid, section, worded
from ...compare.lens import Lens
from ...data.verdict_table import Table
from ...stats.agreement.confusion import Votes, one_of, repaired, right_or_wrong, suspects
from ...stats.metrics.accuracy import accuracy, auroc, pair_accuracy, within_question_auroc
from ...stats.statistic import Statistic
from .calibration import calibrated, outcomes

KEY = "labels"
#: Suspects listed in the report; all are counted.
_LISTED = 20


def labels(lens: Lens, *, threshold: float) -> Section | None:
    """Suspects by confidence; figures of each judge on given labels, and on labels repaired by the *other* judges.

    Not for ratings: a grade one step from another is not an error.
    """
    if lens.kind == "rating":
        return None
    voters = [j for j in lens.judges if lens.families[j] not in ("baseline", "people")]
    votes = {j: made for j in voters if (made := votes_of(lens, j)) is not None}
    if len(votes) < 3:
        return None
    given = known_labels(lens.table, lens.kind)
    flagged = suspects(given, list(votes.values()), threshold=threshold)
    items, kind = lens.table.items, lens.kind
    listed: list[list[Cell]] = [
        [" / ".join(items[s.row][1:]), _spelt(s.label, kind), _spelt(s.instead, kind), round(s.confidence, 3), s.judges]
        for s in flagged[:_LISTED]
    ]
    rows: list[list[Cell]] = []
    names: list[str] = []
    for judge in lens.judges:
        others = [made for name, made in votes.items() if name != judge]
        fixed = repaired(given, suspects(given, others, threshold=threshold))
        before, after = (_figures(lens, judge, truth) for truth in (given, fixed))
        figures = {
            f"{name}, labels {how}": made[name]
            for name in before
            for how, made in (("as given", before), ("repaired", after))
        }
        names = list(figures)
        rows.append([judge, *(lens.describe(KEY, judge, name, s) for name, s in figures.items())])
    n = sum(v is not None for v in given)
    said = worded(KEY, flagged=len(flagged), n=n, judges=len(votes), threshold=threshold)
    grids = [grid("labels suspects", listed), grid("labels repaired", rows, names)]
    return section(KEY, "Label errors", said, grids)


def known_labels(table: Table, kind: str) -> list[Any]:
    """Labels that can be wrong: right or wrong, an option, a preference that is no tie; ``None`` for others."""
    if kind == "trace":
        return [None if v is None else bool(v) for v in table.truths]
    return [None if v == "tie" else v for v in table.truths]


def votes_of(lens: Lens, judge: str) -> Votes | None:
    """A judge's probability of every class, calibrated on the calibration side; ``None`` where there is none.

    Of traces and pairs it comes from the score (of pairs the mean over both orders); of choices from how sure the judge
    is of its pick, the other options sharing the rest.
    """
    seen, new = lens.calibration, lens.table
    if lens.kind == "choice":
        right, sure = outcomes(seen, judge, lens.kind)
        p = calibrated("platt", sure, right, outcomes(new, judge, lens.kind)[1])
        said = new.labels(judge)
        every = (known_labels(side, lens.kind) + side.labels(judge) for side in (seen, new))
        options = sorted({v for side in every for v in side if v is not None}, key=str)
        return None if p is None or len(options) < 2 else one_of(said, p, options=options)
    truth = known_labels(seen, lens.kind)
    if lens.kind == "pair":
        p = calibrated("platt", _both(seen, judge), [None if v is None else v == "a" for v in truth], _both(new, judge))
        return None if p is None else right_or_wrong(p, classes=("a", "b"))
    p = calibrated("platt", seen.scores(judge), truth, new.scores(judge))
    return None if p is None else right_or_wrong(p)


def _both(table: Table, judge: str) -> list[float | None]:
    """Mean score over both orders, or that of the one there is."""
    found: list[float | None] = []
    for each in zip(table.scores(judge), table.scores(judge, order="swapped"), strict=True):
        scores = [s for s in each if s is not None]
        found.append(sum(scores) / len(scores) if scores else None)
    return found


def _figures(lens: Lens, judge: str, truth: Sequence[Any]) -> dict[str, Statistic]:
    scores, said = lens.table.scores(judge), lens.table.labels(judge)
    if lens.kind == "trace":
        within = within_question_auroc(truth, scores, lens.groups)
        return {"AUROC": auroc(truth, scores), "AUROC within questions": within}
    if lens.kind == "choice":
        return {"accuracy": accuracy(truth, said)}
    turned = lens.table.labels(judge, order="swapped")
    return {"accuracy in both orders": pair_accuracy(truth, said, turned)}  # type: ignore[arg-type]


def _spelt(label: Any, kind: str) -> str:
    return ("right" if label else "wrong") if kind == "trace" else str(label)
