"""What a judge is worth when it picks one of several answers: no judge at all, and accuracy by number of candidates."""

from __future__ import annotations

from ...data.answers import normalise
from ...selection.reranking import selection_accuracy
from ...selection.rules import Rule
from ..candidate_curves import candidate_curves
from ..figures import Figure, Section, grid
from ..lens import Lens
from ..report.judge_plots import accuracy_by_candidates
from .headline import spelt

KEY = "candidates"
#: Name under which figures stand that need no judge.
NO_JUDGE = "no judge"
_RULES = {"majority": "majority", "random": "mean", "oracle": "oracle"}


def candidates(lens: Lens) -> Section | None:
    """Majority vote, a random candidate and the oracle, which every judge must be seen against; the curves (traces)."""
    if lens.kind != "trace":
        return None
    answers, nothing = [normalise(answer) for answer in lens.table.answers], [None] * len(lens.truths)
    figures: list[Figure] = []
    for name, rule in _RULES.items():
        found = selection_accuracy(answers, nothing, lens.truths, lens.groups, rule=Rule(rule))
        figures.append(lens.figure(KEY, NO_JUDGE, name, found))
    plot = accuracy_by_candidates(lens, candidate_curves(lens))
    said = ", ".join(f"{figure.metric} {spelt(figure)}" for figure in figures if figure.value is not None)
    return Section(
        key=KEY,
        title="Picking one of several answers",
        question="How often is the picked answer right, and how much is there to gain?",
        found=(f"Without a judge: {said}.",) if said else (),
        grids=(grid("Right without a judge", ["picked by", *_RULES], [[NO_JUDGE, *figures]], folded=True),),
        plots=(plot,) if plot else (),
    )
