"""Figures in sentences."""

from ..drawing.style import number
from .figures import Figure


def spelt(figure: Figure, *, sign: bool = False) -> str:
    """A figure in a sentence: value and interval.

    Example:
        >>> spelt(Figure(data="d", part="p", judge="j", metric="m", value=0.512, low=0.4, high=0.61))
        '0.51 [0.40, 0.61]'
    """
    ends = "" if figure.low is None else f" [{number(figure.low)}, {number(figure.high)}]"
    return number(figure.value, sign=sign) + ends


def split_of_auroc(pooled: float, within: float | None, between: float | None, share: float) -> str:
    """What a pooled AUROC is made of, as a sentence; the arguments are what ``decomposition`` returns.

    Example:
        >>> print(split_of_auroc(0.78, 0.75, 0.8, 0.4))
        Pooled AUROC 0.780 = 0.400 x within questions 0.750 + 0.600 x between 0.800: 60 % is between questions.
    """
    return (
        f"Pooled AUROC {pooled:.3f} = {share:.3f} x within questions {number(within, decimals=3)} + {1 - share:.3f} x "
        f"between {number(between, decimals=3)}: {100 * (1 - share):.0f} % is between questions."
    )
