"""Biases of preferences: for the response that is shown first, and for the longer one, beyond what people prefer."""

from collections.abc import Sequence
from operator import sub
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ...data.splits import rows_by_group
from ..metrics.correlation import spearman
from ..statistic import SHARE, SIGNED, Groups, Rights, Statistic, Values, combine, finite, mean, require_same_length
from .consistency import denoised, flip_probability

Preferences = Sequence[str | None]


def position_bias(preferences: Preferences, given: Preferences, swapped: Preferences) -> Statistic:
    """Accuracy where the better response stands first less accuracy where it stands second, on pairs judged in both.

    Above 0 the first place is favoured. Verdicts and preferences are named as in the item (``"a"`` is the same response
    in both orders); a verdict ``"tie"`` is wrong in both, human ties are left out.

    Source:
        arXiv 2408.13006, ``acc_A - acc_B`` with the chosen response first and second.
    """
    return combine([share_right(side) for side in better_first(preferences, given, swapped)], sub, limits=SIGNED)


def position_bias_denoised(
    preferences: Preferences, given: Sequence[Preferences], swapped: Sequence[Preferences]
) -> Statistic:
    """:func:`position_bias` without what random flips take from it, from several repeats of either order.

    Noise pulls both accuracies towards one half and so hides bias; each is corrected by the flip probability of its own
    order. ``given`` (response a shown first) and ``swapped`` have a column a repeat.
    """
    return denoised_gap([better_first(preferences, g, s) for g, s in zip(given, swapped, strict=True)])


def denoised_gap(runs: Sequence[Sequence[Rights]]) -> Statistic:
    """Accuracy on the first side less that on the second, each freed of the judge's own flips.

    ``runs``, one a repeat, say whether the verdicts of each side are right; ``None`` where a row is of the other side.
    """
    sides = []
    for side in (0, 1):
        repeats = [run[side] for run in runs]
        seen = combine([share_right(r) for r in repeats], lambda *v: sum(v) / len(v))
        sides.append(denoised(seen, flip_probability(repeats)))
    return combine(sides, sub)


def first_wins(given: Preferences, swapped: Preferences) -> Statistic:
    """Share of verdicts for the response shown first, over both orders, less one half; needs no label. Ties are halves.

    Source:
        ``|P(A wins) - 1/2|`` of "Reliability without Validity" (arXiv 2606.19544), with its sign.
    """
    require_same_length(given=given, swapped=swapped)
    credit = {"a": 1.0, "b": 0.0, "tie": 0.5}
    both = zip(given, swapped, strict=True)
    won = [None if g is None or s is None else (credit[g] + 1 - credit[s]) / 2 for g, s in both]
    share = mean(finite(won), reason="no pair is judged in both orders")
    return combine([share], lambda v: v - 0.5, limits=(-0.5, 0.5))


def accuracy_random(preferences: Preferences, given: Preferences, swapped: Preferences) -> Statistic:
    """Expected accuracy when every pair is shown in one random order (``Acc-random``): the mean of both."""
    both = [both_orders(preferences, given, swapped, k) for k in (0, 1)]
    return combine([share_right(b) for b in both], lambda a, b: (a + b) / 2, limits=SHARE)


def both_orders(preferences: Preferences, given: Preferences, swapped: Preferences, side: int) -> list[bool | None]:
    """Whether each verdict in one order is right, on decided pairs that were judged in both orders."""
    require_same_length(preferences=preferences, given=given, swapped=swapped)
    return [
        None if p in (None, "tie") or g is None or s is None else (g, s)[side] == p
        for p, g, s in zip(preferences, given, swapped, strict=True)
    ]


def better_first(preferences: Preferences, given: Preferences, swapped: Preferences) -> tuple[Rights, Rights]:
    """Whether the judge was right with the better response shown first, and with it shown second."""
    one, two = (both_orders(preferences, given, swapped, side) for side in (0, 1))
    turned = [p == "b" for p in preferences]
    first = [b if t else a for a, b, t in zip(one, two, turned, strict=True)]
    return first, [a if t else b for a, b, t in zip(one, two, turned, strict=True)]


def share_right(values: Rights) -> Statistic:
    """Share of right verdicts, among those for which that is known."""
    return mean(finite(values), reason="no scored row with a label", limits=SHARE)


def length_bias(preferences: Preferences, verdicts: Preferences, lengths: Values) -> Statistic:
    """Accuracy where the better response is the longer one less accuracy where it is not.

    ``lengths`` are those of response a less those of b; pairs of equal length count as "not longer", as in the source.
    Human ties are left out; a verdict ``"tie"`` is wrong.

    Source:
        arXiv 2408.13006, ``acc(chosen longer) - acc(chosen not longer)``.
    """
    return combine([share_right(side) for side in _sides(preferences, verdicts, lengths)], sub, limits=SIGNED)


def length_bias_denoised(preferences: Preferences, repeats: Sequence[Preferences], lengths: Values) -> Statistic:
    """:func:`length_bias` without what random flips take from it; ``repeats`` has a column of verdicts a repeat."""
    return denoised_gap([_sides(preferences, column, lengths) for column in repeats])


def length_beyond_labels(scores: Values, lengths: Values, labels: Sequence[Any], groups: Groups) -> Statistic:
    """Spearman correlation of scores with lengths among rows of one question and one label: length that is not quality.

    Scores and lengths are ranked within each such cell and centred on its mean rank; cells of one row are left out.
    Where questions have one candidate each, pass one group for all.
    """
    require_same_length(scores=scores, lengths=lengths, labels=labels, groups=groups)
    x, y = finite(lengths), finite(scores)
    known = np.array([label is not None for label in labels]) & ~np.isnan(x) & ~np.isnan(y)
    ranks = [np.full(len(x), np.nan), np.full(len(x), np.nan)]
    for cell in rows_by_group(list(zip(groups, labels, strict=True))):
        rows = cell[known[cell]]
        if len(rows) > 1:
            for rank, values in zip(ranks, (x, y), strict=True):
                rank[rows] = rankdata(values[rows]) - (len(rows) + 1) / 2
    return spearman(ranks[0], ranks[1])


def _sides(preferences: Preferences, verdicts: Preferences, lengths: Values) -> tuple[list[bool | None], ...]:
    """Whether the verdicts are right: where the better response is longer, and where it is not."""
    require_same_length(preferences=preferences, verdicts=verdicts, lengths=lengths)
    gap = finite(lengths)
    right = [
        None if p in (None, "tie") or v is None or np.isnan(gap[k]) else v == p
        for k, (p, v) in enumerate(zip(preferences, verdicts, strict=True))
    ]
    longer = [bool(g > 0 if p == "a" else g < 0) for p, g in zip(preferences, gap, strict=True)]
    return tuple([r if up is way else None for r, up in zip(right, longer, strict=True)] for way in (True, False))
