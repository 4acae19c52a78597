"""Splits by question: no question on both sides."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from ...models.arguments import checked
from ...models.errors import InnerjudgeError

Index = npt.NDArray[np.intp]


def rows_by_group(groups: Sequence[Hashable]) -> list[Index]:
    """Rows of each group, groups in order of first appearance."""
    found: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        found.setdefault(group, []).append(row)
    return [np.array(rows, dtype=np.intp) for rows in found.values()]


@checked
def split_by_group(groups: Sequence[str], *, train_fraction: float = 0.5, seed: int) -> tuple[Index, Index]:
    """Split rows ``[n]`` into two parts, each of at least one group (question) that is not in the other.

    Returns ``(train, test)``, sorted row indices, together ``0..n-1``. ``train_fraction`` is the share of the *groups*
    in the first part. The draw depends on ``seed`` and the names of the groups, not on the order of the rows.
    ``InnerjudgeError`` with fewer than 2 groups, or a fraction outside (0, 1).

    Example:
        >>> train, test = split_by_group(["q1", "q1", "q2", "q2"], seed=0)
        >>> len(train), len(test), sorted([*train.tolist(), *test.tolist()])
        (2, 2, [0, 1, 2, 3])
    """
    if not 0 < train_fraction < 1:
        raise InnerjudgeError.of("data.share", train_fraction)
    names = sorted(set(groups))
    if len(names) < 2:
        raise InnerjudgeError.of("data.few-questions", len(names))
    count = min(max(round(train_fraction * len(names)), 1), len(names) - 1)
    chosen = {names[k] for k in np.random.default_rng(seed).permutation(len(names))[:count]}
    inside = np.array([g in chosen for g in groups])
    return np.flatnonzero(inside), np.flatnonzero(~inside)
