"""Which texts begin alike: families whose common beginning is computed once, found from their token ids alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

#: Share of a family's tokens that a common beginning must save; below, two passes in place of one do not pay.
WORTH = 0.1


@dataclass(frozen=True, slots=True)
class Family:
    """Texts whose first ``shared`` tokens are the same.

    Args:
        rows: Indices of the texts.
        shared: Tokens at the beginning that are computed once; 0 for texts that are read whole.
    """

    rows: tuple[int, ...]
    shared: int


def families(texts: Sequence[tuple[int, ...]], most: Sequence[int], *, least: int = 1) -> list[Family]:
    """Texts grouped so that as many tokens as possible are computed once; texts alone are one family with ``shared=0``.

    Sorted texts that begin alike stand side by side. Neighbours are joined in the order of what they have in common,
    most first; each join keeps its parts, or makes one family of them, whichever saves more. A family of ``n`` texts
    saves ``(n - 1) * shared`` tokens, and is one only if that is :data:`WORTH` it, and at least ``least``.

    Args:
        texts: Token ids of each text.
        most: How many tokens of each text may be shared at most: what is read behind them differs.
        least: Tokens that a family must save.

    Example:
        >>> families([(1, 2, 3, 4), (7, 8, 9), (1, 2, 3, 5)], [3, 2, 3])
        [Family(rows=(0, 2), shared=3), Family(rows=(1,), shared=0)]
    """
    heads = [text[:limit] for text, limit in zip(texts, most, strict=True)]
    order = sorted(range(len(texts)), key=heads.__getitem__)
    common = [_common(heads[a], heads[b]) for a, b in pairwise(order)]
    lengths = [0]
    for row in order:
        lengths.append(lengths[-1] + len(texts[row]))
    # A run of neighbours, by its first and by its last place: (first, last, tokens saved, its parts or a whole family).
    runs: list[_Run] = [_Run(k, k, 0, 0, ()) for k in range(len(order))]
    first, last = list(runs), list(runs)
    for place in sorted(range(len(common)), key=lambda k: -common[k]):
        if not common[place]:
            break
        left, right = last[place], first[place + 1]
        joined = _Run(left.first, right.last, left.saved + right.saved, 0, (left, right))
        whole = (joined.last - joined.first) * common[place]
        tokens = lengths[joined.last + 1] - lengths[joined.first]
        if whole > joined.saved and whole >= max(WORTH * tokens, least):
            joined = _Run(left.first, right.last, whole, common[place], ())
        first[joined.first] = last[joined.last] = joined
    found, alone = [], []
    at = 0
    while at < len(order):
        open_runs = [first[at]]
        at = first[at].last + 1
        while open_runs:
            run = open_runs.pop()
            open_runs += run.parts
            if not run.parts:
                rows = sorted(order[run.first : run.last + 1])
                if run.shared:
                    found.append(Family(tuple(rows), run.shared))
                else:
                    alone += rows
    return [*found, *([Family(tuple(sorted(alone)), 0)] if alone else [])]


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Tokens at the beginning that are the same."""
    return next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@dataclass(frozen=True, slots=True)
class _Run:
    first: int
    last: int
    saved: int
    shared: int
    parts: tuple[_Run, ...]
