"""Who judges best: the figures of each kind of item, paired differences, and better than chance or not."""

from collections.abc import Mapping
from typing import Any

from ...drawing.style import number
from ..figures import Cell, Figure, Grid, Section, grid, section, worded
from ..lens import Lens, differences
from ..metrics import CHANCE, UNSCORED_WRONG, chance_of, criteria, metrics, scored_by
from ..report.draw import forest
from ..report.judge_plots import score_distributions

KEY = "accuracy"
#: Metrics that stand in the short table, beside the difference in the first of them.
SHOWN = 3
#: Below so many cases a figure is hardly worth its value.
FEW = 50


def headline(lens: Lens) -> Section:
    """Every judge's figures, its paired differences to the judge to compare with, and the test against chance."""
    found, about = metrics(lens), criteria(lens)
    main = next(iter(found))
    figures: dict[str, dict[str, Figure]] = {judge: {} for judge in lens.asked}
    gaps: dict[str, dict[str, Figure]] = {}
    for name, metric in found.items():
        everything = [True] * len(lens.truths)
        mine = about.get(name, everything)
        scored = {judge: scored_by(lens, name, judge) for judge in lens.asked}
        null = CHANCE.get(name) if name != "AUROC within questions" else None  # which has a test of its own
        for judge in lens.asked:
            lost = sum(a and not s for a, s in zip(mine, scored[judge], strict=True))
            figures[judge][name] = lens.figure(KEY, judge, name, metric(judge, everything), unscored=lost, null=null)
        every = dict.fromkeys(scored, everything) if name == UNSCORED_WRONG else scored
        gaps[name] = differences(lens, KEY, name, metric, every, about=mine)
    firsts = {judge: held[main] for judge, held in figures.items()}
    plot = forest(lens, "ranking", main, list(firsts.values()), mark=CHANCE.get(main))
    said = _said(lens, main, firsts, gaps[main])
    return section(KEY, "Who judges best", said, _tables(lens, figures, gaps), [plot], asks=f"{KEY} of {lens.kind}")


def _tables(
    lens: Lens, figures: Mapping[str, Mapping[str, Figure]], gaps: Mapping[str, Mapping[str, Figure]]
) -> list[Grid]:
    (main, *names), against, families = gaps, lens.settings.against, lens.families
    firsts, others, less = list[list[Cell]](), list[list[Cell]](), list[list[Cell]]()
    for judge, held in figures.items():
        first, *more = held.values()
        firsts.append([judge, first, gaps[main].get(judge), *more[: SHOWN - 1], first.n, first.unscored])
        others.append([judge, *more[SHOWN - 1 :]])
        less += [[judge, *(gaps[name].get(judge) for name in names)]] if judge != against else []
    counted = "questions with both" if lens.kind == "trace" else "n"  # right and wrong answers: of the first metric
    return [
        grid("accuracy first", firsts, [*names[: SHOWN - 1], counted], families=families, main=main, against=against),
        grid("accuracy others", others, names[SHOWN - 1 :], families=families, folded=True),
        grid("accuracy differences", less, names, families=families, folded=True, against=against),
    ]


def _said(lens: Lens, main: str, figures: Mapping[str, Figure], gaps: Mapping[str, Figure]) -> list[str]:
    known, why = [f for f in figures.values() if f.value is not None], lens.table.unscored(lens.settings.against)
    levels = {f.judge: chance_of(lens, main, f.judge) for f in known}
    held = [judge for judge, level in levels.items() if level is not None and holds(figures[judge], level)]
    told: dict[str, Any] = {"main": main, "figures": list(figures.values()), "gaps": list(gaps.values()), "few": FEW}
    told |= {"known": known, "best": max(known, key=lambda f: f.value or 0.0, default=None)}
    told |= {"why": max(why, key=lambda w: why[w], default=None), "families": lens.families, "asked": lens.asked}
    told |= {"held": held, "chance": sorted({number(levels[judge]) for judge in held})}
    return worded(KEY, **told, against=lens.settings.against)


def holds(figure: Figure, level: float) -> bool:
    """Whether the interval of a figure holds a value."""
    return figure.low is not None and figure.high is not None and figure.low <= level <= figure.high


def scores(lens: Lens) -> Section | None:
    """A small panel a judge: scores of right and of wrong items, or over the human grade."""
    plot = score_distributions(lens)
    return section("scores", "Scores", plots=[plot]) if plot is not None else None
