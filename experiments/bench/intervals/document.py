"""The coverage of the intervals as a document: written from results, never by hand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import binom

from ....extraction.provenance import versions
from ...stats.intervals import cluster_interval
from ...stats.metrics.accuracy import accuracy
from .trial import DRAWS, Coverage
from .worlds import FAILING, RANKING

FILE = Path(__file__).parent / "intervals.md"
#: What a 95 % interval is held to.
LEAST, MOST = 0.93, 0.97


def outside(found: Sequence[Coverage]) -> tuple[list[Coverage], list[Coverage]]:
    """Designs that cover too little, and too much, by more than two standard errors of the simulation.

    Example:
        >>> shared = {"figure": "f", "questions": 8, "candidates": 1, "strength": 0.0, "without": 0, "width": 0.1}
        >>> shared |= {"drawn": 0.95, "drawn_width": 0.1}
        >>> low, high = outside([Coverage(studies=1000, covered=c, **shared) for c in (0.92, 0.9, 0.95, 0.99)])
        >>> [c.covered for c in low], [c.covered for c in high]
        ([0.9], [0.99])
    """
    low = [one for one in found if one.covered < LEAST - 2 * one.error]
    high = [one for one in found if one.covered > MOST + 2 * one.error]
    return low, high


def markdown(found: Sequence[Coverage], command: str = "") -> str:
    """A table a design of candidates: a row a figure, a column a number of questions.

    Example:
        >>> shared = {"figure": "f", "questions": 8, "candidates": 1, "strength": 0.0, "without": 0, "width": 0.1}
        >>> shared |= {"drawn": 0.95, "drawn_width": 0.1}
        >>> "| f | 95.0 (0.10) |" in markdown([Coverage(studies=1000, covered=0.95, **shared)])
        True
    """
    used = [one for one in found if not one.figure.startswith(FAILING)]
    low, high = outside(used)
    inside = sum(LEAST <= one.covered <= MOST for one in used)
    made = ", ".join(f"{name} {version}" for name, version in versions())
    lines = [
        "# How often the intervals cover the truth",
        "",
        f"Simulated studies whose truth is known, {max(one.studies for one in found)} of each design. A cell is the",
        "share of 95 % intervals that hold the truth, in per cent, and in brackets their mean width. *Strength* is the",
        "share of the variance that the candidates of a question have in common. Studies without an interval (a class",
        "or all grades missing) are left out and counted.",
        "",
        f"Written by `{command}` (seed 0; {made}). Do not edit.",
        "",
        f"- {inside} of {len(used)} designs lie between {LEAST:.0%} and {MOST:.0%} as measured; the simulation's own",
        f"  standard error is about {found[0].error:.1%}.",
        f"- Below {LEAST:.0%} by more than two standard errors: {_listed(low)}.",
        f"- Above {MOST:.0%} by more than two standard errors, so wider than they need be: {_listed(high)}.",
        *_against_draws([one for one in used if not one.figure.startswith(RANKING)]),
        *_in_steps(found),
    ]
    for candidates, strength in dict.fromkeys((one.candidates, one.strength) for one in found):
        here = [one for one in found if (one.candidates, one.strength) == (candidates, strength)]
        sizes = sorted({one.questions for one in here})
        lines += ["", f"## Candidates per question: {candidates}, strength {strength:g}", ""]
        lines += [
            f"| figure, truth | {' | '.join(f'{n} questions' for n in sizes)} |",
            f"| --- |{' --- |' * len(sizes)}",
        ]
        for figure in dict.fromkeys(one.figure for one in here):
            cells = {one.questions: _cell(one) for one in here if one.figure == figure}
            lines.append(f"| {figure} | {' | '.join(cells.get(n, '-') for n in sizes)} |")
    return "\n".join([*lines, ""])


def _against_draws(used: Sequence[Coverage]) -> list[str]:
    """What the draws of a bootstrap would change, by the same studies, in figures that do not move in steps."""
    if not used:
        return []
    moved = np.array([one.covered - one.drawn for one in used])
    wider = np.array([one.width / one.drawn_width - 1 for one in used if one.drawn_width])
    most = used[int(np.abs(moved).argmax())]
    return [
        "",
        "## Leaving questions out, or drawing them",
        "",
        "The standard error comes from leaving out each question in turn. In each study it was also computed from",
        f"{DRAWS} bootstrap draws of the questions:",
        "",
        f"- coverage moves by {100 * np.abs(moved).mean():.1f} points on average over {len(used)} designs, by",
        f"  {100 * np.abs(moved).max():.1f} at most: {_name(most)}, {most.covered:.1%} by leaving out and",
        f"  {most.drawn:.1%} by draws; with its sign it moves by {100 * moved.mean():+.1f} on average;",
        f"- {sum(np.abs(moved) > 0.017)} designs move by more than 1.7 points;",
        f"- intervals are {100 * wider.mean():+.1f} % wider on average, {100 * wider.min():+.1f} to "
        f"{100 * wider.max():+.1f} %.",
        "",
        "One candidate per question, right or wrong, is a binomial, and its interval is Wilson's, whose coverage",
        f"jumps with the number of questions: exactly {_exact(8):.1%} of 8, {_exact(16):.1%} of 16 and",
        f"{_exact(25):.1%} of 25 with chance 0.5. Draws only blur that.",
    ]


def _in_steps(found: Sequence[Coverage]) -> list[str]:
    """Figures that move in steps: what the halves are for."""
    alone = {one.questions: one for one in found if one.figure.startswith(FAILING)}
    both = [one for one in found if one.figure.startswith(RANKING) and one.questions in alone]
    lines = [
        "",
        "A ranking of few systems moves in steps. Its error is the larger one of leaving out each question and of",
        "balanced halves, since neither draws nor leaving out one question at a time is enough alone:",
        "",
        "| questions | both | one at a time | draws |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {one.questions} | {_cell(one)} | {_cell(alone[one.questions])} | {100 * one.drawn:.1f} "
              f"({one.drawn_width:.2f}) |" for one in both]  # fmt: skip
    return lines if both else []


def _exact(n: int, chance: float = 0.5) -> float:
    """Coverage of the interval of ``n`` single items, summed over how many of them can be right."""
    made = [accuracy([True] * n, [k < right for k in range(n)]) for right in range(n + 1)]
    found = [cluster_interval(one, range(n)) for one in made]
    held = [(one.low or 0.0) <= chance <= (one.high or 1.0) for one in found]
    return float(binom.pmf(np.flatnonzero(held), n, chance).sum())


def _cell(one: Coverage) -> str:
    left = f", {one.without} without" if one.without else ""
    return f"{100 * one.covered:.1f} ({one.width:.2f}{left})"


def _name(one: Coverage) -> str:
    each = "1 candidate" if one.candidates == 1 else f"{one.candidates} candidates"
    return f"{one.figure} ({one.questions} questions, {each} each, strength {one.strength:g})"


def _listed(some: Sequence[Coverage]) -> str:
    return "; ".join(f"{_name(one)} {one.covered:.1%}" for one in some) or "none"
