"""Whether a judge says the same again (repeats, wordings, batches, precisions) and does not contradict itself (Sage).

Sage estimates from a pair-wise judge's own contradictions, without any label, how good it can be at most.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ....models.errors import InnerjudgeError
from ...data.splits import rows_by_group
from ...data.verdict_table import Label, Table
from ..statistic import SHARE, Floats, Limits, Statistic, Values, combine, finite, mean, ratio, require_same_length

Said = Sequence[Sequence[Hashable | None]]


def self_consistency(repeats: Said) -> Statistic:
    r"""Chance that two repeats of one item agree: :math:`\sum_v \frac{n_v (n_v - 1)}{n (n - 1)}`, mean over items.

    ``repeats``: one column a repeat, ``None`` where unscored. Items with fewer than two verdicts are left out.

    Source:
        arXiv 2408.13006 ("Systematic Evaluation of LLM-as-a-Judge"), whose release computes it like this.
    """

    def agree(said: list[Hashable]) -> float:
        n = len(said)
        return sum(c * (c - 1) for c in Counter(said).values()) / (n * (n - 1))

    return _mean_over_items(repeats, agree, "no item has two verdicts", SHARE)


def majority_consistency(repeats: Said) -> Statistic:
    """Share of items on which one verdict occurs in more than half of the repeats; 3 of 6 is not enough.

    Source:
        MLLM-as-a-Judge (arXiv 2402.04788), which repeats six times.
    """
    return _mean_over_items(
        repeats, lambda said: float(2 * max(Counter(said).values()) > len(said)), "no item has two verdicts", SHARE
    )


def flip_probability(repeats: Said) -> Statistic:
    r"""Chance ``q`` that one run departs from the judge's settled verdict, for two-valued verdicts.

    Two noisy runs agree with probability :math:`p = 1 - 2q(1-q)` (:func:`self_consistency`), so :math:`q = (1 -
    \sqrt{2p - 1})/2`; below :math:`p = 1/2`, which only chance can give, it is 1/2. The release of arXiv 2408.13006 has
    ``q = 1 - p``, about twice too large.
    """
    p = self_consistency(repeats)
    return combine([p], lambda v: (1 - np.sqrt(np.maximum(2 * v - 1, 0.0))) / 2, limits=(0.0, 0.5))


def denoised(accuracy: Statistic, flip: Statistic) -> Statistic:
    """Accuracy that the judge would have without its flips: ``(acc - q) / (1 - 2 q)``, both of the same rows.

    Undefined where ``q`` is 1/2 (within 0.02): the verdicts are then noise, and nothing can be recovered.

    Source:
        arXiv 2408.13006. With its own ``q`` the release over-corrects: true accuracy 0.70 and
        flips of 0.10 are observed as 0.66 and come back as 0.75; with the consistent ``q`` as 0.70.
    """

    def correct(acc: Floats, q: Floats) -> Floats:
        rest = 1 - 2 * q
        return np.where(rest > 0.04, (acc - q) / np.where(rest > 0.04, rest, 1.0), np.nan)

    return combine([accuracy, flip], correct)


def consensus(templates: Said) -> list[Hashable | None]:
    """Label of every item that more than half of *all* wordings agree on, else ``None``.

    Source:
        The consensus pseudo-labels of Flip-Flop consistency (F2C), strict majority.
    """
    found: list[Hashable | None] = []
    for said in _by_item(templates):
        best, n = Counter(said).most_common(1)[0] if said else (None, 0)
        found.append(best if 2 * n > len(templates) else None)
    return found


def flip_rate(templates: Said) -> Statistic:
    """Share of verdicts that differ from their item's :func:`consensus`; items without one are left out."""
    share = [
        None if settled is None else sum(v != settled for v in said) / len(said)
        for settled, said in zip(consensus(templates), _by_item(templates), strict=True)
    ]
    return mean(finite(share), reason="no item has a verdict that most wordings share", limits=SHARE)


def consensus_share(templates: Said) -> Statistic:
    """Share of items that have a :func:`consensus`, of those with any verdict."""
    share = [a is not None if said else None for a, said in zip(consensus(templates), _by_item(templates), strict=True)]
    return mean(finite(share), reason="no item has a verdict", limits=SHARE)


def score_spread(templates: Sequence[Sequence[float | None]]) -> Statistic:
    """Mean over items of the standard deviation (``n - 1``) of an item's scores over wordings or repeats."""
    return _mean_over_items(
        templates, lambda said: float(np.std([float(str(v)) for v in said], ddof=1)), "no item has two scores"
    )


def _mean_over_items(
    columns: Said, value: Callable[[list[Hashable]], float], reason: str, limits: Limits | None = None
) -> Statistic:
    """Mean of what the verdicts of an item give, over the items that have two verdicts at least."""
    require_same_length(**{f"column {k}": column for k, column in enumerate(columns, start=1)})
    found = [value(said) if len(said) > 1 else None for said in _by_item(columns)]
    return mean(finite(found), reason=reason, limits=limits)


