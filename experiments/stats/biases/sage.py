"""Sage: how good a pair-wise judge can be at most, estimated from its own contradictions, without any label."""

from collections.abc import Hashable, Mapping
from functools import cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ....models.errors import InnerjudgeError
from ...data.verdict_table import Table
from ..statistic import SHARE, Floats, Statistic, ratio

Signs = npt.NDArray[np.int8]
#: Most candidates of which all weak orders are gone through (47,293 of them).
MOST_CANDIDATES = 7


def weak_orders(n: int) -> Signs:
    """All weak orders of ``n`` candidates as signs of their pairs ``i < j``: 1 where ``i`` is above ``j``, 0 level.

    ``[orders, n (n - 1) / 2]``: 1, 3, 13, 75, 541, 4683, 47293 orders for ``n`` = 1 to 7; beyond
    :data:`MOST_CANDIDATES` an error.
    """
    if not 1 <= n <= MOST_CANDIDATES:
        raise InnerjudgeError(
            f"given {n} candidates a question, expected 1 to {MOST_CANDIDATES}: draw some, all orders are gone through"
        )
    return _weak_orders(n)


@cache
def _weak_orders(n: int) -> Signs:
    levels = np.stack(np.meshgrid(*[np.arange(n, dtype=np.int8)] * n, indexing="ij"), axis=-1).reshape(-1, n)
    used = np.zeros((len(levels), n), dtype=bool)
    np.put_along_axis(used, levels.astype(np.intp), True, axis=1)
    dense = used.sum(axis=1) == levels.max(axis=1) + 1  # no level is left out
    kept = levels[dense]
    i, j = np.triu_indices(n, 1)
    signs = np.sign(kept[:, i] - kept[:, j]).astype(np.int8)
    return np.unique(signs, axis=0)


def inconsistent_pairs(verdicts: npt.ArrayLike) -> float:
    r"""IPI of one question: share of pairs whose two orders contradict, :math:`y_{ij} \ne -y_{ji}`.

    ``verdicts[i, j]`` is 1 where ``i``, shown first, was preferred to ``j``, else -1 or 0, ``[n, n]``; the diagonal
    does not count.

    Source:
        Sage (arXiv 2512.16041), intra-pair instability.
    """
    y = _square(verdicts)
    i, j = np.triu_indices(len(y), 1)
    return float((y[i, j] != -y[j, i]).mean())


def order_violations(verdicts: npt.ArrayLike) -> int:
    r"""TOV of one question: fewest of its ``n (n - 1)`` verdicts that must change to fit one weak order.

    :math:`\min_O \sum_{i \ne j} 1[y_{ij} \ne p_{ij}(O)]`, exact by going through all weak orders. It is at least the
    number of inconsistent pairs, and 0 for every judge that compares scores of its own: that is true by construction
    and says nothing of how good the scores are.

    Source:
        Sage (arXiv 2512.16041), total order violation.
    """
    return int(_violations(_square(verdicts)[None])[0])


def sage_statistics(table: Table, judge: str) -> tuple[Statistic, Statistic, int]:
    """IPI and TOV of a judge, averaged over questions, and how many questions lack a verdict and are left out.

    The rows are comparisons, candidate ``"X|Y"`` in both orders, every two candidates of a question once. ``n`` counts
    questions. The statistics' rows are the table's :attr:`~.table.Table.items`.
    """
    given, swapped = (table.labels(judge, order=o) for o in ("given", "swapped"))
    firsts: dict[Hashable, list[int]] = {}
    for k, group in enumerate(table.groups):
        firsts.setdefault(group, []).append(k)
    ipi, tov, counted = (np.zeros(len(table.items)) for _ in range(3))
    squares: dict[int, list[tuple[int, Signs]]] = {}
    for rows in firsts.values():
        said = {table.items[k][2]: (given[k], swapped[k]) for k in rows}
        square = square_of(said)
        if square is not None:
            squares.setdefault(len(square), []).append((rows[0], square))
    for held in squares.values():
        for (first, square), violations in zip(held, _violations(np.stack([s for _, s in held])), strict=True):
            ipi[first], tov[first], counted[first] = inconsistent_pairs(square), violations, 1.0
    reason = "no question has all comparisons in both orders"
    left_out = len(firsts) - int(counted.sum())
    return ratio(ipi, counted, reason=reason, limits=SHARE), ratio(tov, counted, reason=reason), left_out


def square_of(said: Mapping[str, tuple[object, object]]) -> Signs | None:
    """Verdicts of one question's comparisons as ``y[i, j]``; ``None`` where one is missing."""
    names = list(dict.fromkeys(name for pair in said for name in pair.split("|")))
    y = np.zeros((len(names), len(names)), dtype=np.int8)
    sign = {"a": 1, "tie": 0, "b": -1}
    for one, other in combinations(names, 2):
        key = f"{one}|{other}" if f"{one}|{other}" in said else f"{other}|{one}"
        first, second = said.get(key, (None, None))
        if first not in sign or second not in sign:
            return None
        x, z = names.index(key.split("|")[0]), names.index(key.split("|")[1])
        y[x, z], y[z, x] = sign[str(first)], -sign[str(second)]
    return y


def _violations(squares: npt.NDArray[np.int8]) -> Floats:
    """TOV of many questions of ``n`` candidates, ``[Q, n, n]`` -> ``[Q]``."""
    n = squares.shape[1]
    i, j = np.triu_indices(n, 1)
    forward, backward = squares[:, i, j], squares[:, j, i]
    signs = weak_orders(n)
    cost = np.zeros((len(signs), len(squares)), dtype=np.float32)
    for value in (-1, 0, 1):
        change = (forward != value).astype(np.float32) + (backward != -value)
        cost += (signs == value).astype(np.float32) @ change.T
    return np.asarray(cost.min(axis=0), dtype=np.float64)


def _square(verdicts: npt.ArrayLike) -> Signs:
    y = np.asarray(verdicts)
    if y.ndim != 2 or y.shape[0] != y.shape[1] or len(y) < 2 or not np.isin(y, (-1, 0, 1)).all():
        raise InnerjudgeError(
            f"given verdicts of shape {y.shape}, expected [n, n] of -1, 0 and 1 for at least two candidates"
        )
    return y.astype(np.int8)
