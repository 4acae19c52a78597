"""Where in the depth of the model the information is: one figure a block."""

from __future__ import annotations

from collections.abc import Mapping

from ...compare.results import Curve
from ...drawing.lines import Line
from ..draw import curves
from ..figures import Cell, Figure, Section, grid
from ..judged import Judged

KEY = "blocks"
#: What the curves of each kind of item are of.
MEASURE = {
    "trace": "AUROC within questions",
    "rating": "Spearman with the mean human grade",
    "choice": "accuracy",
}


def by_block(judged: Judged) -> Section | None:
    """The curves over blocks, fitted or chosen on the first side, on all items that judges were not fitted on."""
    found = [curve for curve in judged.curves() if any(y is not None for y in curve.y)]
    if not found:
        return None
    measure = MEASURE[judged.kind]
    made = {curve.label: _figures(judged, curve, measure) for curve in found}
    blocks = sorted({block for held in made.values() for block in held})
    rows: list[list[Cell]] = [[f"block {b}", *(held.get(b) for held in made.values())] for b in blocks]
    behind = grid(
        f"{measure} by block (0 is the embedding), on all questions but those fitted on", ["block", *made], rows
    )
    plot = curves(
        judged.name,
        "blocks",
        f"{measure} by block",
        {label: _line(held) for label, held in made.items()},
        x="block",
        y=measure,
        behind=behind,
    )
    tops = [max(held.values(), key=lambda f: -1.0 if f.value is None else f.value) for held in made.values()]
    said = "; ".join(f"{top.judge}: {top.metric.rsplit('[', 1)[-1].rstrip(']')}" for top in tops)
    return Section(
        key=KEY,
        title="By depth",
        question="At which block of the model can the verdict be read?",
        found=(f"Highest by block: {said}. The highest of several blocks flatters it: see the luck of a pick.",),
        plots=(plot,) if plot else (),
    )


def _figures(judged: Judged, curve: Curve, measure: str) -> dict[int, Figure]:
    nothing = (None,) * len(curve.x)
    ends = zip(curve.x, curve.y, curve.low or nothing, curve.high or nothing, strict=True)
    return {
        block: Figure(
            data=judged.name,
            part=KEY,
            judge=curve.label,
            metric=f"{measure} [block {block}]",
            value=value,
            low=low,
            high=high,
            reason=None if value is not None else "undefined at this block",
            good="none",
        )
        for block, value, low, high in ends
    }


def _line(held: Mapping[int, Figure]) -> Line:
    known = [(block, figure) for block, figure in held.items() if figure.value is not None]
    at, values = [float(block) for block, _ in known], [figure.value for _, figure in known]
    return at, values, [figure.low for _, figure in known], [figure.high for _, figure in known]
