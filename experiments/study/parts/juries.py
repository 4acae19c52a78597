"""Several judges as one: chosen and weighted on the calibration questions, reported on the others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ....models.errors import InnerjudgeError
from ...compare.figures import Cell, Section, grid, section, worded
from ...compare.lens import Lens, as_floats, differences
from ...compare.metrics import metrics
from ...data.verdict_table import Row
from ...stats.agreement.juries import exam_weights, mean_jury, weighted_vote
from ...stats.metrics.calibration import Isotonic, Platt

KEY = "panels"
#: Families that sit on no panel: they know nothing of the response, or are kept for comparison.
_NO_JURORS = ("baseline", "people", "panel")
_WORDS = {"hidden": "hidden-state", "text": "text", "imported": "imported"}
#: What was said of every item, in each form (order) in which the kind of item is judged.
Said = Mapping[str, Sequence[Any]]


#: What a juror said, on one scale (of choices: the options), and its share right on the calibration questions.
_Juror = tuple[Said, float]


def panels(lens: Lens) -> Section | None:
    """Mean jury, exam-weighted jury, majority, juries without a kind of judges or without the writer's family."""
    seated = {j: _juror(lens, j) for j in lens.judges if lens.families[j] not in _NO_JURORS}
    jurors = {name: juror for name, juror in seated.items() if juror is not None}
    if len(jurors) < 3:
        return None
    exam = {name: share for name, (_, share) in jurors.items()}
    try:
        weights = exam_weights(exam)
    except InnerjudgeError:
        weights = {}
    made = _panels(lens, {name: said for name, (said, _) in jurors.items()}, weights)
    rows = [
        Row(data=item[0], question=item[1], candidate=item[2], truth=truth, judge=name, order=form, **_verdict(lens, v))
        for name, said in made.items()
        for form, column in said.items()
        for item, v, truth in zip(lens.table.items, column, lens.truths, strict=True)
    ]
    widened = replace(lens, table=lens.table + rows, families=dict(lens.families) | dict.fromkeys(made, "panel"))
    found = metrics(widened)
    main = next(iter(found))
    everything = [True] * len(lens.truths)
    best = max(exam, key=lambda j: exam[j])
    scored = {name: widened.scored(name) for name in (*made, best)}
    gaps = differences(widened, KEY, main, found[main], scored, against=best)
    table: list[list[Cell]] = []
    for name in (*made, best):
        figures = [widened.figure(KEY, name, m, of(name, everything)) for m, of in list(found.items())[:2]]
        table.append([name, *figures, gaps.get(name)])
    paper: list[list[Cell]] = [[j, round(exam[j], 3), round(weights.get(j, 0.0), 3)] for j in jurors]
    said = worded(KEY, best=best, won=[name for name, gap in gaps.items() if gap.verdict == "better"], n=len(gaps))
    grids = [grid("panels", table, list(found)[:2], best=best), grid("panels weights", paper)]
    return section(KEY, "Panels of judges", said, grids)


def _panels(lens: Lens, said: Mapping[str, Said], weights: Mapping[str, float]) -> dict[str, Said]:
    votes = lens.kind == "choice"
    made: dict[str, Said] = {} if votes else {"mean jury": _together(lens, said)}
    if weights:
        chosen = {name: said[name] for name in weights}
        made["jury weighted by exam"] = _together(lens, chosen, list(weights.values()))
    made["majority of verdicts"] = _together(lens, said) if votes else _majority(lens, said)
    words = "majority" if votes else "mean jury"
    for family, kind in _WORDS.items():
        left = [name for name in said if lens.families[name] != family]
        if 2 <= len(left) < len(said):
            made[f"{words} without {kind} judges"] = _together(lens, {name: said[name] for name in left})
    if lens.settings.system:
        writers = lens.table.tag(lens.settings.system)
        kin = {name: lens.kin.get(name, frozenset()) for name in said}
        recused: dict[str, Said] = {
            name: {f: [None if w in kin[name] else v for v, w in zip(c, writers, strict=True)] for f, c in one.items()}
            for name, one in said.items()
        }
        if recused != said:
            made[f"{words}, silent on own family"] = _together(lens, recused)
    return made


def _together(lens: Lens, said: Mapping[str, Said], weights: Sequence[float] | None = None) -> Said:
    joined: Any = weighted_vote if lens.kind == "choice" else mean_jury
    return {form: joined([one[form] for one in said.values()], weights=weights) for form in lens.forms}


def _majority(lens: Lens, said: Mapping[str, Said]) -> Said:
    """1 where most jurors are above the middle, 0 where most are not."""
    middle = sum(lens.settings.scale) / 2 if lens.kind == "rating" else 0.5
    above = {n: {f: [None if v is None else v > middle for v in one[f]] for f in lens.forms} for n, one in said.items()}
    votes = {form: weighted_vote([one[form] for one in above.values()]) for form in lens.forms}
    return {form: [None if v is None else float(bool(v)) for v in column] for form, column in votes.items()}


def _juror(lens: Lens, judge: str) -> _Juror | None:
    """A juror on one scale, fitted on the calibration questions; ``None`` where it cannot be fitted.

    Probabilities that the answer is right; of ratings human grades, right within three quarters of a grade; of choices
    the options picked.
    """
    if lens.kind == "choice":
        rights = [row.right for row in lens.calibration.column(judge) if row is not None and row.right is not None]
        said = {form: lens.table.labels(judge, order=form) for form in lens.forms}
        return (said, sum(rights) / len(rights)) if rights else None
    seen = [score for form in lens.forms for score in lens.calibration.scores(judge, order=form)]
    truths = [{"a": True, "b": False}.get(str(v), v) for v in lens.calibration.truths]  # a tie is neither
    labels, rated = as_floats(truths) * len(lens.forms), lens.kind == "rating"
    try:
        fitted = Isotonic().fit(seen, labels) if rated else Platt().fit(seen, labels)
    except InnerjudgeError:
        return None
    here = {form: fitted.predict(lens.table.scores(judge, order=form)) for form in lens.forms}
    pairs = [(t, v) for t, v in zip(labels, fitted.predict(seen), strict=True) if t is not None and v is not None]
    right = [abs(t - v) <= 0.75 if rated else (t > 0.5) == (v > 0.5) for t, v in pairs]
    return here, sum(right) / max(len(right), 1)


def _verdict(lens: Lens, said: Any) -> dict[str, Any]:
    if said is None:
        return {"unscored": "the jurors are level" if lens.kind == "choice" else "no juror has a score"}
    if lens.kind == "choice":
        return {"label": said}
    decided: dict[str, Any] = {"trace": said > 0.5, "rating": said, "pair": "a" if said > 0.5 else "b"}
    return {"score": said, "label": decided[lens.kind]}
