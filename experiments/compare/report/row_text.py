"""How a row of results is spelt: value and interval, with as many digits as they are worth."""

from __future__ import annotations

from ...drawing.spelling import MINUS_TEXT, number
from ..results import ResultRow


def interval(row: ResultRow) -> str:
    """The interval of a row as ``[low, high]``, or nothing where there is none."""
    if row.low is None or row.high is None:
        return ""
    return f"[{number(row.low, decimals=_decimals(row))}, {number(row.high, decimals=_decimals(row))}]"


def figure(row: ResultRow) -> str:
    """Value and interval of a row: two decimals, more only where the interval is so narrow that they say something.

    Example:
        >>> row = ResultRow(data="d", judge="j", metric="auroc", value=0.7149, low=0.652, high=0.7703, n=90, unscored=0,
        ...                 seconds_per_item=None)
        >>> figure(row)
        '0.71 [0.65, 0.77]'
    """
    signed = row.metric.endswith(MINUS_TEXT)
    return f"{number(row.value, decimals=_decimals(row), sign=signed)} {interval(row)}".strip()


def _decimals(row: ResultRow) -> int:
    """Two; three where the interval is under 0.02 wide or where a difference from 0 would be rounded away."""
    if row.low is None or row.high is None:
        return 2
    hidden = excludes_zero(row) and min(abs(row.low), abs(row.high)) < 0.005
    return 3 if 0 < row.high - row.low < 0.02 or (row.metric.endswith(MINUS_TEXT) and hidden) else 2


def excludes_zero(row: ResultRow | None) -> bool:
    """Whether the whole interval of a row lies on one side of 0."""
    return row is not None and row.low is not None and row.high is not None and (row.low > 0 or row.high < 0)
