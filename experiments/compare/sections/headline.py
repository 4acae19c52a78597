"""Who judges best: the figures of each kind of item, paired differences, and better than chance or not."""

from collections.abc import Mapping, Sequence

from ...drawing.style import number
from ..figures import QUESTIONS, Cell, Figure, Grid, Section, grid, section, spelt
from ..lens import Lens, Metric, differences
from ..metrics import CHANCE, UNSCORED_WRONG, chance_of, criteria, metrics, scored_by
from ..report.draw import forest
from ..report.judge_plots import score_distributions

KEY = "accuracy"
#: Metrics that stand in the short table, beside the difference in the first of them.
SHOWN = 3
#: Below so many cases a figure is hardly worth its value.
FEW = 50
#: Family of judges that know nothing of the response.
BASELINE = "baseline"


def headline(lens: Lens) -> Section:
    """Every judge's figures, its paired differences to the judge to compare with, and the test against chance."""
    found, about = metrics(lens), criteria(lens)
    main = next(iter(found))
    figures: dict[str, dict[str, Figure]] = {judge: {} for judge in lens.asked}
    gaps: dict[str, dict[str, Figure]] = {}
    for name, metric in found.items():
        mine = about.get(name, [True] * len(lens.truths))
        scored = {judge: scored_by(lens, name, judge) for judge in lens.asked}
        for judge in lens.asked:
            figures[judge][name] = _figure(lens, judge, name, metric, scored[judge], mine)
        every = dict.fromkeys(scored, [True] * len(mine)) if name == UNSCORED_WRONG else scored
        gaps[name] = differences(lens, KEY, name, metric, every, about=mine)
    grids = [_short(lens, figures, gaps[main]), *_more(lens, figures, gaps)]
    firsts = {judge: held[main] for judge, held in figures.items()}
    plot = forest(lens, "ranking", main, list(firsts.values()), mark=CHANCE.get(main))
    said = [*_said(lens, main, firsts, gaps[main]), *_said_chance(lens, main, firsts)]
    return section(KEY, "Who judges best", said, grids, [plot], question=QUESTIONS[f"{KEY} of {lens.kind}"])


def _figure(lens: Lens, judge: str, name: str, metric: Metric, scored: Sequence[bool], about: Sequence[bool]) -> Figure:
    null = CHANCE.get(name) if name != "AUROC within questions" else None  # which has a test of its own
    lost = sum(a and not s for a, s in zip(about, scored, strict=True))
    return lens.figure(KEY, judge, name, metric(judge, [True] * len(about)), unscored=lost, null=null)


def _short(lens: Lens, figures: Mapping[str, Mapping[str, Figure]], gaps: Mapping[str, Figure]) -> Grid:
    rows: list[list[Cell]] = []
    for judge, held in figures.items():
        first, *others = list(held.values())[:SHOWN]
        rows.append([judge, first, gaps.get(judge), *others, first.n, first.unscored])
    main, *names = list(next(iter(figures.values())))[:SHOWN]
    counted = "questions with both" if lens.kind == "trace" else "n"  # right and wrong answers: of the first metric
    columns = ["judge", main, f"minus {lens.settings.against}", *names, counted, "unscored"]
    return grid("Every judge on the reported questions", columns, rows, families=lens.families)


def _more(
    lens: Lens, figures: Mapping[str, Mapping[str, Figure]], gaps: Mapping[str, Mapping[str, Figure]]
) -> list[Grid]:
    """The other metrics, and the differences in every metric."""
    names = list(gaps)
    others: list[list[Cell]] = [[judge, *list(held.values())[SHOWN:]] for judge, held in figures.items()]
    against = lens.settings.against
    less: list[list[Cell]] = [[j, *(gaps[name].get(j) for name in names[1:])] for j in figures if j != against]
    words = f"Differences to {against} in the other metrics, each corrected for the number of judges"
    return [
        grid("Other metrics", ["judge", *names[SHOWN:]], others, families=lens.families, folded=True),
        grid(words, ["judge", *names[1:]], less, families=lens.families, folded=True),
    ]


def _said(lens: Lens, main: str, figures: Mapping[str, Figure], gaps: Mapping[str, Figure]) -> list[str]:
    known = [f for f in figures.values() if f.value is not None]
    if not known:
        return [f"No judge has a figure for {main}: {next(iter(figures.values())).reason if figures else 'no judge'}."]
    best, against = max(known, key=lambda f: f.value or 0.0), lens.settings.against
    said = [f"Highest {main}: {best.judge} with {spelt(best)}. The highest of several figures flatters its judge."]
    said += [f"{f.judge} has {spelt(f)}." for f in known if lens.families.get(f.judge) == "text" and f is not best]
    if not any(gap.value is not None for gap in gaps.values()):
        return [*said, _nothing_to_compare_with(lens)]
    for verdict, words in (("better", "Better than"), ("worse", "Worse than")):
        names = [f"{_named(lens, g.judge)} by {spelt(g, sign=True)}" for g in gaps.values() if g.verdict == verdict]
        if names:
            said.append(f"{words} {against} after correction for {len(gaps)} judges: {'; '.join(names)}.")
        elif verdict == "better":
            said.append(f"No judge is better than {against} after correction for {len(gaps)} judges.")
    level = [_named(lens, g.judge) for g in gaps.values() if g.verdict == "not told apart" and g.value is not None]
    if level:
        said.append(f"Neither better nor worse than {against} as far as these items can tell: {', '.join(level)}.")
    fewest = min(f.n for f in known)
    return said + ([f"Some of these figures rest on only {fewest} cases."] if fewest < FEW else [])


def _named(lens: Lens, judge: str) -> str:
    return f"{judge} (a baseline)" if lens.families.get(judge) == BASELINE else judge


def _nothing_to_compare_with(lens: Lens) -> str:
    against = lens.settings.against
    why = lens.table.unscored(against)
    there = f"{against} has no verdict on any reported item ({max(why, key=lambda w: why[w])})" if why else ""
    if not there:
        absent = against not in lens.asked
        there = f"There is no judge named {against} to compare with" if absent else f"Nothing compares with {against}"
    return f"{there}: no claim of better is made."


def _said_chance(lens: Lens, main: str, figures: Mapping[str, Figure]) -> list[str]:
    levels = {judge: chance_of(lens, main, judge) for judge, figure in figures.items() if figure.value is not None}
    held = [judge for judge, level in levels.items() if level is not None and holds(figures[judge], level)]
    if not held:
        return []
    known = " or ".join(sorted({number(levels[judge]) for judge in held}))
    who = "every judge" if len(held) == len(levels) else f"{len(held)} of {len(levels)} judges ({', '.join(held)})"
    return [f"Chance ({known}) lies within the interval of {who}."]


def holds(figure: Figure, level: float) -> bool:
    """Whether the interval of a figure holds a value."""
    return figure.low is not None and figure.high is not None and figure.low <= level <= figure.high


def scores(lens: Lens) -> Section | None:
    """A small panel a judge: scores of right and of wrong items, or over the human grade."""
    plot = score_distributions(lens)
    return section("scores", "Scores", plots=[plot]) if plot is not None else None