def _by_item(columns: Said) -> list[list[Hashable]]:
    return [[v for v in row if v is not None] for row in zip(*columns, strict=True)]


def score_shift(before: Values, after: Values) -> Statistic:
    """Mean absolute change of scores."""
    require_same_length(before=before, after=after)
    return mean(np.abs(finite(after) - finite(before)), reason="no item is scored in both runs")


def verdict_change(before: Sequence[Label | None], after: Sequence[Label | None]) -> Statistic:
    """Share of verdicts that change."""
    require_same_length(before=before, after=after)
    changed = [None if a is None or b is None else a != b for a, b in zip(before, after, strict=True)]
    return mean(finite(changed), reason="no item has a verdict in both runs", limits=SHARE)


Signs = npt.NDArray[np.int8]

#: Most candidates of which all weak orders are gone through (47,293 of them).
MOST_CANDIDATES = 7


@cache
def weak_orders(n: int) -> Signs:
    """All weak orders of ``n`` candidates as signs of their pairs ``i < j``: 1 where ``i`` is above ``j``, 0 level.

    ``[orders, n (n - 1) / 2]``: 1, 3, 13, 75, 541, 4683, 47293 orders for ``n`` = 1 to 7; beyond
    :data:`MOST_CANDIDATES` an error.
    """
    if not 1 <= n <= MOST_CANDIDATES:
        raise InnerjudgeError.of("stats.many-candidates", n, MOST_CANDIDATES)
    levels = np.stack(np.meshgrid(*[np.arange(n, dtype=np.int8)] * n, indexing="ij"), axis=-1).reshape(-1, n)
    used = np.zeros((len(levels), n), dtype=bool)
    np.put_along_axis(used, levels.astype(np.intp), True, axis=1)
    dense = used.sum(axis=1) == levels.max(axis=1) + 1  # no level is left out
    kept = levels[dense]
    i, j = np.triu_indices(n, 1)
    return np.unique(np.sign(kept[:, i] - kept[:, j]).astype(np.int8), axis=0)


def inconsistent_pairs(verdicts: npt.ArrayLike) -> float:
    r"""IPI of one question: share of pairs whose two orders contradict, :math:`y_{ij} \ne -y_{ji}`.

    ``verdicts[i, j]`` is 1 where ``i``, shown first, was preferred to ``j``, else -1 or 0, ``[n, n]``; the diagonal
    does not count.

    Source:
        Sage (arXiv 2512.16041), intra-pair instability.
    """
    y = np.asarray(verdicts)
    if y.ndim != 2 or y.shape[0] != y.shape[1] or len(y) < 2 or not np.isin(y, (-1, 0, 1)).all():
        raise InnerjudgeError.of("stats.square", y.shape)
    i, j = np.triu_indices(len(y), 1)
    return float((y[i, j] != -y[j, i].astype(np.int8)).mean())


def sage_statistics(table: Table, judge: str) -> tuple[Statistic, Statistic, int]:
    """IPI and TOV of a judge, averaged over questions, and how many questions lack a verdict and are left out.

    The rows are comparisons, candidate ``"X|Y"`` in both orders, every two candidates of a question once. ``n`` counts
    questions. The statistics' rows are the table's :attr:`~.table.Table.items`.
    """
    given, swapped = (table.labels(judge, order=o) for o in ("given", "swapped"))
    questions = rows_by_group(table.groups)
    ipi, tov, counted = (np.zeros(len(table.items)) for _ in range(3))
    squares: dict[int, list[tuple[int, Signs]]] = {}
    for rows in questions:
        square = square_of({table.items[k][2]: (given[k], swapped[k]) for k in rows})
        if square is not None:
            squares.setdefault(len(square), []).append((int(rows[0]), square))
    for held in squares.values():
        for (first, square), violations in zip(held, order_violations(np.stack([s for _, s in held])), strict=True):
            ipi[first], tov[first], counted[first] = inconsistent_pairs(square), violations, 1.0
    reason = "no question has all comparisons in both orders"
    left_out = len(questions) - int(counted.sum())
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


def order_violations(squares: npt.NDArray[np.int8]) -> Floats:
    r"""TOV: fewest of the ``n (n - 1)`` verdicts that must change to fit one weak order, ``[Q, n, n]`` -> ``[Q]``.

    :math:`\min_O \sum_{i \ne j} 1[y_{ij} \ne p_{ij}(O)]`, exact by going through all weak orders. It is at least the
    number of inconsistent pairs, and 0 for every judge that compares scores of its own: that is true by construction
    and says nothing of how good the scores are.

    Source:
        Sage (arXiv 2512.16041), total order violation.
    """
    n = squares.shape[1]
    i, j = np.triu_indices(n, 1)
    forward, backward = squares[:, i, j], squares[:, j, i]
    signs = weak_orders(n)
    cost = np.zeros((len(signs), len(squares)), dtype=np.float32)
    for value in (-1, 0, 1):
        change = (forward != value).astype(np.float32) + (backward != -value)
        cost += (signs == value).astype(np.float32) @ change.T
    return np.asarray(cost.min(axis=0), dtype=np.float64)
