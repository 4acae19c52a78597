"""Reranking rules on many random subsets of one question at once."""

import numpy as np
import numpy.typing as npt
from scipy.special import comb

from ..stats.statistic import Floats
from .rules import Rule
from .votes import Answers, Scores, as_scores, softmax_weights

Orders = npt.NDArray[np.intp]


def credits(
    answers: Answers,
    scores: Scores,
    correct: npt.NDArray[np.bool_],
    *,
    rule: Rule,
    n_max: int,
    orders: Orders,
) -> Floats:
    """Mean credit of ``rule`` on the first ``N`` candidates of each order, ``N = 1 .. n_max``.

    Args:
        answers: Final answers, ``[m]``.
        scores: Scores, ``[m]``.
        correct: Whether each is right, ``[m]``.
        rule: The rule.
        n_max: Largest ``N``, at most ``m``.
        orders: Permutations of ``0..m-1``, ``[R, m]``.

    Returns:
        Array ``[n_max]``.
    """
    m, right = len(correct), int(correct.sum())
    if rule.name == "random":
        return np.full(n_max, right / m)
    if rule.name == "oracle":  # 1 - C(wrong, N) / C(m, N)
        sizes = np.arange(1, n_max + 1)
        return np.asarray(1 - comb(m - right, sizes) / comb(m, sizes), dtype=np.float64)
    codes = _codes(answers)
    drawn_scores, drawn_codes, drawn_right = as_scores(scores)[orders], codes[orders], correct[orders]
    result = np.empty(n_max)
    rows = np.arange(len(orders))
    for n in range(1, n_max + 1):
        picked = _pick(drawn_codes[:, :n], drawn_scores[:, :n], rule)
        result[n - 1] = drawn_right[rows, picked].mean()
    return result


def _codes(answers: Answers) -> npt.NDArray[np.intp]:
    """Whole numbers for answers, -1 for ``None``."""
    names = {a: k for k, a in enumerate(dict.fromkeys(a for a in answers if a is not None))}
    return np.array([-1 if a is None else names[a] for a in answers], dtype=np.intp)


def _pick(codes: npt.NDArray[np.intp], scores: Floats, rule: Rule) -> npt.NDArray[np.intp]:
    """The column that the rule picks in each row of ``codes`` and ``scores``, both ``[R, N]``."""
    if rule.name == "majority":
        return _vote(codes, np.ones(codes.shape))
    if rule.name == "weighted":
        voting = ~np.isnan(scores) & (codes >= 0)
        none = ~voting.any(axis=1, keepdims=True)  # nobody to weigh: plain majority
        lowest = scores[voting].min(initial=0.0)  # stands for the others, above no voter of the row; masked below
        weights = softmax_weights(np.where(voting, scores, lowest), rule.temperature)
        return _vote(np.where(voting | none, codes, -1), np.where(none, 1.0, np.where(voting, weights, 0.0)))
    if rule.name == "best-of-majority":
        return _gated(codes, scores, rule)
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, : 1 if rule.name == "best-of-n" else rule.k]
    if ranked.shape[1] == 1:
        return ranked[:, 0]
    best = _vote(np.take_along_axis(codes, ranked, axis=1), np.ones(ranked.shape))
    return ranked[np.arange(len(ranked)), best]


def _vote(codes: npt.NDArray[np.intp], weights: Floats) -> npt.NDArray[np.intp]:
    """First column with the answer of the greatest summed weight in each row; answers of -1 win only alone."""
    count = len(codes)
    kinds = int(codes.max()) + 2  # one more, for -1
    flat = (np.arange(count)[:, None] * kinds + codes + 1).ravel()
    sums = np.bincount(flat, weights=weights.ravel(), minlength=count * kinds).reshape(count, kinds)
    sums[:, 0] = -1.0
    mine = np.take_along_axis(sums, codes + 1, axis=1)  # each column's own total
    return np.asarray(np.argmax(mine, axis=1), dtype=np.intp)


def _gated(codes: npt.NDArray[np.intp], scores: Floats, rule: Rule) -> npt.NDArray[np.intp]:
    """Best-of-Majority, see :func:`~.best_of_majority.best_of_majority`, with its best candidate in each row."""
    count, n = codes.shape
    kinds = int(codes.max()) + 2  # one more, for -1
    flat = np.arange(count)[:, None] * kinds + codes + 1
    known = ~np.isnan(scores)

    def by_answer(weights: Floats | None = None) -> Floats:
        found = np.bincount(flat.ravel(), None if weights is None else weights.ravel(), minlength=count * kinds)
        return found.reshape(count, kinds).astype(np.float64)

    given, scored = by_answer(), by_answer(known.astype(np.float64))
    given[:, 0] = 0
    passed = (given > 0) & (given / n >= rule.alpha) & (given >= rule.min_count)
    passed |= ~passed.any(axis=1, keepdims=True) & (given > 0)
    if rule.reward == "max":
        reward = np.full(count * kinds, -np.inf)
        np.maximum.at(reward, flat.ravel(), np.where(known, scores, -np.inf).ravel())
        reward = reward.reshape(count, kinds)
    else:
        reward = by_answer(np.where(known, scores, 0.0))
        reward = reward / np.maximum(scored, 1) if rule.reward == "mean" else reward
    reward = np.where(passed & (scored > 0), reward, -np.inf)
    silent = np.isinf(reward).all(axis=1, keepdims=True)  # no answer that passed is scored: the most frequent one
    worth = np.where(silent, np.where(passed, given, -np.inf), reward)
    winner = np.take_along_axis(codes, np.take_along_axis(worth, codes + 1, axis=1).argmax(axis=1)[:, None], axis=1)
    # Its best candidate; where all answers are unparsable, the best of all of them.
    unscored_last = np.where(known, scores, -np.finfo(np.float64).max)
    return np.asarray(np.where(codes == winner, unscored_last, -np.inf).argmax(axis=1), dtype=np.intp)
