"""Shares of right verdicts: plain, balanced, under permutation of options, in both orders of a pair."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import balanced_accuracy_score

from ....models.errors import InnerjudgeError
from .. import statistic
from ..statistic import SHARE, Floats, Labels, Statistic, Values


def one_class(positive: npt.NDArray[np.bool_]) -> str:
    """Why a two-class metric is undefined."""
    if not len(positive):
        return "no scored row with a label"
    return f"all {len(positive)} labels are {'true' if positive[0] else 'false'}"


def of_two_classes(
    labels: Labels,
    scores: Values,
    make: Callable[[npt.NDArray[np.bool_], Floats], tuple[float, Callable[[Floats], Floats]]],
) -> Statistic:
    """A metric of the scored rows that have a label; undefined with one class only.

    ``make`` gets the class and the score of the rows that count, and gives the value and what weights of these rows
    give.
    """
    statistic.require_same_length(labels=labels, scores=scores)
    truth, score = statistic.finite(labels), statistic.finite(scores)
    kept = np.flatnonzero(~np.isnan(truth) & ~np.isnan(score))
    positive = truth[kept] == 1
    if not positive.any() or positive.all():
        return statistic.undefined(one_class(positive), n=len(kept), size=len(truth))
    value, over = make(positive, score[kept])
    return Statistic(
        value=float(value),
        n=len(kept),
        size=len(truth),
        counts=tuple(statistic.where(kept[side], len(truth)) for side in (positive, ~positive)),
        limits=SHARE,
        over=lambda weights: over(weights[:, kept]),
    )


def balanced_accuracy(labels: Labels, predicted: Labels) -> Statistic:
    """Mean of the shares of true and of false rows that are called so. Undefined with one class of labels only."""

    def make(positive: npt.NDArray[np.bool_], said: Floats) -> tuple[float, Callable[[Floats], Floats]]:
        hit = ((said == 1) == positive).astype(np.float64)

        def over(weights: Floats) -> Floats:
            first, second = (statistic.divide(weights @ (side * hit), weights @ side) for side in (positive, ~positive))
            return (first + second) / 2

        return float(balanced_accuracy_score(positive, said == 1)), over

    return of_two_classes(labels, [None if p is None else float(p) for p in predicted], make)


def accuracy(
    labels: Sequence[Hashable | None], predicted: Sequence[Hashable | None], *, unscored: str = "skip"
) -> Statistic:
    """Share of rows whose prediction equals the label; rows without a label are left out.

    ``unscored="skip"`` leaves rows without a prediction out, ``"wrong"`` counts them as wrong.
    """
    statistic.require_same_length(labels=labels, predicted=predicted)
    rights = [None if p is None else p == t for t, p in zip(labels, predicted, strict=True)]
    return _share(rights, [t is not None for t in labels], unscored)


def permutation_accuracy(
    right: Sequence[bool | None], right_permuted: Sequence[bool | None], *, unscored: str = "skip"
) -> Statistic:
    """Share of questions answered right both as given and with the option texts permuted.

    Source:
        QK-score, arXiv 2410.02343: ``PA = (1/N) sum_i I_i I_i^p``, one random permutation, letters stay.
    """
    statistic.require_same_length(right=right, right_permuted=right_permuted)
    both = [None if a is None or b is None else a and b for a, b in zip(right, right_permuted, strict=True)]
    return _share(both, [True] * len(both), unscored)


def pair_accuracy(
    preferences: Sequence[str | None],
    forward: Sequence[str | None],
    backward: Sequence[str | None],
    *,
    ties: str = "skip",
    unscored: str = "skip",
) -> Statistic:
    """Share of pairs judged as people did in both orders, verdicts *named as in the item* (``"a"``: ``response_a``).

    ``ties="skip"`` leaves human ties out; ``"match"`` keeps them, right where both verdicts are ``"tie"``. A verdict
    ``"tie"`` on a decided pair is wrong either way. ``unscored`` as in :func:`accuracy`.
    """
    statistic.require_same_length(preferences=preferences, forward=forward, backward=backward)
    if ties not in ("skip", "match"):
        raise InnerjudgeError(f'given ties={ties!r}, expected "skip" or "match"')
    rights = [
        None if f is None or b is None else f == b == p for p, f, b in zip(preferences, forward, backward, strict=True)
    ]
    return _share(rights, [p is not None and (ties == "match" or p != "tie") for p in preferences], unscored)


def _share(rights: Sequence[bool | None], counts: Sequence[bool], unscored: str) -> Statistic:
    if unscored not in ("skip", "wrong"):
        raise InnerjudgeError(f'given unscored={unscored!r}, expected "skip" or "wrong"')
    right = statistic.finite(rights)
    if unscored == "wrong":
        right = np.nan_to_num(right)
    return statistic.mean(np.where(counts, right, np.nan), reason="no scored row with a label", limits=SHARE)
