"""What a judge is worth for picking one of several answers, and with a costlier one asked where it is least sure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ....probes import Verdict
from ...data.answers import normalise
from ...data.verdict_table import Row
from ...drawing.style import counted
from ...selection.cascade import cost_curve
from ...selection.reranking import accuracy_against_n, interval, selection_accuracy
from ...selection.rules import Rule
from ..figures import Section, grid, section, spelt, worded
from ..lens import Lens
from ..report.draw import curves
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
    made = {n: selection_accuracy(answers, nothing, lens.truths, lens.groups, rule=Rule(n)) for n in _RULES}
    figures = [lens.figure(KEY, NO_JUDGE, name, found) for name, found in made.items()]
    plot = accuracy_by_candidates(lens, candidate_curves(lens))
    said = ", ".join(f"{figure.metric} {spelt(figure)}" for figure in figures if figure.value is not None)
    table = grid("candidates", [[NO_JUDGE, *figures]], _RULES, folded=True)
    found_so = f"Without a judge: {said}." if said else ""
    return section(KEY, "Picking one of several answers", [found_so], [table], [plot])


def candidate_curves(lens: Lens) -> tuple[Curve, ...]:
    """Expected accuracy over random subsets of 1..N candidates: each judge's best, majority, a random one, the oracle.

    Empty where some question has fewer than two candidates of known correctness. A judge that scored nothing is left
    out.
    """
    answers = [normalise(answer) for answer in lens.table.answers]
    known = [group for group, right in zip(lens.groups, lens.truths, strict=True) if right is not None]
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
        each = accuracy_against_n(answers, column, lens.truths, lens.groups, rule=rule, seed=seed)
        low, high = interval(each)
        sizes, ends = range(1, each.shape[1] + 1), {"low": tuple(low.tolist()), "high": tuple(high.tolist())}
        curves.append(Curve(label=label, x=tuple(sizes), y=tuple(each.mean(axis=0).tolist()), **ends))
    return tuple(curves)


CASCADE = "cascade"


def cascade(lens: Lens, cost: Mapping[str, Mapping[str, float]]) -> Section | None:
    """Accuracy over tokens: the cheaper judge of states that is right most often, then the judge to compare with.

    Items that both judged and whose truth is known count. ``None`` without such a judge, its cost, or a border between
    its verdicts.
    """
    dear, best = lens.settings.against, list[tuple[float, str, Any]]()
    for judge in lens.judges if dear in cost else ():
        pairs = zip(lens.table.column(judge), lens.table.column(dear), strict=True)
        both = [(a, b) for a, b in pairs if a and b and None not in (a.right, b.right, a.score)]
        parted, border = (True, None) if lens.kind == "choice" else border_of([a for a, _ in both])
        cheaper = judge in cost and cost[judge]["tokens"] < cost[dear]["tokens"]
        if both and parted and cheaper and lens.families[judge] == "hidden":
            sides = zip(*both, strict=True)
            first, second = ([Verdict(row.candidate, row.score, row.label) for row in side] for side in sides)
            truth, groups = [a.truth for a, _ in both], [a.question for a, _ in both]
            costs = cost[judge]["tokens"], cost[dear]["tokens"]
            made = cost_curve(first, second, truth, groups, border=border, costs=costs, points=5)
            best.append((float(made["accuracy"][0]), judge, made))
    if not best:
        return None
    _, judge, table = max(best, key=lambda one: one[0])
    columns = ["share", "cost", "accuracy", "low", "high"]
    rows = table[columns].round(3).to_numpy().tolist()
    behind = grid("cascade", rows, columns[2:], judge=judge, dear=dear)
    line = {f"{judge}, then {dear}": [table[name].tolist() for name in columns[1:]]}
    heading, axes = f"Accuracy against cost: {judge}, then {dear}", {"x": "tokens per item", "y": "accuracy"}
    plot = curves(lens.data, CASCADE, heading, line, **axes, behind=behind)
    said = worded(CASCADE, judge=judge, dear=dear, rows=rows, counted=counted(len(best), "cheaper judge"))
    return section(CASCADE, "A cheap judge first", said, plots=[plot], dear=dear)


def border_of(rows: Sequence[Row]) -> tuple[bool, float | None]:
    """Whether scores part two labels, and the border between them."""
    labels = {row.label for row in rows}
    sides = {label: [one.score or 0.0 for one in rows if one.label == label] for label in labels}
    low, high = sorted(sides.values(), key=max) if len(sides) == 2 else ([1.0], [0.0])
    return max(low) < min(high), (max(low) + min(high)) / 2
