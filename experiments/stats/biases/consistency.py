"""Whether a judge says the same again: over repeats, wordings of the question, batches and precisions."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from ...data.verdict_table import Label
from ..statistic import SHARE, Floats, Limits, Statistic, Values, combine, finite, mean, require_same_length

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

    def settled(said: list[Hashable]) -> float:
        return float(2 * max(Counter(said).values()) > len(said))

    return _mean_over_items(repeats, settled, "no item has two verdicts", SHARE)


def flip_probability(repeats: Said, *, published: bool = False) -> Statistic:
    r"""Chance ``q`` that one run departs from the judge's settled verdict, for two-valued verdicts.

    Two noisy runs agree with probability :math:`p = 1 - 2q(1-q)` (:func:`self_consistency`), so :math:`q = (1 -
    \sqrt{2p - 1})/2`; below :math:`p = 1/2`, where only chance can be, it is 1/2. ``published``: ``q = 1 - p`` as in
    the release of arXiv 2408.13006, about twice too large.
    """
    p = self_consistency(repeats)
    if published:
        return combine([p], lambda v: 1 - v, limits=SHARE)
    return combine([p], lambda v: (1 - np.sqrt(np.maximum(2 * v - 1, 0.0))) / 2, limits=(0.0, 0.5))


def denoised(accuracy: Statistic, flip: Statistic) -> Statistic:
    """Accuracy that the judge would have without its flips: ``(acc - q) / (1 - 2 q)``, both of the same rows.

    Undefined where ``q`` is 1/2 (within 0.02): the verdicts are then noise and nothing can be got back.

    Source:
        arXiv 2408.13006. With its own ``q`` (``published=True``) the release over-corrects: true accuracy 0.70 and
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
    agreed = consensus(templates)
    share = [
        None if settled is None else sum(v != settled for v in said) / len(said)
        for settled, said in zip(agreed, _by_item(templates), strict=True)
    ]
    return mean(finite(share), reason="no item has a verdict that most wordings share", limits=SHARE)


def consensus_share(templates: Said) -> Statistic:
    """Share of items that have a :func:`consensus`, of those with any verdict."""
    agreed = consensus(templates)
    share = [a is not None if said else None for a, said in zip(agreed, _by_item(templates), strict=True)]
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
    """Mean absolute change of scores.

    Example:
        >>> score_shift([0.5, 1.0], [0.5, 0.5]).value
        0.25
    """
    require_same_length(before=before, after=after)
    return mean(np.abs(finite(after) - finite(before)), reason="no item is scored in both runs")


def verdict_change(before: Sequence[Label | None], after: Sequence[Label | None]) -> Statistic:
    """Share of verdicts that change.

    Example:
        >>> verdict_change([True, False], [True, True]).value
        0.5
    """
    require_same_length(before=before, after=after)
    changed = [None if a is None or b is None else a != b for a, b in zip(before, after, strict=True)]
    return mean(finite(changed), reason="no item has a verdict in both runs", limits=SHARE)
