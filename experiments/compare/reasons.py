"""Why items of a comparison were left unscored, counted."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..data.verdict_table import Row

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


def unscored_reasons(rows: Iterable[Row]) -> tuple[Reason, ...]:
    """Why items were left unscored, counted from the verdicts; an item in both of its forms counts once.

    Reasons that differ only in numbers, or in what they quote of an item, count as one.
    """
    counts: dict[str, Counter[str]] = {}
    wordings: dict[str, dict[str, None]] = {}
    for judge, _, why in dict.fromkeys((row.judge, row.item, row.unscored) for row in rows if row.unscored):
        shape = shape_of(str(why))
        counts.setdefault(judge, Counter())[shape] += 1
        wordings.setdefault(shape, {})[str(why)] = None
    alike: dict[tuple[str, int], list[str]] = {}
    for judge, found in counts.items():
        for shape, items in found.items():
            alike.setdefault((shape, items), []).append(judge)
    made = [
        Reason(next(iter(wordings[shape])), len(wordings[shape]) - 1, items, tuple(judges))
        for (shape, items), judges in alike.items()
    ]
    return tuple(sorted(made, key=lambda one: -one.items * len(one.judges)))


def shape_of(reason: str) -> str:
    """What reasons have in common that differ in their numbers and quoted texts only.

    Example:
        >>> shape_of("512 tokens in 'a'") == shape_of("7 tokens in 'b'")
        True
    """
    return re.sub(r"\d+", "0", _QUOTED.sub("'...'", reason))
