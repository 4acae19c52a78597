"""How every plot looks: colours, dashes and marks, type, and names that fit."""

from typing import Any

#: Colours of Okabe and Ito, told apart by colour-blind readers; one a family, the same in every plot and in the report.
FAMILY_COLOURS = {"hidden": "#0072B2", "logits": "#D55E00", "text": "#009E73", "baseline": "#6E6E6E"}
#: Colours in order where no families are told apart.
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#6E6E6E", "#E69F00", "#000000")
#: Right and wrong; neither is the colour of a family, and in grey one is dark and the other light.
RIGHT, WRONG, UNKNOWN = "#3F4E63", "#E69F00", "#6E6E6E"
#: Dash and mark of one line after the other.
LINES = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"), ("-", "v"), ("--", "X"))
#: Settings of matplotlib while a plot is drawn.
STYLE: Any = {
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
}  # fmt: skip


def short(text: str, width: int) -> str:
    """``text`` on one line of at most ``width`` characters; the middle goes first, since names differ at their ends.

    Example:
        >>> short("select-and-copy, best head", 14)
        'select-…t head'
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()) or "-"
    return line if len(line) <= width else f"{line[: width // 2]}…{line[len(line) - (width - width // 2 - 1) :]}"
