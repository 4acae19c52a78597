"""What judges of multiple-choice questions share: the options that take part, the argmax, and which heads to keep."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..extraction.provenance import WITHOUT_ABSTAIN
from ..models.errors import InnerjudgeError
from ..models.prompts import ABSTAIN_OPTIONS
from .description import derived
from .estimator import parameters
from .judge import BaseJudge, Scores
from .labels import Floats, Ints

_LAST = len(ABSTAIN_OPTIONS)
#: Share of the largest score of a question within which scores are rounding error: float32 has 6e-8, and a product of
#: queries and keys sums some hundred of them that may cancel. Scores this close count as equal.
ROUNDING = 1e-5
_SLICE = 512  # questions a masked copy is made of at a time
Prefer = Literal["best", "earliest"]


@parameters
class ChoiceJudge(BaseJudge):
    """A judge of options: scores ``[n, K]``, ``-inf`` where an item has no such option or the option takes no part.

    The label is the 0-based index of the highest score, the first of a tie. With ``abstain=False`` the last two option
    lines take no part; features of prompts without such lines are refused then.
    """

    abstain: bool = True

    kinds = ("choice",)
    pointwise = False  # it sees all options at once
    needs_abstain_lines = derived(lambda self: not self.abstain)

    def _n_options(self, features: Features) -> Ints:
        """Options that take part, ``[n]``: always the first ones."""
        if not self.abstain and WITHOUT_ABSTAIN in features.provenance.prompt:
            raise InnerjudgeError.of("probes.abstain", type(self).__name__)
        return features["labels"].astype(np.intp) - (0 if self.abstain else _LAST)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [int(k) for k in scores.argmax(axis=-1)]

    def _unreadable(self, features: Features) -> dict[str, str]:
        lines = f"option lines, expected at least 2{'' if self.abstain else f' and the {_LAST} abstain lines'}"
        counts = zip(features.ids, features["labels"], self._n_options(features), strict=True)
        return {item: f"{int(total)} {lines}" for item, total, n in counts if n < 2}


def mask_options(scores: npt.NDArray[Any], n_options: Ints) -> Scores:
    """Put ``-inf`` beyond each item's options; ``scores`` is ``[n, ..., K]``."""
    inside = option_mask(n_options, scores.shape[-1]).reshape(len(scores), *[1] * (scores.ndim - 2), scores.shape[-1])
    return np.where(inside, scores, -np.inf)


def best_options(masked: Scores) -> npt.NDArray[np.bool_]:
    """Which options share the highest score, up to rounding: ``[..., K]``, of scores that are ``-inf`` beyond them."""
    inside = np.isfinite(masked)
    largest = np.abs(np.where(inside, masked, 0.0)).max(axis=-1, keepdims=True)
    return np.asarray(inside & (masked >= masked.max(axis=-1, keepdims=True) - ROUNDING * largest))


def all_tied(masked: Scores) -> npt.NDArray[np.bool_]:
    """Whether all options of an item have the same score: ``[...]``, from scores ``[..., K]``."""
    return np.asarray((best_options(masked) == np.isfinite(masked)).all(axis=-1))


def option_mask(n_options: Ints, k: int) -> npt.NDArray[np.bool_]:
    """Which of the first ``k`` places hold an option, ``[n, k]``."""
    return np.asarray(np.arange(k) < np.asarray(n_options)[:, None])


def voted(masked: Scores) -> Scores:
    """Mean over heads of scores z-scored within the question: ``[n, heads, K]`` to ``[n, K]``, ``-inf`` kept."""
    inside = np.isfinite(masked)
    values, count = np.where(inside, masked, 0.0), inside.sum(axis=-1, keepdims=True)
    centred = np.where(inside, values - values.sum(axis=-1, keepdims=True) / count, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=-1, keepdims=True) / count)
    flat = all_tied(masked)[..., None]  # what rounding leaves of equal scores must not be blown up
    return np.where(inside[:, 0], np.where(flat, 0.0, centred / np.where(flat, 1.0, deviation)).mean(axis=1), -np.inf)


@parameters
class LetterLogits(ChoiceJudge):
    """Next-token logits of the option letters, the baseline of the QK-score paper (arXiv 2410.02343).

    Args:
        abstain: Whether the last two option lines take part, see :class:`~innerjudge.probes.choices.ChoiceJudge`.

    Example:
        >>> logits = np.zeros((1, 2, 2, 4), np.float32)
        >>> logits[0, 1, 1] = [1, 2, 0, 9]  # the model's own logits: (normed, last block)
        >>> f = Features.from_arrays({"logits/score": logits, "labels": np.array([4], np.float32)}, provenance="m")
        >>> LetterLogits().predict(f), LetterLogits(abstain=False).predict(f)
        (array([3]), array([1]))
        >>> LetterLogits(abstain=False).decision_function(f)
        array([[  1.,   2., -inf, -inf]])
    """

    family = "logits"
    needs = ("logits/score", "labels")

    def _scores(self, features: Features) -> Scores:
        return mask_options(features["logits/score"][:, 1, -1].astype(np.float64), self._n_options(features))


def head_credits(scores: npt.NDArray[Any], n_options: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
    """How often each head's highest option is right, with ties broken at random: ``[n, L, H]``.

    ``scores`` are ``[n, L, H, K]``, of which places beyond ``n_options`` (``[n]``) are ignored; ``labels`` are the
    0-based right answers. The credit is ``1/m`` if the right option shares the highest score (up to :data:`ROUNDING`)
    with ``m - 1`` others: a head that sees no difference is as accurate as a guess. That is so in block 1 before the
    rotary embedding, where all option lines end with the same token and have the same product.
    """
    counts, right = np.asarray(n_options), np.asarray(labels)
    found = np.empty(scores.shape[:3])
    for at in range(0, len(scores), _SLICE):
        here = slice(at, at + _SLICE)
        best = best_options(mask_options(scores[here], counts[here]))
        found[here] = np.take_along_axis(best, right[here, None, None, None], axis=-1)[..., 0] / best.sum(axis=-1)
    return found


def head_accuracies(scores: npt.NDArray[Any], n_options: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
    """Accuracy of every head, ``[L, H]``; arguments and ties as in :func:`head_credits`."""
    if not len(scores):
        raise InnerjudgeError("given no questions to measure heads on, expected at least one")
    return np.asarray(head_credits(scores, n_options, labels).mean(axis=0))


def attention_variability(attention: npt.NDArray[Any], n_options: Ints) -> Floats:
    r"""A quality of heads that needs no labels, ``[L, H]``: attention on the options times its variance over questions.

    :math:`U = \mathrm{mean}_x \sum_i a_i(x) \cdot \mathrm{mean}_i \mathrm{Var}_x[a_i(x)]`: the two properties by which
    the QK-score paper (arXiv 2410.02343) selects heads without labels; its own formula is not known to us. The variance
    of place ``i`` is over questions that have it; only places of two or more questions count.

    ``attention`` are weights after the softmax, ``[n, L, H, K]``; ``n_options`` is ``[n]``.
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

    ``quality`` is ``[L, H]``, higher is better, measured on ``n`` questions. ``prefer="best"``: by quality, ties to the
    earliest block and then the lowest head. ``"earliest"``, for accuracies only: among the heads within one standard
    error of the best, ``sqrt(p (1 - p) / n)``, the earliest block, then its best head; if these are too few, the next
    best heads follow.
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
