"""The curves of a comparison, each in a shade of the colour of its judge's family."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from .drawing.palette import FAMILY_COLOURS, LINES, STYLE
from .results import Comparison, Curve

_SHADES = (("white", 0.0), ("black", 0.45), ("white", 0.4))


def draw_curves(
    comparison: Comparison, curves: Sequence[Curve], *, family: str, draw: Callable[..., list[Any]]
) -> Figure | None:
    """One line a curve, by a function of :mod:`.drawing.lines`; ``family`` is that of a line that names no judge."""
    shown = {curve.label: curve for curve in curves if curve.x}
    if not shown:
        return None
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, max(3.7, 0.3 * len(shown) + 0.8)), layout="constrained")
        looks = {curve.label: look for curve, look in _styled(comparison, list(shown.values()), family)}
        lines = {label: (curve.x, curve.y, curve.low, curve.high) for label, curve in shown.items()}
        handles = draw(figure.subplots(), lines, looks=looks, legend=False)
        figure.legend(handles=handles, loc="outside right upper", fontsize=8.5)
        return figure


def _styled(comparison: Comparison, curves: Sequence[Curve], fallback: str) -> Iterator[tuple[Curve, dict[str, Any]]]:
    """Each curve in a shade of its family's colour, with a dash and mark; the family is that of the judge it names."""
    names = {name.lower().replace("-", " "): family for name, family in comparison.judges.items()}
    seen: Counter[str] = Counter()
    for curve in curves:
        label = curve.label.lower().replace("-", " ")
        family = names[max(starts, key=len)] if (starts := [n for n in names if label.startswith(n)]) else fallback
        turn = seen[family]
        seen[family] += 1
        dash, mark = LINES[turn % len(LINES)]
        base, towards, share = (
            FAMILY_COLOURS.get(family, "#333333"),
            *_SHADES[(turn + turn // len(LINES)) % len(_SHADES)],
        )
        mixed = [a * (1 - share) + b * share for a, b in zip(to_rgb(base), to_rgb(towards), strict=True)]
        colour = to_hex((mixed[0], mixed[1], mixed[2]))
        yield curve, {"color": colour, "linestyle": dash, "marker": mark}
