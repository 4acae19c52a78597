"""Labels that the judges together contradict, and every judge's figure when they are repaired."""

from __future__ import annotations

from ....models.errors import InnerjudgeError
from ...lab.label_errors import repaired, suspects
from ...lab.recalibration import Platt
from ...metrics import auroc, within_question_auroc
from ..figures import Cell, Section, grid
from ..lens import Lens

KEY = "labels"
#: Suspects listed in the report; all are counted.
_LISTED = 20


def labels(lens: Lens, *, threshold: float) -> Section | None:
    """Suspects by confidence; AUROC of each judge on given labels, and on labels repaired by the *other* judges."""
    if lens.kind != "trace":
        return None
    voters = [j for j in lens.judges if lens.families[j] not in ("baseline", "people")]
    p = {j: made for j in voters if (made := _probability(lens, j)) is not None}
    if len(p) < 3:
        return None
    truth = [None if v is None else bool(v) for v in lens.labels]
    flagged = suspects(truth, list(p.values()), threshold=threshold)
    listed: list[list[Cell]] = [
        [
            " / ".join(lens.table.items[s.row][1:]),
            "right" if s.label else "wrong",
            round(s.probability, 3),
            round(s.confidence, 3),
            s.judges,
        ]
        for s in flagged[:_LISTED]
    ]
    rows: list[list[Cell]] = []
    for judge in lens.judges:
        others = [made for name, made in p.items() if name != judge]
        fixed = repaired(truth, suspects(truth, others, threshold=threshold))
        scores = lens.table.scores(judge)
        figures = {
            "AUROC, labels as given": auroc(truth, scores),
            "AUROC, labels repaired": auroc(fixed, scores),
            "within questions, as given": within_question_auroc(truth, scores, lens.groups),
            "within questions, repaired": within_question_auroc(fixed, scores, lens.groups),
        }
        rows.append([judge, *(lens.describe(KEY, judge, name, s) for name, s in figures.items())])
    columns = ["judge", "AUROC as given", "AUROC repaired", "within questions as given", "within questions repaired"]
    share = len(flagged) / max(sum(v is not None for v in truth), 1)
    said = (
        f"{len(flagged)} of {sum(v is not None for v in truth)} labels ({share:.1%}) are contradicted by the mean of "
        f"{len(p)} judges with a confidence of at least {threshold:g}. A suspect is a question to an expert, no proof: "
        "the judges read one model and share its mistakes; figures on repaired labels flatter judges like the ensemble."
    )
    return Section(
        key=KEY,
        title="Label errors",
        question="Which labels do the judges contradict when they are sure, and would the figures change without them?",
        found=(said,),
        grids=(
            grid("The surest suspects", ["item", "label", "mean probability right", "confidence", "judges"], listed),
            grid(
                "Figures on given and on repaired labels (repaired by all judges but the one in the row)", columns, rows
            ),
        ),
    )


def _probability(lens: Lens, judge: str) -> list[float | None] | None:
    seen = [None if v is None else bool(v) for v in lens.calibration.labels]
    try:
        return Platt().fit(lens.calibration.scores(judge), seen).predict(lens.table.scores(judge))
    except InnerjudgeError:
        return None
