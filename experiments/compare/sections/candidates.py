"""What a judge is worth when it picks one of several answers: no judge at all, and accuracy by number of candidates."""

from collections import Counter
from typing import Any

from ...data.answers import normalise
from ...selection.reranking import accuracy_against_n, interval, selection_accuracy
from ...selection.rules import Rule
from ..figures import Figure, Section, grid, spelt
from ..lens import Lens
from ..report.judge_plots import accuracy_by_candidates
from ..results import Curve

KEY = "candidates"
#: Name under which figures stand that need no judge.
NO_JUDGE = "no judge"
_RULES = ("majority", "random", "oracle")


def candidates(lens: Lens) -> Section | None:
    """Majority vote, a random candidate and the oracle, which every judge must be seen against; the curves (traces)."""
    if lens.kind != "trace":
        return None
    answers, nothing = [normalise(answer) for answer in lens.table.answers], [None] * len(lens.truths)
    figures: list[Figure] = []
    for name in _RULES:
        found = selection_accuracy(answers, nothing, lens.truths, lens.groups, rule=Rule(name))
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


def candidate_curves(lens: Lens) -> tuple[Curve, ...]:
    """Expected accuracy over random subsets of 1..N candidates: each judge's best, majority, a random one, the oracle.

    Empty where some question has fewer than two candidates of known correctness. A judge that scored nothing is left
    out.
    """
    correct: list[Any] = lens.truths
    answers = [normalise(answer) for answer in lens.table.answers]
    known = [group for group, right in zip(lens.groups, correct, strict=True) if right is not None]
    if not known or min(Counter(known).values()) < 2:
        return ()
    scores = {judge: lens.table.scores(judge) for judge in lens.judges}
    known_to = {judge: column for judge, column in scores.items() if any(s is not None for s in column)}
    lines = [(judge, Rule("best-of-n"), column) for judge, column in known_to.items()]
    nothing: list[float | None] = [None] * len(answers)
    lines += [("majority vote", Rule("majority"), nothing), ("random candidate", Rule("random"), nothing)]
    lines += [("oracle", Rule("oracle"), nothing)]
    curves, seed = [], lens.settings.seeds.split
    for label, rule, column in lines:
        found = accuracy_against_n(answers, column, correct, lens.groups, rule=rule, seed=seed)
        low, high = interval(found.each)
        curves.append(
            Curve(
                label=label,
                x=tuple(range(1, len(found.accuracy) + 1)),
                y=tuple(float(a) for a in found.accuracy),
                low=tuple(low.tolist()),
                high=tuple(high.tolist()),
            )
        )
    return tuple(curves)
