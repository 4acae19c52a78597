"""Why items of a comparison were left unscored, counted."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from ..results import Comparison

#: A text in quotes, as ``repr`` writes it; an apostrophe within a word opens none.
_QUOTED = re.compile(r"""(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?!\w)""")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why items were left unscored.

    Args:
        example: The reason of the first such item.
        similar: How many other wordings there are that differ in their numbers and quoted texts only.
        items: How many items each judge left unscored for it.
        judges: The judges that did.
    """

    example: str
    similar: int
    items: int
    judges: tuple[str, ...]


def unscored_reasons(comparison: Comparison) -> list[Reason]:
    """Why items were left unscored, counted from the verdicts.

    Reasons that differ only in numbers, or in what they quote of an item, count as one.
    """
    counts: dict[str, Counter[str]] = {judge: Counter() for judge in comparison.judges}
    wordings: dict[str, dict[str, None]] = {}
    for verdict in comparison.verdicts:
        if verdict.get("unscored") and verdict.get("judge") in counts:
            shape = shape_of(str(verdict["unscored"]))
            counts[verdict["judge"]][shape] += 1
            wordings.setdefault(shape, {})[str(verdict["unscored"])] = None
    alike: dict[tuple[str, int], list[str]] = {}
    for judge, found in counts.items():
        for shape, items in found.items():
            alike.setdefault((shape, items), []).append(judge)
    rows = [
        Reason(next(iter(wordings[shape])), len(wordings[shape]) - 1, items, tuple(judges))
        for (shape, items), judges in alike.items()
    ]
    return sorted(rows, key=lambda row: -row.items * len(row.judges))


def shape_of(reason: str) -> str:
    """What reasons have in common that differ in their numbers and quoted texts only.

    Example:
        >>> shape_of("512 tokens in 'a'") == shape_of("7 tokens in 'b'")
        True
    """
    return re.sub(r"\d+", "0", _QUOTED.sub("'...'", reason))
