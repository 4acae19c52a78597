"""Scores taken at their word: calibration fitted on its own questions, abstention, labels that scores contradict."""

from collections.abc import Sequence
from typing import Any

from ....models.errors import InnerjudgeError
from ...compare.figures import Cell, Grid, Plot, Section, grid, section, worded
from ...compare.lens import Lens, as_floats, within
from ...compare.report.draw import curves, diagonals
from ...data.verdict_table import Table
from ...stats.agreement.confusion import Votes, one_of, repaired, right_or_wrong, suspects
from ...stats.metrics import calibration as measures
from ...stats.metrics.abstention import accuracy_coverage, area_under_coverage, kept_accuracy, kept_share, threshold_for
from ...stats.metrics.accuracy import accuracy, auroc, pair_accuracy, within_question_auroc
from ...stats.metrics.calibration import METHODS, Method
from ...stats.statistic import Statistic

KEY = "calibration"


def calibration(lens: Lens) -> Section:
    """Probabilities of being right (or expected grades), before and after calibration; accuracy against coverage."""
    if lens.kind == "rating":
        return _ratings(lens)
    rows: list[list[Cell]] = []
    kept: list[list[Cell]] = []
    diagram: dict[str, Any] = {}
    coverage: dict[str, Any] = {}
    for judge in lens.judges:
        truth, scores = outcomes(lens.table, judge, lens.kind)
        learnt, seen = outcomes(lens.calibration, judge, lens.kind)
        fitted = {name: calibrated(name, seen, learnt, scores) for name in METHODS}
        p = fitted["platt"]
        if p is None:
            continue
        # Margins between options and distances from a tie are no probabilities, even where they lie between 0 and 1.
        raw = scores if lens.kind == "trace" and within(scores, 0, 1) else None
        if lens.kind != "trace":
            fitted["temperature"] = None
        cells: list[Cell] = [judge]
        for name, values in (("as given", raw), *fitted.items()):
            error = None if values is None else measures.expected_calibration_error(truth, values)
            cells.append(None if error is None else lens.figure(KEY, judge, f"ECE ({name})", error, good="lower"))
        cells.append(lens.figure(KEY, judge, "Brier (platt)", measures.brier(truth, p), good="lower"))
        rows.append(cells)
        bins = measures.reliability_diagram(truth, p, bins=8, by="mass")
        diagram[judge] = ([b.said for b in bins], [b.right for b in bins])
        right, sure = _certain(lens.table, judge, lens.kind, p)
        known = _certain(lens.calibration, judge, lens.kind, calibrated("platt", seen, learnt, seen) or [])
        threshold = threshold_for(*known, accuracy=lens.settings.target_accuracy)
        line = accuracy_coverage(right, sure)
        coverage[judge] = (line.coverage.tolist(), line.accuracy.tolist())
        area = lens.figure(KEY, judge, "area under accuracy-coverage", area_under_coverage(right, sure))
        above: list[Cell] = [None, None, None]
        if threshold is not None:
            accuracy = kept_accuracy(right, sure, threshold=threshold)
            above = [round(threshold, 3), lens.figure(KEY, judge, "accuracy above the threshold", accuracy)]
            share = kept_share(right, sure, threshold=threshold)
            above.append(lens.describe(KEY, judge, "coverage above the threshold", share))
        kept.append([judge, area, *above])
    said = "Reliability diagram (Platt scaling fitted on other questions)"
    points = [[j, round(x, 3), round(y, 3)] for j, line in diagram.items() for x, y in zip(*line, strict=True)]
    plots = [diagonals(lens, "reliability", said, diagram, behind=grid("calibration bins", points))]
    heading, axes = "Accuracy against coverage", {"x": "share of verdicts kept, surest first", "y": "accuracy"}
    plots.append(curves(lens.data, "coverage", heading, coverage, **axes, behind=_deciles(coverage)))
    errors = grid("calibration errors", rows, [f"ECE, {n}" for n in METHODS])
    target = f"{lens.settings.target_accuracy:.0%}"
    grids = [errors, grid("calibration abstention", kept, target=target)]
    reach, never = (", ".join(str(row[0]) for row in kept if (row[2] is None) is lost) for lost in (False, True))
    found = [f"Reach {target} on the calibration questions if they may abstain: {reach}."] if reach else []
    found += [f"Do not reach it at any level of certainty: {never}."] if never else []
    return section(KEY, "Calibration and abstention", found, grids, plots)


