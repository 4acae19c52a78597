"""Which row of the hidden states a probe reads: the best on other questions, or the cheapest one that is as good."""

from typing import Literal

import numpy as np

from ..models.errors import InnerjudgeError
from .labels import Floats

#: ``"best"``: the lowest held-out loss; ``"earliest"``: the first row within one standard error of it.
ChooseRow = Literal["best", "earliest"]


def choose_row(losses: Floats, groups: tuple[str, ...], prefer: ChooseRow) -> int:
    r"""The row to read, by the mean of its held-out losses; ties go to the earliest.

    The standard error of the best row's mean is over questions, whose items are not independent:
    :math:`\sqrt{\sum_q (\sum_{i \in q} (e_i - \bar e))^2} / n`. With one item a question and losses of 0 and 1 it is
    the :math:`\sqrt{p (1 - p) / n}` of :func:`~innerjudge.probes.head_selection.choose_heads`.

    Args:
        losses: ``[n, rows]``, lower is better.
        groups: Question of each item, ``[n]``.
        prefer: See :data:`ChooseRow`.

    Source:
        The one-standard-error rule: Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984.

    Example:
        >>> wrong = np.zeros((4, 3))
        >>> wrong[:, 0], wrong[0, 1] = 1, 1  # mean losses 1, 1/4 and 0; the best has no error at all
        >>> choose_row(wrong, tuple("abcd"), "best"), choose_row(wrong, tuple("abcd"), "earliest")
        (2, 2)
        >>> wrong[1, 2] = 1  # now 1/4 on both: the earlier one
        >>> choose_row(wrong, tuple("abcd"), "best")
        1
    """
    if not len(losses):
        raise InnerjudgeError(
            "given no held-out items to choose a row by, expected at least two questions with both classes in the "
            "others: name the row, such as row=-1"
        )
    mean = losses.mean(axis=0)
    best = int(np.flatnonzero(mean <= mean.min() + 1e-12)[0])
    if prefer == "best":
        return best
    _, question = np.unique(np.array(groups), return_inverse=True)
    sums = np.bincount(question, weights=losses[:, best] - mean[best])
    error = float(np.sqrt((sums**2).sum())) / len(losses)
    return int(np.flatnonzero(mean <= mean[best] + error + 1e-12)[0])
