"""One measured line of the document, and figures that are measured in turn."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..passes.section import Spread

#: Does something once; told the number of the round.
Act = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Line:
    """What was measured, and what is asked of it.

    Args:
        what: In words.
        measured: In words as well, units included.
        asked: The bar, in words; empty where nothing is asked.
        met: Whether it is met; ``None`` where nothing is asked.
        points: Numbers of items and peak memory in MB, of what is plotted.
    """

    what: str
    measured: str
    asked: str = ""
    met: bool | None = None
    points: tuple[tuple[int, float], ...] = ()

    def cells(self) -> tuple[str, ...]:
        """The line as the document's table has it.

        Example:
            >>> Line("a by b", "0.9", "at least 0.8", True).cells()
            ('a by b', '0.9', 'at least 0.8: met')
        """
        verdict = {True: ": met", False: ": not met", None: ""}[self.met]
        return self.what, self.measured, self.asked + verdict


def line_of(values: dict[str, Any]) -> Line:
    """A line as JSON holds it."""
    return Line(**values | {"points": tuple((int(n), float(mb)) for n, mb in values["points"])})


def in_turn(one: Act, two: Act, rounds: int, before: Callable[[], None] | None = None) -> tuple[Spread, float, float]:
    """Seconds of ``two`` over those of ``one``, measured in turn and in changing order.

    Args:
        one: The reference.
        two: What is compared with it.
        rounds: How often.
        before: Called before each of them, outside the clock.

    Returns:
        Spread of the ratio over the rounds, and the median seconds of both.
    """
    seconds: dict[Act, list[float]] = {one: [], two: []}
    for k in range(rounds):
        for act in (one, two) if k % 2 == 0 else (two, one):
            if before is not None:
                before()
            started = time.perf_counter()
            act(k)
            seconds[act].append(time.perf_counter() - started)
    ratio = Spread.of([b / a for a, b in zip(seconds[one], seconds[two], strict=True)])
    return ratio, Spread.of(seconds[one]).median, Spread.of(seconds[two]).median


def said(ratio: Spread) -> str:
    """A ratio in words.

    Example:
        >>> said(Spread(1.0, 0.9, 1.234))
        '1.00 (0.90 to 1.23)'
    """
    return f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
