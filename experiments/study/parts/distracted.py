"""What a judge makes of distractors, and of answers that say nothing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...compare.figures import Cell, Figure, Good, Grid, Plot, Section, grid
from ...compare.lens import Lens
from ...compare.report.draw import bars
from ...data.verdict_table import Row, Table
from ...stats.statistic import SHARE, finite, mean
from ..asking.distractors import flip_rate, verdict_rate

KEY = "distractors"


def distracted(lens: Lens, trials: Sequence[Row], flips: Sequence[Row], dummies: Sequence[Row]) -> Section | None:
    """How often a rewritten response is preferred, by distractor and severity; flips; scores of dummy answers."""
    grids: list[Grid] = []
    plots: list[Plot] = []
    said: list[str] = []
    if trials:
        made, shown = _trials(lens, trials)
        grids.append(made)
        plot = bars(lens.data, "distractors", "Preference for the rewritten response", shown, y="share preferring it")
        plots += [plot] if plot else []
        said.append(
            "Severity 0 leaves quality as it is, so a steady judge ties; from severity 1 on the rewritten response has "
            "planted faults, and every preference for it is a mistake."
        )
    grids += [_flips(lens, flips)] if flips else []
    grids += [_dummies(lens, dummies)] if dummies else []
    grids = [g for g in grids if g.rows]
    if not grids:
        return None
    return Section(
        key=KEY,
        title="Distractors and dummy answers",
        question="Can a judge be talked round by assurance, length or flattery, or won by an answer that says nothing?",
        found=tuple(said),
        grids=tuple(grids),
        plots=tuple(plots),
    )


def _trials(lens: Lens, rows: Sequence[Row]) -> tuple[Grid, dict[str, dict[str, Figure]]]:
    shown: dict[str, dict[str, Figure]] = {}
    found: list[list[Cell]] = []
    for judge in dict.fromkeys(row.judge for row in rows):
        mine = [row for row in rows if row.judge == judge]
        for form in sorted({row.template for row in mine}):
            here = [row for row in mine if row.template == form]
            groups = [(row.data, row.question) for row in here]
            metric = f"rewritten preferred [{form}]"
            won = lens.figure(KEY, judge, metric, verdict_rate(here, "b"), groups=groups, good="lower")
            tied = lens.figure(KEY, judge, f"tie [{form}]", verdict_rate(here, "tie"), groups=groups, good="none")
            name, severity = form.rsplit("-", 1)
            found.append([judge.removeprefix("distractors, "), name, int(severity), won, tied, won.n])
            shown.setdefault(judge.removeprefix("distractors, "), {})[form.replace("-", " ")] = won
    columns = ["judging", "distractor", "planted faults", "rewritten preferred", "tie", "trials"]
    return grid("Good responses against rewritten ones", columns, found), shown


def _flips(lens: Lens, rows: Sequence[Row]) -> Grid:
    """Share of pairs whose loser wins once it carries the distractor, point-wise beside pair-wise."""
    table = Table(rows)
    forms = list(dict.fromkeys(["plain", *(row.template for row in rows)]))
    found: list[list[Cell]] = []
    for judge in table.judges:
        before, *after = ([v if v is None else str(v) for v in table.labels(judge, template=t)] for t in forms)
        rates = {f"flip rate [{name}]": flip_rate(before, one) for name, one in zip(forms[1:], after, strict=True)}
        shown = (lens.figure(KEY, judge, m, r, groups=table.groups, good="lower") for m, r in rates.items())
        found.append([judge.removeprefix("flips, "), *shown])
    caption = "Flips: the response that lost wins once it carries the distractor (two responses of a question)"
    return grid(caption, ["judging", *forms[1:]], found)


def _dummies(lens: Lens, rows: Sequence[Row]) -> Grid:
    """Mean score of each dummy answer, and the share that is called right (or given the upper half of the scale)."""
    small = replace(lens, table=Table(rows))
    names = small.table.tag("dummy")
    middle = 0.5 if lens.kind == "trace" else sum(lens.settings.scale) / 2
    found: list[list[Cell]] = []
    for judge in small.table.judges:
        scores = finite(small.table.scores(judge))
        for dummy in dict.fromkeys(n for n in names if n is not None):
            here = np.where([n == dummy for n in names], scores, np.nan)
            called = mean(np.where(np.isnan(here), np.nan, here > middle), reason="no score", limits=SHARE)
            score = small.describe(KEY, judge, f"mean score [{dummy}]", mean(here, reason="no score"))
            good: Good = "higher" if dummy == "gold" else "lower"
            high = small.figure(KEY, judge, f"called good [{dummy}]", called, good=good)
            found.append([judge.removeprefix("dummies, "), dummy, score, high, called.n])
    caption = "Dummy answers: all but the gold answer should be called bad"
    return grid(caption, ["by", "answer", "mean score", "called good", "n"], found)
