"""Where in the depth of the model the information is: one figure a block, and one a head."""

from collections.abc import Sequence

from ...stats.intervals import Interval
from ..figures import Cell, Figure, Section, grid, section
from ..lens import Lens
from ..report.judge_plots import accuracy_by_block, head_maps
from ..results import Curve, HeadMap

KEY = "blocks"
#: What the curves of each kind of item are of.
MEASURE = {"trace": "AUROC within questions", "rating": "Spearman with the mean human grade", "choice": "accuracy"}


def by_block(lens: Lens, curves: Sequence[Curve], maps: Sequence[HeadMap]) -> Section | None:
    """The curves over blocks, fitted or chosen on the first side, on all items that judges were not fitted on."""
    found = [curve for curve in curves if any(y is not None for y in curve.y)]
    if not found:
        return None
    measure = MEASURE[lens.kind]
    made = {curve.label: _figures(lens, curve, measure) for curve in found}
    tops = [max(held.values(), key=lambda f: -1.0 if f.value is None else f.value) for held in made.values()]
    said = "; ".join(f"{top.judge}, at {top.metric.rsplit('[', 1)[-1].rstrip(']')}" for top in tops)
    blocks = sorted({block for held in made.values() for block in held})
    rows: list[list[Cell]] = [[f"block {b}", *(held.get(b) for held in made.values())] for b in blocks]
    behind = grid("blocks", rows, made, measure=measure)
    plots = (accuracy_by_block(lens, found, measure, behind), head_maps(lens, maps))
    found_at = f"Highest by block: {said}. The highest of several blocks flatters it."
    return section(KEY, "By depth", [found_at], plots=plots)


def _figures(lens: Lens, curve: Curve, measure: str) -> dict[int, Figure]:
    nothing = (None,) * len(curve.x)
    ends = zip(curve.x, curve.y, curve.low or nothing, curve.high or nothing, strict=True)
    found = {}
    for block, value, low, high in ends:
        why = None if value is not None else "undefined at this block"
        interval = Interval(value=value, low=low, high=high, n=0, reason=why)
        found[block] = lens.shown(KEY, curve.label, f"{measure} [block {block}]", interval, good="none")
    return found
