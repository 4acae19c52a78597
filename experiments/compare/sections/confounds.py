"""Difficulty and length taken out of the comparison."""

from ...stats.biases.confounds import centred_auroc, length_matched_pairs, residual
from ...stats.biases.preferences import length_beyond_labels
from ...stats.metrics.accuracy import auroc, within_question_auroc
from ...stats.metrics.correlation import spearman
from ..figures import Cell, Figure, Section, grid, section, worded
from ..lens import Lens, as_floats, standing
from ..report.draw import bars
from .headline import holds

KEY = "confounds"


def confounds(lens: Lens) -> Section | None:
    """AUROC pooled, within questions, centred, with length taken out, and on length-matched pairs (traces)."""
    if lens.kind == "trace":
        return _traces(lens)
    return _ratings(lens) if lens.kind == "rating" else None


def _traces(lens: Lens) -> Section:
    labels, groups, lengths = lens.truths, lens.groups, lens.table.lengths
    names = ("pooled", "within questions", "centred", "within, length taken out", "length-matched pairs")
    rows: list[list[Cell]] = []
    shown: dict[str, dict[str, Figure]] = {}
    for judge in lens.judges:
        scores = lens.table.scores(judge)
        made = (
            auroc(labels, scores),
            within_question_auroc(labels, scores, groups),
            centred_auroc(labels, scores, groups),
            within_question_auroc(labels, residual(scores, [lengths], groups), groups),
            length_matched_pairs(labels, scores, groups, lengths),
        )
        figures = [lens.figure(KEY, judge, f"AUROC, {n}", s) for n, s in zip(names, made, strict=True)]
        rows.append([judge, *figures, made[-1].n])
        shown[judge] = dict(zip(names, figures, strict=True))
    plot = bars(
        lens.data, "confounds", "What is left when difficulty and length cannot help", shown, y="AUROC", mark=0.5
    )
    return section(KEY, "Difficulty and length", _said(shown), [grid("confounds of traces", rows, names)], [plot])


def _said(shown: dict[str, dict[str, Figure]]) -> list[str]:
    difficulty, length = [], []
    for judge, figures in shown.items():
        pooled, within, matched = figures["pooled"], figures["within questions"], figures["length-matched pairs"]
        if pooled.low is not None and pooled.low > 0.5 and holds(within, 0.5):
            difficulty.append(judge)
        if within.low is not None and within.low > 0.5 and holds(matched, 0.5):
            length.append(judge)
    known = [f for figures in shown.values() for f in (figures["pooled"], figures["within questions"])]
    above = any(f.low is not None and f.low > 0.5 for f in known)
    return worded(KEY, above=above, difficulty=difficulty, length=length)


def _ratings(lens: Lens) -> Section:
    lengths, groups = lens.table.lengths, ["all"] * len(lens.truths)
    human = as_floats(lens.truths)
    rounded = [None if v is None else round(v * 2) / 2 for v in human]
    rows: list[list[Cell]] = []
    people = lens.describe(KEY, "people", "correlation with length", spearman(lengths, human))
    rows.append(["people (mean grade)", people, None])
    for judge in (j for j in lens.judges if j != "length"):
        scores = lens.table.scores(judge)
        raw = lens.describe(KEY, judge, "correlation with length", spearman(lengths, scores))
        left = length_beyond_labels(scores, lengths, rounded, groups)
        rows.append([judge, raw, lens.zero(KEY, judge, "correlation with length at equal grade", left)])
    found, tested = standing([row[2] for row in rows if isinstance(row[2], Figure)])
    said = worded("confounds of grades", found=found, tested=tested)
    return section(KEY, "Length", said, [grid("confounds of grades", rows)], asks="confounds of grades")