def outcomes(table: Table, judge: str, kind: str) -> tuple[list[bool | None], list[float | None]]:
    """What a judge's score is about: whether the answer is right (traces), or its own verdict (choices, pairs)."""
    rows = table.column(judge)
    if kind == "trace":
        return [None if v is None else bool(v) for v in table.truths], table.scores(judge)
    right = [None if row is None or row.truth == "tie" else row.right for row in rows]
    scores = table.scores(judge)
    if kind == "pair":  # certainty: how far from undecided
        middle = 0.5 if within(scores, 0, 1) else 0.0
        return right, [None if s is None else abs(s - middle) for s in scores]
    return right, scores


def calibrated(name: Method, scores: Any, labels: Any, new: Any) -> list[float | None] | None:
    """New scores by a calibration fitted on others; ``None`` where it cannot be fitted."""
    try:
        return METHODS[name]().fit(scores, labels).predict(new)
    except InnerjudgeError:
        return None


def _certain(
    table: Table, judge: str, kind: str, p: list[float | None]
) -> tuple[list[bool | None], list[float | None]]:
    """Whether the calibrated verdict is right, and how sure it is."""
    truth, _ = outcomes(table, judge, kind)
    if kind != "trace":
        return truth, p
    right = [None if t is None or v is None else (v > 0.5) == t for t, v in zip(truth, p, strict=True)]
    return right, [None if v is None else max(v, 1 - v) for v in p]


def _deciles(coverage: dict[str, Any]) -> Grid:
    """Accuracy where so large a share of the verdicts is kept; the first step that keeps at least that."""
    shares = (0.1, 0.25, 0.5, 0.75, 1.0)
    rows = []
    for judge, (xs, ys) in coverage.items():
        at = [next((round(y, 3) for x, y in zip(xs, ys, strict=True) if x >= share - 1e-9), None) for share in shares]
        rows.append([judge, *at])
    return grid("calibration surest", rows, [f"{share:.0%} kept" for share in shares])


def _ratings(lens: Lens) -> Section:
    """Expected grades against human means, as given and put on the human scale by isotonic regression."""
    human, learnt = as_floats(lens.truths), as_floats(lens.calibration.truths)
    rows: list[list[Cell]] = []
    plots: dict[str, Any] = {}
    for judge in lens.judges:
        scores, seen = lens.table.scores(judge), lens.calibration.scores(judge)
        fitted = calibrated("isotonic", seen, learnt, scores)
        if fitted is None:
            continue
        cells: list[Cell] = [judge, None, None]
        if within(scores, *lens.settings.scale):
            cells[1] = lens.zero(KEY, judge, "mean of grade less human", measures.score_bias(human, scores))
            cells[2] = lens.figure(KEY, judge, "mean distance", measures.score_error(human, scores), good="lower")
        after = lens.figure(KEY, judge, "mean distance (isotonic)", measures.score_error(human, fitted), good="lower")
        rows.append([*cells, after])
        steps = sorted({(round(s, 2), round(f, 3)) for s, f in zip(scores, fitted, strict=True) if s is not None and f})
        plots[judge] = ([s for s, _ in steps], [f for _, f in steps])
    inside = {j: v for j, v in plots.items() if within(v[0], *lens.settings.scale)}
    ends = [
        [judge, f"{x[0]:.2f} \N{RIGHTWARDS ARROW} {y[0]:.2f}", f"{x[-1]:.2f} \N{RIGHTWARDS ARROW} {y[-1]:.2f}"]
        for judge, (x, y) in inside.items()
    ]
    table = grid("calibration ends", ends)
    plot: Plot | None = curves(lens.data, "expected", "What a grade stands for", inside, x="judge's grade",
                               y="human mean (isotonic, other questions)", behind=table)  # fmt: skip
    whole = grid("calibration grades", rows)
    return section(KEY, "Calibration of grades", [], [whole], [plot], asks="calibration of grades")


LABELS = "labels"
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
        rows.append([judge, *(lens.describe(LABELS, judge, name, s) for name, s in figures.items())])
    n = sum(v is not None for v in given)
    said = worded(LABELS, flagged=len(flagged), n=n, judges=len(votes), threshold=threshold)
    grids = [grid("labels suspects", listed), grid("labels repaired", rows, names)]
    return section(LABELS, "Label errors", said, grids)


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
    return {"accuracy in both orders": pair_accuracy(truth, said, lens.table.labels(judge, order="swapped"))}


def _spelt(label: Any, kind: str) -> str:
    return ("right" if label else "wrong") if kind == "trace" else str(label)
