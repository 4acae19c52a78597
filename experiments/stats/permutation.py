"""Whether a judge is better than chance within questions: labels shuffled among the candidates of each question."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from ..data.splits import rows_by_group
from .metrics.auroc import within_question_auroc
from .statistic import Labels, Values, finite


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutationTest:
    """Outcome of a test.

    Args:
        value: The within-question AUROC on the data; ``None`` with ``reason`` where undefined.
        p: Share of shuffles that reach it, the data counted among them: one-sided, never 0.
        n: Questions that count.
        reason: Why there is no test.
    """

    value: float | None
    p: float | None
    n: int
    reason: str | None = None


def better_than_chance(
    labels: Labels, scores: Values, groups: Sequence[Hashable], *, n_permutations: int = 2000, seed: int = 0
) -> PermutationTest:
    """Permutation test of the within-question AUROC against one half.

    Shuffling inside each question keeps its difficulty and its ties: what is tested is only whether the judge tells its
    candidates apart. Exact for any number of questions.

    Example:
        >>> labels, scores = [1, 0, 0] * 4, [0.9, 0.2, 0.1] * 4
        >>> found = better_than_chance(labels, scores, [k // 3 for k in range(12)], seed=0)
        >>> found.value, found.p < 0.05  # a perfect judge: chance reaches it in 1 of 3^4 shuffles
        (1.0, True)
    """
    seen = within_question_auroc(labels, scores, groups)
    if seen.value is None:
        return PermutationTest(value=None, p=None, n=seen.n, reason=seen.reason)
    truth, x = finite(labels), finite(scores)
    rng = np.random.default_rng(seed)
    total, questions = np.zeros(n_permutations), 0
    by_shape: dict[tuple[int, int], list[np.ndarray]] = {}
    for rows in rows_by_group(groups):
        known = rows[~np.isnan(x[rows]) & ~np.isnan(truth[rows])]
        right = int((truth[known] == 1).sum())
        if 0 < right < len(known):
            by_shape.setdefault((len(known), right), []).append(rankdata(x[known]))
    for (m, right), ranks in by_shape.items():  # questions of one shape are shuffled together
        held = np.stack(ranks)  # [Q, m]
        questions += len(held)
        step = max(1, 4_000_000 // held.size)
        for at in range(0, n_permutations, step):
            count = min(step, n_permutations - at)
            drawn = rng.permuted(np.broadcast_to(held, (count, *held.shape)), axis=2)[:, :, :right]
            won = drawn.sum(axis=2) - right * (right + 1) / 2
            total[at : at + count] += (won / (right * (m - right))).sum(axis=1)
    reached = int((total / questions >= seen.value - 1e-12).sum())
    return PermutationTest(value=seen.value, p=(reached + 1) / (n_permutations + 1), n=questions)
