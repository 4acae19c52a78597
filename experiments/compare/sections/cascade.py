"""A cheap judge first, a dear one where that is least sure: how often they are right together, and what it costs."""

from collections.abc import Mapping, Sequence
from typing import Any

from ....probes import Verdict
from ...data.verdict_table import Row
from ...selection.cascade import cost_curve
from ..figures import Section, grid
from ..lens import Lens
from ..report.draw import curves

KEY = "cascade"


def cascade(lens: Lens, cost: Mapping[str, Mapping[str, float]]) -> Section | None:
    """The cheaper judge of states that is right most often, and behind it the judge to compare with, over tokens.

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
            first, second = (
                [Verdict(row.candidate, row.score, row.label) for row in side] for side in zip(*both, strict=True)
            )
            truth, groups = [a.truth for a, _ in both], [a.question for a, _ in both]
            costs = cost[judge]["tokens"], cost[dear]["tokens"]
            made = cost_curve(first, second, truth, groups, border=border, costs=costs, points=5)
            best.append((float(made["accuracy"][0]), judge, made))
    if not best:
        return None
    _, judge, table = max(best, key=lambda one: one[0])
    columns = ["share", "cost", "accuracy", "low", "high"]
    rows = table[columns].round(3).to_numpy().tolist()
    behind = grid(f"{judge}, then {dear} where it is least sure", ["share asked", "tokens an item", *columns[2:]], rows)
    line = {f"{judge}, then {dear}": [table[name].tolist() for name in columns[1:]]}
    heading, axes = f"Accuracy against cost: {judge}, then {dear}", {"x": "tokens an item", "y": "accuracy"}
    plot = curves(lens.data, KEY, heading, line, **axes, behind=behind)
    alone, half, every = (
        f"{value:.2f}{'' if low is None else f' [{low:.2f}, {high:.2f}]'} at {tokens:.0f} tokens an item"
        for _, tokens, value, low, high in (rows[k] for k in (0, 2, 4))
    )
    return Section(
        key=KEY,
        title="A cheap judge first",
        question=f"What is gained by asking {dear} only where a cheaper judge is not sure?",
        found=(
            f"Accuracy of {judge} alone: {alone}; with {dear} asked about the half of which it is least sure: {half}; "
            f"about all: {every}. Among {len(best)} cheaper judges of states it was picked by these items.",
        ),
        plots=(plot,) if plot else (),
    )


def border_of(rows: Sequence[Row]) -> tuple[bool, float | None]:
    """Whether scores part two labels, and the border between them."""
    labels = {row.label for row in rows}
    sides = {label: [one.score or 0.0 for one in rows if one.label == label] for label in labels}
    low, high = sorted(sides.values(), key=max) if len(sides) == 2 else ([1.0], [0.0])
    return max(low) < min(high), (max(low) + min(high)) / 2
