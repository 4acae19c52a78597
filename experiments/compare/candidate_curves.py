"""Accuracy against the number of candidates, for the picks of each judge and for rules that need none."""

from __future__ import annotations

from typing import Any

from ..data.answers import normalise
from ..selection.reranking import accuracy_against_n, interval
from ..selection.rules import Rule
from .lens import Lens
from .results import Curve


def candidate_curves(lens: Lens) -> tuple[Curve, ...]:
    """Expected accuracy over random subsets of 1..N candidates: each judge's best, majority, a random one, the oracle.

    Empty where some question has fewer than two candidates of known correctness. A judge that scored nothing is left
    out.
    """
    correct: list[Any] = lens.truths
    answers = [normalise(answer) for answer in lens.table.answers]
    known = [group for group, right in zip(lens.groups, correct, strict=True) if right is not None]
    if not known or min(known.count(group) for group in set(known)) < 2:
        return ()
    scores = {judge: lens.table.scores(judge) for judge in lens.judges}
    best = Rule("best-of-n")
    lines = [(judge, best, column) for judge, column in scores.items() if any(s is not None for s in column)]
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
