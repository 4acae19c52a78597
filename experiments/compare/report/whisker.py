"""A figure and its interval as a small drawing for a line of the table, all lines on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ...drawing.spelling import number
from ..results import ResultRow
from .table import Line

_WIDTH, _HEIGHT, _PAD = 144, 16, 5


@dataclass(frozen=True, slots=True)
class Scale:
    """What the left and right ends of the drawing stand for, and one figure that is marked on every line.

    Args:
        low: Left end.
        high: Right end.
        mark: Figure of the line that all are seen against; ``None`` for no mark.
        mark_name: What is marked, in words.
    """

    low: float
    high: float
    mark: float | None = None
    mark_name: str = ""

    @property
    def low_text(self) -> str:
        """The left end in words."""
        return number(self.low)

    @property
    def high_text(self) -> str:
        """The right end in words."""
        return number(self.high)

    def x(self, value: float) -> float:
        """Place of a value on the drawing."""
        return round(_PAD + (value - self.low) / (self.high - self.low) * (_WIDTH - 2 * _PAD), 1)


def scale_of(lines: Sequence[Line], chance: float | None) -> Scale | None:
    """The scale that holds the first figure of every line, marked at chance, or else at the first text judge."""
    rows = [line.cells[0] for line in lines if line.cells and line.cells[0] is not None]
    ends = [v for row in rows for v in (row.value, row.low, row.high) if v is not None]
    text = next((line for line in lines if line.family == "text" and line.cells and line.cells[0]), None)
    value = text.cells[0].value if text is not None and text.cells[0] is not None else None
    mark, name = (value, text.judge) if text is not None and value is not None else (chance, "chance")
    ends += [mark] if mark is not None else []
    if len(set(ends)) < 2:
        return None
    return Scale(min(ends), max(ends), mark, name if mark is not None else "")


def whisker(row: ResultRow | None, scale: Scale, colour: str) -> Markup:
    """The drawing as inline SVG; empty where there is no figure.

    Example:
        >>> str(whisker(None, Scale(0.0, 1.0), "#000000"))
        ''
    """
    if row is None or row.value is None:
        return Markup("")
    middle = _HEIGHT / 2
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" aria-hidden="true">']
    if scale.mark is not None:
        at = scale.x(scale.mark)
        parts.append(f'<path d="M{at} 0V{_HEIGHT}" stroke="currentColor" stroke-opacity=".35"/>')
    if row.low is not None and row.high is not None:
        span = f"M{scale.x(row.low)} {middle}H{scale.x(row.high)}"
        parts.append(f'<path d="{span}" stroke="{colour}" stroke-width="2.5" stroke-opacity=".75"/>')
    parts.append(f'<circle cx="{scale.x(row.value)}" cy="{middle}" r="4" fill="{colour}"/></svg>')
    return Markup("".join(parts))
