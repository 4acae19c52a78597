"""Accuracy against the number of candidates, for the picks of each judge and for rules that need none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ...models.items import Trace
from ..data.answers import normalise
from ..selection.reranking import accuracy_against_n, interval
from ..selection.rules import Rule
from .results import Curve, Outcome


def candidate_curves(outcomes: Sequence[Outcome], items: Sequence[Trace], *, seed: int) -> tuple[Curve, ...]:
    """Expected accuracy over random subsets of 1..N candidates: each judge's best, majority, a random one, the oracle.

    Empty where some question has fewer than two candidates of known correctness. A judge that scored nothing is left
    out.
    """
    answers, correct = [normalise(item.answer) for item in items], [item.correct for item in items]
    groups = [item.group for item in items]
    known = [group for group, right in zip(groups, correct, strict=True) if right is not None]
    if not known or min(known.count(group) for group in set(known)) < 2:
        return ()
    lines: list[tuple[str, Rule, list[float | None]]] = [
        (outcome.judge, Rule("top@1"), [cast("float | None", v.score) for v in outcome.verdicts])
        for outcome in outcomes
        if any(v.score is not None for v in outcome.verdicts)
    ]
    nothing: list[float | None] = [None] * len(items)
    lines += [("majority vote", Rule("majority"), nothing), ("random candidate", Rule("mean"), nothing)]
    lines += [("oracle", Rule("oracle"), nothing)]
    curves = []
    for label, rule, scores in lines:
        found = accuracy_against_n(answers, scores, correct, groups, rule=rule, seed=seed)
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
