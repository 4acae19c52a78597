"""Which questions a resample draws, and what that weighs the rows: made once for all figures of the same rows."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import lru_cache

import numpy as np

from ..data.splits import Index
from .statistic import Floats

#: Weights that are kept for the next figure, at most.
_KEPT = 1 << 22
#: Questions are left out in turn, or in as many blocks as this share of the resamples: it costs no more than that.
_BLOCKS = 0.2


@lru_cache(maxsize=2)  # every figure of a study is resampled alike
def draw_counts(n_groups: int, *, n_resamples: int, seed: int) -> Floats:
    """How often each group is drawn in each resample, ``[n_resamples, n_groups]``; every row sums to ``n_groups``.

    The array is kept for the next call and cannot be written to.

    Example:
        >>> draw_counts(3, n_resamples=2, seed=0).sum(axis=1)
        array([3., 3.])
    """
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_resamples)
    drawn = counts.astype(np.float64)
    drawn.setflags(write=False)
    return drawn


@lru_cache(maxsize=2)
def left_out(n_groups: int, *, n_blocks: int) -> Floats:
    """Weights that leave out each group in turn, or each of ``n_blocks`` where there are more groups: ``[B, groups]``.

    Example:
        >>> left_out(3, n_blocks=2)
        array([[0., 1., 0.],
               [1., 0., 1.]])
    """
    blocks = min(n_groups, max(n_blocks, 2))
    kept: Floats = (np.arange(n_groups) % blocks != np.arange(blocks)[:, None]).astype(np.float64)
    kept.setflags(write=False)
    return kept


@lru_cache(maxsize=4)
def numbered(groups: tuple[Hashable, ...]) -> Index:
    """Number of the question of each row, by first appearance."""
    numbers: dict[Hashable, int] = {}
    found = np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.intp)
    found.setflags(write=False)
    return found


def weights_of_groups(n_groups: int, n_resamples: int, seed: int) -> Floats:
    """How often each group counts: in every resample, and below them with groups left out in turn."""
    rest = left_out(n_groups, n_blocks=int(_BLOCKS * n_resamples))
    return np.concatenate([draw_counts(n_groups, n_resamples=n_resamples, seed=seed), rest])


def weights_of_rows(groups: tuple[Hashable, ...], n_resamples: int, seed: int, step: int) -> Iterator[Floats]:
    """Weights of the rows, ``[step, n]`` at a time."""
    group_of = numbered(groups)
    if n_resamples * len(groups) <= _KEPT:
        every = _kept_weights(groups, n_resamples, seed)
        yield from (every[i : i + step] for i in range(0, len(every), step))
        return
    counts = weights_of_groups(int(group_of.max()) + 1, n_resamples, seed)
    yield from (counts[i : i + step][:, group_of] for i in range(0, len(counts), step))


@lru_cache(maxsize=1)  # nearly every figure of a study is of the same rows
def _kept_weights(groups: tuple[Hashable, ...], n_resamples: int, seed: int) -> Floats:
    group_of = numbered(groups)
    found = weights_of_groups(int(group_of.max()) + 1, n_resamples, seed)[:, group_of]
    found.setflags(write=False)
    return found
