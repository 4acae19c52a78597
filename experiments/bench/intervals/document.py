"""The coverage of the intervals as a document: written from results, never by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .trial import RESAMPLES, Covered

FILE = Path(__file__).parent / "intervals.md"
#: What a 95 % interval is held to.
LEAST, MOST = 0.93, 0.97


def outside(found: Sequence[Covered]) -> tuple[list[Covered], list[Covered]]:
    """Designs that cover too little, and too much, by more than two standard errors of the simulation.

    Example:
        >>> shared = {"figure": "f", "questions": 8, "candidates": 1, "strength": 0.0, "without": 0, "width": 0.1}
        >>> low, high = outside([Covered(studies=1000, covered=c, **shared) for c in (0.92, 0.9, 0.95, 0.99)])
        >>> [c.covered for c in low], [c.covered for c in high]
        ([0.9], [0.99])
    """
    low = [one for one in found if one.covered < LEAST - 2 * one.error]
    high = [one for one in found if one.covered > MOST + 2 * one.error]
    return low, high


def markdown(found: Sequence[Covered]) -> str:
    """A table a design of candidates: a row a figure, a column a number of questions.

    Example:
        >>> shared = {"figure": "f", "questions": 8, "candidates": 1, "strength": 0.0, "without": 0, "width": 0.1}
        >>> "| f | 95.0 (0.10) |" in markdown([Covered(studies=1000, covered=0.95, **shared)])
        True
    """
    low, high = outside(found)
    inside = sum(LEAST <= one.covered <= MOST for one in found)
    lines = [
        "# How often the intervals cover the truth",
        "",
        f"Simulated studies whose truth is known, {max(one.studies for one in found)} of each design, questions",
        f"resampled {RESAMPLES} times in each. A cell is the share of 95 % intervals that hold the truth, in per cent,",
        "and in brackets their mean width. *Strength* is the share of the variance that the candidates of a question",
        "have in common. Studies without an interval (a class or all grades missing) are left out and counted.",
        "",
        "Written by `python -m innerjudge.experiments.bench.intervals`. Do not edit.",
        "",
        f"- {inside} of {len(found)} designs lie between {LEAST:.0%} and {MOST:.0%} as measured; the simulation's own",
        f"  standard error is about {found[0].error:.1%}.",
        f"- Below {LEAST:.0%} by more than two standard errors: {_listed(low)}.",
        f"- Above {MOST:.0%} by more than two standard errors, so wider than need be: {_listed(high)}.",
    ]
    for candidates, strength in dict.fromkeys((one.candidates, one.strength) for one in found):
        here = [one for one in found if (one.candidates, one.strength) == (candidates, strength)]
        sizes = sorted({one.questions for one in here})
        lines += ["", f"## Candidates a question: {candidates}, strength {strength:g}", ""]
        lines += [
            f"| figure, truth | {' | '.join(f'{n} questions' for n in sizes)} |",
            f"| --- |{' --- |' * len(sizes)}",
        ]
        for figure in dict.fromkeys(one.figure for one in here):
            cells = {one.questions: _cell(one) for one in here if one.figure == figure}
            lines.append(f"| {figure} | {' | '.join(cells.get(n, '-') for n in sizes)} |")
    return "\n".join([*lines, ""])


def _cell(one: Covered) -> str:
    left = f", {one.without} without" if one.without else ""
    return f"{100 * one.covered:.1f} ({one.width:.2f}{left})"


def _listed(some: Sequence[Covered]) -> str:
    named = [
        f"{one.figure} with {one.questions} questions of {one.candidates} at {one.strength:g} ({one.covered:.1%})"
        for one in some
    ]
    return "; ".join(named) or "none"
