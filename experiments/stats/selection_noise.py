"""What picking the best of many heads or layers adds to their figure by luck alone: nested selection."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ...models.errors import InnerjudgeError
from ..data.splits import Index, rows_by_group
from .statistic import Floats, Groups, finite

#: Rows -> the figure of every candidate on them, ``[C]``.
Quality = Callable[[Index], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionNoise:
    """The ``pick`` of ``n_candidates``, the best on all rows, and how far its figure there (``seen``) flatters it.

    Over ``n_splits``: ``optimism`` is the mean of a pick's figure on the part it was picked on less that on the other
    part, ``low`` and ``high`` the 2.5 and 97.5 % quantiles of that; ``honest`` is the mean figure of the picks on the
    parts that they were not picked on, ``stability`` the share of splits with the same pick as on all rows.
    """

    pick: int
    seen: float
    optimism: float
    low: float
    high: float
    honest: float
    stability: float
    n_candidates: int
    n_splits: int


def selection_noise(quality: Quality, groups: Groups, *, n_splits: int = 200, seed: int) -> SelectionNoise:
    """Pick the best candidate on a random half of the questions and look at it on the other half, many times.

    ``quality`` gives figures of all candidates on some rows; NaN (undefined there) is never picked. Questions
    (``groups``) stay whole; fewer than four, or no candidate with a figure, is an error.
    """
    members = rows_by_group(groups)
    if len(members) < 4:
        raise InnerjudgeError(f"given {len(members)} questions, expected at least 4 for nested selection: raise limit")
    every = quality(np.concatenate(members))
    if np.isnan(every).all():
        raise InnerjudgeError("given candidates without a figure, expected at least one that has one on all questions")
    pick, rng = int(np.nanargmax(every)), np.random.default_rng(seed)
    gaps, others, same = [], [], 0
    for _ in range(n_splits):
        order, half = rng.permutation(len(members)), len(members) // 2
        inside, outside = (np.sort(np.concatenate([members[k] for k in p])) for p in (order[:half], order[half:]))
        here, there = quality(inside), quality(outside)
        if np.isnan(here).all():
            continue
        best = int(np.nanargmax(here))
        same += best == pick
        if not np.isnan(there[best]):
            gaps.append(float(here[best] - there[best]))
            others.append(float(there[best]))
    if not gaps:
        raise InnerjudgeError.of("stats.no-half")
    low, high = np.quantile(gaps, (0.025, 0.975))
    return SelectionNoise(
        pick=pick, seen=float(every[pick]), optimism=float(np.mean(gaps)), low=float(low), high=float(high),
        honest=float(np.mean(others)), stability=same / n_splits, n_candidates=len(every), n_splits=len(gaps),
    )  # fmt: skip


def auroc_by_question(labels: Sequence[bool | None], scores: Floats, groups: Groups) -> tuple[Floats, list[Hashable]]:
    """Within-question AUROC of ``C`` candidates (layers, heads) at once, and the questions that have both classes.

    ``scores`` are ``[n, C]``, the result ``[Q, C]``.
    """
    found, names = [], []
    truth = finite(labels)
    for rows in rows_by_group(groups):
        right, wrong = (rows[truth[rows] == side] for side in (1, 0))
        if len(right) and len(wrong):
            gap = scores[right][:, None] - scores[wrong][None]
            found.append(((gap > 0) + 0.5 * (gap == 0)).mean(axis=(0, 1)))
            names.append(groups[rows[0]])
    return (np.stack(found) if found else np.zeros((0, scores.shape[1]))), names
