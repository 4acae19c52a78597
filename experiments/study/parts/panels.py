"""Several judges as one: chosen and weighted on the calibration questions, reported on the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ....models.errors import InnerjudgeError
from ...lab.panels import exam_weights, mean_jury, weighted_vote, without_family
from ...lab.recalibration import Isotonic, Platt
from ...lab.table import Row, Table
from ..figures import Cell, Section, grid
from ..lens import Lens, as_floats
from .headline import metrics

KEY = "panels"
#: Families that sit on no panel: they know nothing of the response, or are kept for comparison.
_NO_JURORS = ("baseline", "people", "panel")


def panels(lens: Lens) -> Section | None:
    """Mean jury, exam-weighted jury, majority, and the jury without hidden-state or text judges."""
    jurors = [j for j in lens.judges if lens.families[j] not in _NO_JURORS]
    if len(jurors) < 3:
        return None
    seen = {j: _on_one_scale(lens, j, lens.calibration) for j in jurors}
    here = {j: _on_one_scale(lens, j, lens.table) for j in jurors}
    jurors = [j for j in jurors if seen[j] is not None and here[j] is not None]
    if len(jurors) < 3:
        return None
    exam = {j: _exam(lens, seen[j] or []) for j in jurors}
    made: dict[str, list[float | None]] = {"mean jury": mean_jury([here[j] or [] for j in jurors])}
    try:
        weights = exam_weights(exam, passing=0.6, by="log-odds")
        chosen = list(weights)
        made["jury weighted by exam"] = mean_jury([here[j] or [] for j in chosen], weights=list(weights.values()))
    except InnerjudgeError:
        weights = {}
    votes = weighted_vote([[None if v is None else v > _middle(lens) for v in here[j] or []] for j in jurors])
    made["majority of verdicts"] = [None if v is None else float(bool(v)) for v in votes]
    families = {j: lens.families[j] for j in jurors}
    for family, words in (("hidden", "hidden-state"), ("text", "text")):
        left = without_family(families, family)
        if 2 <= len(left) < len(jurors):
            made[f"mean jury without {words} judges"] = mean_jury([here[j] or [] for j in left])
    widened = _with(lens, made)
    found = metrics(widened)
    main = next(iter(found))
    everything = [True] * len(lens.labels)
    scored = {name: [v is not None for v in widened.table.scores(name)] for name in (*made, *jurors)}
    best = max(exam, key=lambda j: exam[j])
    facing = replace(widened, against=best)
    gaps = facing.differences(KEY, main, found[main], [*made, best], scored)
    rows: list[list[Cell]] = [
        [
            name,
            *(widened.figure(KEY, name, m, of(name, everything)) for m, of in list(found.items())[:2]),
            gaps.get(name),
        ]
        for name in (*made, best)
    ]
    paper: list[list[Cell]] = [[j, round(exam[j], 3), round(weights.get(j, 0.0), 3)] for j in jurors]
    won = [name for name, gap in gaps.items() if gap.verdict == "better"]
    said = (
        f"Better than the best juror of the exam, {best}: {', '.join(won)}."
        if won
        else f"No panel is better than {best}, the juror that did best in the exam (corrected for {len(gaps)} panels)."
    )
    return Section(
        key=KEY,
        title="Panels of judges",
        question="Do several judges together do better than the one that did best on the calibration questions?",
        found=(said,),
        grids=(
            grid("Panels, and the best juror", ["panel", *list(found)[:2], f"less {best}"], rows),
            grid("The exam (calibration questions): share right, and weight", ["juror", "exam", "weight"], paper),
        ),
    )


def _middle(lens: Lens) -> float:
    return sum(lens.scale) / 2 if lens.kind == "rating" else 0.5


def _on_one_scale(lens: Lens, judge: str, table: Table) -> list[float | None] | None:
    """Scores as probabilities that the answer is right (ratings: as human grades), fitted on calibration questions."""
    labels, seen = _truth(lens, lens.calibration), lens.calibration.scores(judge)
    try:
        fitted = Isotonic().fit(seen, labels) if lens.kind == "rating" else Platt().fit(seen, labels)
        return fitted.predict(table.scores(judge))
    except InnerjudgeError:
        return None


def _truth(lens: Lens, table: Table) -> list[float | None]:
    if lens.kind == "pair":
        return [{"a": 1.0, "b": 0.0}.get(str(v)) for v in table.labels]
    return as_floats(table.labels)


def _exam(lens: Lens, p: Sequence[float | None]) -> float:
    """Share right on the calibration questions: verdicts, or for grades being within half a grade's step."""
    truth = _truth(lens, lens.calibration)
    pairs = [(t, v) for t, v in zip(truth, p, strict=True) if t is not None and v is not None]
    if lens.kind == "rating":
        return sum(abs(t - v) <= 0.75 for t, v in pairs) / max(len(pairs), 1)
    return sum((v > 0.5) == (t > 0.5) for t, v in pairs) / max(len(pairs), 1)


def _with(lens: Lens, made: dict[str, list[float | None]]) -> Lens:
    """The lens with the panels as judges."""
    rows: list[Row] = []
    for name, scores in made.items():
        for item, score, label in zip(lens.table.items, scores, lens.labels, strict=True):
            base: dict[str, Any] = {"data": item[0], "question": item[1], "candidate": item[2], "label": label}
            if score is None:
                rows.append(Row(**base, judge=name, unscored="no juror has a score"))
                continue
            verdict: Any = score > 0.5 if lens.kind == "trace" else ("a" if score > 0.5 else "b")
            verdict = score if lens.kind == "rating" else verdict
            rows.append(Row(**base, judge=name, score=score, verdict=verdict))
            if lens.kind == "pair":
                rows.append(Row(**base, judge=name, order="swapped", score=score, verdict=verdict))
    table = lens.table + rows
    return replace(lens, table=table, families=dict(lens.families) | dict.fromkeys(made, "panel"))
