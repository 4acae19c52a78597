"""How figures are spelt: as many digits as they are worth, a dash where there is none."""

from __future__ import annotations

import math
import re

from .results import ResultRow

MINUS_TEXT = "_minus_text"
_NAMES = {"auroc": "AUROC", "spearman": "Spearman", "pearson": "Pearson", "kendall": "Kendall"}
NOTHING = "\N{EN DASH}"


def number(value: float | None, *, decimals: int = 2, sign: bool = False) -> str:
    """A figure with a true minus sign and never a minus zero; a dash for ``None``.

    Example:
        >>> number(0.7149), number(-0.001), number(None), number(0.1, sign=True)
        ('0.71', '0.00', '–', '+0.10')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:+.{decimals}f}" if sign else f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "\N{MINUS SIGN}")


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


def duration(seconds: float | None) -> str:
    """Seconds in two significant digits and a fitting unit.

    Example:
        >>> duration(0.00123), duration(0.256), duration(3.14), duration(125.0), duration(None)
        ('1.2 ms', '260 ms', '3.1 s', '2.1 min', '–')
    """
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    for unit, size in (("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= 0.995 * size:
            return f"{_two_digits(seconds / size)} {unit}"
    return f"{_two_digits(seconds * 1e6)} µs" if seconds > 0 else "0 s"


def _two_digits(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{round(value, 1 - math.floor(math.log10(value))):.0f}"


def title(metric: str) -> str:
    """A metric in words.

    Example:
        >>> title("within_question_auroc"), title("accuracy_minus_text"), title("spearman")
        ('within-question AUROC', 'accuracy minus text', 'Spearman')
    """
    words = metric.replace("within_question", "within-question").split("_")
    return re.sub(r"\b(auroc|spearman|pearson|kendall)\b", lambda name: _NAMES[name[0]], " ".join(filter(None, words)))
