"""How every plot looks (colours, dashes, marks, type), names that fit, figures as they are spelt, and pages of them."""

import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Colours of Okabe and Ito, told apart by colour-blind readers; one a family, the same in every plot and in the report.
FAMILY_COLOURS = {"hidden": "#0072B2", "logits": "#D55E00", "text": "#009E73", "baseline": "#6E6E6E"}
#: Colours in order where no families are told apart.
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#6E6E6E", "#E69F00", "#000000")
#: Right and wrong; neither is the colour of a family, and in grey one is dark and the other light.
RIGHT, WRONG, UNKNOWN = "#3F4E63", "#E69F00", "#6E6E6E"
#: Dash and mark of one line after the other; 36 before a pair comes again.
LINES = tuple((("-", "--", ":", "-.")[k % 4], "os^DvXP<>"[k % 9]) for k in range(36))
#: Settings of matplotlib while a plot is drawn.
STYLE: Any = tomllib.loads(Path(__file__).with_name("plots.toml").read_text("utf-8"))


def short(text: str, width: int) -> str:
    """``text`` on one line of at most ``width`` characters; the middle goes first, since names differ at their ends.

    Example:
        >>> short("select-and-copy, best head", 14)
        'select-…t head'
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()) or "-"
    return line if len(line) <= width else f"{line[: width // 2]}…{line[len(line) - (width - width // 2 - 1) :]}"


NOTHING = "\N{EN DASH}"


def number(value: float | None, *, decimals: int = 2, sign: bool = False) -> str:
    """A figure with a true minus sign and never a minus zero; a dash for ``None``."""
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:+.{decimals}f}" if sign else f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "\N{MINUS SIGN}")


def duration(seconds: float | None) -> str:
    """Seconds in two significant digits and a fitting unit."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    for unit, size in (("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= 0.995 * size:
            return f"{_two_digits(seconds / size)} {unit}"
    return f"{_two_digits(seconds * 1e6)} µs" if seconds > 0 else "0 s"


def _two_digits(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{round(value, 1 - math.floor(math.log10(value))):.0f}"


def counted(count: int, what: str) -> str:
    """A count with its noun."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def are_in(count: int, what: str, where: object) -> str:
    """The sentence that a number of things are in a place."""
    return f"{counted(count, what)} {'is' if count == 1 else 'are'} in {where}."


def filled(template: str, known: dict[str, Any], /, **filters: Callable[..., str]) -> str:
    """A Jinja template with what is ``known``, where every text is put on one line; ``number`` is a filter too."""
    from jinja2 import Environment, StrictUndefined

    def on_one_line(value: Any) -> Any:
        return " ".join(value.split("\n")) if isinstance(value, str) else value

    made = Environment(undefined=StrictUndefined, finalize=on_one_line, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"number": number, **filters}
    return made.from_string(template).render(known)
