"""How good every head is at picking the option, and which heads to keep."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..models.errors import InnerjudgeError
from .choices import best_options, mask_options, option_mask
from .labels import Floats, Ints

_SLICE = 512  # questions a masked copy is made of at a time

Prefer = Literal["best", "earliest"]


def head_credits(scores: npt.NDArray[Any], n_options: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
    """How often each head's highest option is the right one if ties are broken at random, ``[n, L, H]``.

    1 or 0, and ``1/m`` where the right option shares the highest score with ``m - 1`` others, up to rounding
    (:data:`~innerjudge.probes.choices.ROUNDING`). A head that sees no difference between the options thus has the
    accuracy of a guess, and not the share of the questions whose answer is A: before the rotary embedding, block 1
    gives every option line the same product, since all end in the same token.

    Args:
        scores: ``[n, L, H, K]``.
        n_options: ``[n]``; places beyond are ignored.
        labels: ``[n]``, 0-based right answers.

    Example:
        >>> head_credits(np.array([[[[1.0, 2.0, 9.0], [3.0, 3.0, 9.0]]]]), [2], [1])
        array([[[1. , 0.5]]])
    """
    counts, right = np.asarray(n_options), np.asarray(labels)
    found = np.empty(scores.shape[:3])
    for at in range(0, len(scores), _SLICE):
        here = slice(at, at + _SLICE)
        best = best_options(mask_options(scores[here], counts[here]))
        hit = np.take_along_axis(best, right[here, None, None, None], axis=-1)[..., 0]
        found[here] = hit / best.sum(axis=-1)
    return found


def head_accuracies(scores: npt.NDArray[Any], n_options: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
    """Accuracy of every head, ``[L, H]``; arguments and ties as in :func:`head_credits`."""
    if not len(scores):
        raise InnerjudgeError("given no questions to measure heads on, expected at least one")
    return np.asarray(head_credits(scores, n_options, labels).mean(axis=0))


def attention_variability(attention: npt.NDArray[Any], n_options: Ints) -> Floats:
    r"""Label-free rank of heads, ``[L, H]``: mass on the options times how much its place varies between questions.

    :math:`U = mean_x \sum_i a_i(x) \cdot mean_i Var_x[a_i(x)]`, our reconstruction of the two properties that the
    QK-score paper (arXiv 2410.02343) names for selecting heads without labels; we did not recover its formula.
    The variance of place ``i`` is over the questions that have it, and only places of two or more questions count.

    Args:
        attention: Post-softmax weights ``[n, L, H, K]``.
        n_options: ``[n]``.

    Example:
        >>> a = np.zeros((2, 1, 2, 2))
        >>> a[:, 0, 0] = [[1, 0], [0, 1]]  # head 0 looks at another option each time: mass 1, variance 1/4
        >>> a[:, 0, 1] = [[1, 0], [1, 0]]  # head 1 always looks at A: variance 0
        >>> attention_variability(a, np.array([2, 2]))
        array([[0.25, 0.  ]])
    """
    inside = option_mask(n_options, attention.shape[-1]).astype(np.float64)
    count = inside.sum(axis=0)
    if len(attention) < 2:
        raise InnerjudgeError(f"given {len(attention)} questions to rank heads without labels, expected at least two")
    total = np.einsum("nlhk,nk->lhk", attention, inside, optimize=True)
    mean = total / np.maximum(count, 1)
    variance = np.zeros_like(mean)
    for row, keep in zip(attention, inside, strict=True):
        variance += keep * (row - mean) ** 2
    often = count >= 2
    return np.asarray(total.sum(axis=-1) / len(attention) * (variance / np.maximum(count, 1))[..., often].mean(axis=-1))


def choose_heads(quality: Floats, *, n: int, n_heads: int = 1, prefer: Prefer = "best") -> tuple[tuple[int, int], ...]:
    """Heads to keep, as ``(block 1..L, head 0..H-1)``, the first choice first.

    Args:
        quality: ``[L, H]``, higher is better.
        n: Questions behind ``quality``, for the standard error.
        n_heads: How many to keep.
        prefer: ``"best"``: by quality, ties to the earliest block and then the lowest head. ``"earliest"``, for
            accuracies only: among the heads within one standard error of the best, ``sqrt(p (1 - p) / n)``, the
            earliest block, then the best head of it; where these are too few the next best heads follow.

    Example:
        >>> q = np.array([[0.4, 0.78], [0.8, 0.1]])
        >>> choose_heads(q, n=100), choose_heads(q, n=100, prefer="earliest")  # standard error 0.04
        (((2, 0),), ((1, 1),))
    """
    if not 1 <= n_heads <= quality.size:
        raise InnerjudgeError(f"given n_heads={n_heads} of {quality.size} heads, expected 1 to {quality.size}")
    block, head = np.divmod(np.arange(quality.size), quality.shape[1])
    flat = quality.ravel()
    order = np.lexsort((head, block, -flat))
    if prefer == "earliest":
        best = flat.max()
        near = flat >= best - np.sqrt(best * (1 - best) / n) - 1e-12
        early = np.lexsort((head, -flat, block))
        order = np.concatenate([early[near[early]], order[~near[order]]])
    return tuple((int(block[k]) + 1, int(head[k])) for k in order[:n_heads])
