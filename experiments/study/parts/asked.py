"""Ways of asking compared on the same items, the best of them the fair opponent; distractors and dummy answers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...compare.figures import Cell, Figure, Good, Grid, Plot, Section, grid, section, worded
from ...compare.lens import Lens, differences
from ...compare.metrics import metrics
from ...compare.report.draw import bars, forest
from ...data.splits import rows_by_group
from ...data.verdict_table import Row, Table
from ...stats.metrics.correlation import levenshtein_distance
from ...stats.statistic import SHARE, finite, mean
from ..asking.checklist import requirement_share
from ..asking.distractors import flip_rate, verdict_rate

KEY = "asked"
_ALIKE = "no question has candidates of different labels"


def asked(lens: Lens, rows: Sequence[Row], checks: Sequence[Row] = ()) -> Section | None:
    """Point-wise, pair-wise, batch ranking, checklist: the headline figure of each, on the items that were asked about.

    Judges of the panel are shown beside them, on the same items. ``checks`` are the rows behind the checklists.
    """
    if not rows:
        return None
    ways = tuple(dict.fromkeys(row.judge for row in rows))
    asked_about = {row.item for row in rows}
    panel = [row for row in lens.table if row.item in asked_about and row.judge in lens.judges]
    small = replace(lens, table=Table([*rows, *panel]), families=dict(lens.families) | dict.fromkeys(ways, "asked"))
    found = dict(list(metrics(small).items())[:2])
    main = next(iter(found))
    everything = [True] * len(small.truths)
    shown = (*ways, *lens.judges)
    scored = {judge: small.scored(judge) for judge in shown}
    gaps = differences(small, KEY, main, found[main], scored)
    figures, table = [], []
    for judge in shown:
        made = [small.figure(KEY, judge, f"{n} (audited items)", of(judge, everything)) for n, of in found.items()]
        figures.append(made[0])
        table.append([judge, *made, gaps.get(judge), len(scored[judge]) - sum(scored[judge])])
    whole = grid("asked ways", table, found, items=len(everything), against=lens.settings.against)
    grids = [whole, _rankings(small, ways), _requirements(small, checks)]
    plot = forest(small, "asked", main, figures, heading=f"{main} by way of asking")
    known = [f for f in figures if f.judge in ways and f.value is not None]
    best = max(known, key=lambda f: f.value or 0.0, default=None)
    ahead = [g.judge for g in gaps.values() if g.verdict == "better" and g.judge in ways]
    said = worded(KEY, best=best, main=main, gaps=len(gaps), ahead=ahead, against=lens.settings.against)
    return section(KEY, "Ways of asking", said, grids, [plot])


def _rankings(lens: Lens, ways: Sequence[str]) -> Grid:
    rows: list[list[Cell]] = []
    for judge in ways:
        scores, labels = lens.table.scores(judge), lens.truths
        distance = np.full(len(labels), np.nan)
        for held in rows_by_group(lens.groups):
            known = [k for k in held if scores[k] is not None and labels[k] is not None]
            if len(known) > 1 and len({labels[k] for k in known}) == len(known):
                by_label = sorted(known, key=lambda k: -labels[k])
                by_score = sorted(known, key=lambda k: -(scores[k] or 0.0))
                distance[held[0]] = levenshtein_distance(by_label, by_score)
        made = mean(distance, reason=_ALIKE, limits=SHARE)
        if made.value is not None:
            rows.append([judge, lens.figure(KEY, judge, "edit distance of rankings", made, good="lower"), made.n])
    return grid("asked rankings", rows)


def _requirements(lens: Lens, rows: Sequence[Row]) -> Grid:
    found: list[list[Cell]] = []
    for judge in dict.fromkeys(row.judge for row in rows):
        mine = [row for row in rows if row.judge == judge]
        made = requirement_share(mine, lens.table.items)
        lost = sum(row.score is None for row in mine)
        found.append([judge, lens.describe(KEY, judge, "requirements met (DRFR)", made), made.n, lost])
    return grid("asked requirements", found)


def with_references(lens: Lens, rows: Sequence[Row]) -> Section | None:
    """The headline figure under each reference condition, split by whether the model could answer itself."""
    if not rows:
        return None
    small = lens.of(rows)
    ways = small.table.judges
    pooled = {"trace": "AUROC", "rating": "Spearman"}.get(lens.kind)
    found = metrics(small)
    if pooled is None or pooled not in found:
        return None
    able = small.table.tag("could_answer")
    parts = {
        "all items": [True] * len(able),
        "could answer": [a == "yes" for a in able],
        "could not": [a == "no" for a in able],
    }
    shown: dict[str, dict[str, Figure]] = {
        way: {
            name: small.figure(KEY, way, f"{pooled} [{name}]", found[pooled](way, mask))
            for name, mask in parts.items()
            if any(mask)
        }
        for way in ways
    }
    table: list[list[Cell]] = [[way, *(held.get(name) for name in parts)] for way, held in shown.items()]
    plot = bars(lens.data, "references", "With a reference, and without", shown, y=pooled)
    n = {name: sum(mask) for name, mask in parts.items()}
    said = worded("references", known=n["could answer"] + n["could not"], n=n)
    return section("references", "With a reference", said, [grid("references", table, parts, pooled=pooled)], [plot])


DISTRACTORS = "distractors"


def distracted(lens: Lens, trials: Sequence[Row], flips: Sequence[Row], dummies: Sequence[Row]) -> Section | None:
    """How often a rewritten response is preferred, by distractor and severity; flips; scores of dummy answers."""
    grids: list[Grid] = []
    plots: list[Plot | None] = []
    if trials:
        made, shown = _trials(lens, trials)
        grids.append(made)
        heading = "Preference for the rewritten response"
        plots.append(bars(lens.data, "distractors", heading, shown, y="share preferring it"))
    grids += [_flips(lens, flips)] if flips else []
    grids += [_dummies(lens, dummies)] if dummies else []
    found = section(DISTRACTORS, "Distractors and dummy answers", worded(DISTRACTORS, trials=trials), grids, plots)
    return found if found.grids else None


def _trials(lens: Lens, rows: Sequence[Row]) -> tuple[Grid, dict[str, dict[str, Figure]]]:
    shown: dict[str, dict[str, Figure]] = {}
    found: list[list[Cell]] = []
    for judge in dict.fromkeys(row.judge for row in rows):
        mine = [row for row in rows if row.judge == judge]
        for form in sorted({row.template for row in mine}):
            here = [row for row in mine if row.template == form]
            groups = [(row.data, row.question) for row in here]
            metric = f"rewritten preferred [{form}]"
            won = lens.figure(DISTRACTORS, judge, metric, verdict_rate(here, "b"), groups=groups, good="lower")
            tie = verdict_rate(here, "tie")
            tied = lens.figure(DISTRACTORS, judge, f"tie [{form}]", tie, groups=groups, good="none")
            name, severity = form.rsplit("-", 1)
            found.append([judge.removeprefix("distractors, "), name, int(severity), won, tied, won.n])
            shown.setdefault(judge.removeprefix("distractors, "), {})[form.replace("-", " ")] = won
    return grid("distractors trials", found), shown


def _flips(lens: Lens, rows: Sequence[Row]) -> Grid:
    table = Table(rows)
    forms = list(dict.fromkeys(["plain", *(row.template for row in rows)]))
    found: list[list[Cell]] = []
    for judge in table.judges:
        before, *after = ([v if v is None else str(v) for v in table.labels(judge, template=t)] for t in forms)
        rates = {f"flip rate [{name}]": flip_rate(before, one) for name, one in zip(forms[1:], after, strict=True)}
        shown = (lens.figure(DISTRACTORS, judge, m, r, groups=table.groups, good="lower") for m, r in rates.items())
        found.append([judge.removeprefix("flips, "), *shown])
    return grid("distractors flips", found, forms[1:])


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
            score = small.describe(DISTRACTORS, judge, f"mean score [{dummy}]", mean(here, reason="no score"))
            good: Good = "higher" if dummy == "gold" else "lower"
            high = small.figure(DISTRACTORS, judge, f"called good [{dummy}]", called, good=good)
            found.append([judge.removeprefix("dummies, "), dummy, score, high, called.n])
    return grid("distractors dummies", found)
