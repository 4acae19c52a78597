"""Which texts begin alike: families whose common beginning is computed once, found from their token ids alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

#: Share of a family's tokens that a common beginning must save; below, two passes in place of one do not pay.
WORTH = 0.1


@dataclass(frozen=True, slots=True)
class Family:
    """Texts whose first ``shared`` tokens are the same.

    Args:
        rows: Indices of the texts, in order.
        shared: Tokens at the beginning that are computed once; 0 for texts that are read whole.
    """

    rows: tuple[int, ...]
    shared: int


def families(texts: Sequence[tuple[int, ...]], most: Sequence[int], *, least: int = 1) -> list[Family]:
    """Texts grouped so that many tokens are computed once; those without a family are one with ``shared=0``, the last.

    Sorted texts that begin alike stand side by side, and form a tree: the longer their common beginning, the deeper. At
    each branch, from the deepest up, the texts become one family if that saves more than what was found within the
    branch and a family of the rest of it. A family of ``n`` texts saves ``(n - 1) * shared`` tokens, and is one only if
    that is :data:`WORTH` it and at least ``least``.

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
    lengths = [len(text) for text in texts]
    open_branches = [_Branch(0)]
    for row, following in pairwise([*order, None]):
        assert row is not None
        branch = _Branch(len(heads[row]) + 1, alone=[row])
        shared = 0 if following is None else _common(heads[row], heads[following])
        while open_branches[-1].shared > shared:
            open_branches[-1].take(branch)
            branch = open_branches.pop().closed(lengths, least)
        if open_branches[-1].shared < shared:
            open_branches.append(_Branch(shared))
        open_branches[-1].take(branch)
    root = open_branches[0]
    alone = [Family(tuple(sorted(root.alone)), 0)] if root.alone else []
    return [*root.families, *alone]


@dataclass(slots=True)
class _Branch:
    """Texts that share this many tokens: families found among them, and those that have none."""

    shared: int
    families: list[Family] = field(default_factory=list)
    alone: list[int] = field(default_factory=list)
    saved: int = 0

    def take(self, other: _Branch) -> None:
        self.families += other.families
        self.alone += other.alone
        self.saved += other.saved

    def closed(self, lengths: Sequence[int], least: int) -> _Branch:
        """The branch when all its texts are there: with them as one family, or with one of the rest, if that pays."""
        rows = [*self.alone, *(row for family in self.families for row in family.rows)]
        whole, rest = ((len(some) - 1) * self.shared for some in (rows, self.alone))
        if whole > self.saved + max(rest, 0) and _pays(whole, rows, lengths, least):
            return _Branch(self.shared, [Family(tuple(sorted(rows)), self.shared)], [], whole)
        if rest > 0 and _pays(rest, self.alone, lengths, least):
            family = Family(tuple(sorted(self.alone)), self.shared)
            return _Branch(self.shared, [*self.families, family], [], self.saved + rest)
        return self


def _pays(saved: int, rows: Sequence[int], lengths: Sequence[int], least: int) -> bool:
    return saved >= max(WORTH * sum(lengths[row] for row in rows), least)


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Tokens at the beginning that are the same."""
    return next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
