"""Figures of reranking: how often the candidate that a rule picks is right, over random subsets of a question too."""

import numpy as np
import numpy.typing as npt
from scipy.special import comb

from ...models.errors import InnerjudgeError
from ..data.splits import Index, rows_by_group
from ..stats.evidence import Evidence, degrees_of_freedom
from ..stats.statistic import SHARE, Floats, Groups, Labels, Limits, Statistic, finite, mean, require_same_length
from .rules import READ_SCORES, WEIGHTED, Rule
from .votes import Answers, Scores

#: Random orders of a question's candidates over which ties of a vote are averaged.
ORDERS = 20


def selection_accuracy(answers: Answers, scores: Scores, correct: Labels, groups: Groups, *, rule: Rule) -> Statistic:
    """Expected share of questions whose picked candidate is right; ``n`` counts questions.

    Ties go to a random candidate, never to the one that happens to stand first in the file: a question's credit is the
    mean over :data:`ORDERS` seeded orders of its candidates (exact for ``"best-of-n"``, ``"random"`` and ``"oracle"``).
    Candidates with unknown ``correct`` are left out before the rule runs. Unscored candidates stay and are picked last.
    A question without a known candidate, or, for rules that read scores, without a scored one, is not counted.
    """
    require_same_length(answers=answers, scores=scores, correct=correct, groups=groups)
    won = np.full(len(groups), np.nan)
    for rows in rows_by_group(groups):
        known = [i for i in rows.tolist() if correct[i] is not None]
        read = finite([scores[i] for i in known])
        if known and not (rule.name in READ_SCORES and np.isnan(read).all()):
            right = np.array([bool(correct[i]) for i in known])
            won[rows[0]] = _expected(rule, [answers[i] for i in known], read, right)
    any_known = any(c is not None for c in correct)
    reason = "no candidate is scored" if any_known else "no candidate is known to be right or wrong"
    return mean(won, reason=reason, limits=SHARE)


def _expected(rule: Rule, answers: Answers, scores: Floats, correct: npt.NDArray[np.bool_]) -> float:
    """Credit for one question, expected over random orders of its candidates."""
    if rule.name == "best-of-n":
        return float(correct[scores == np.nanmax(scores)].mean())
    if rule.name in ("random", "oracle"):
        return float(correct.mean() if rule.name == "random" else correct.any())
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(len(answers)), (ORDERS, 1)), axis=1)
    return float(correct[orders][np.arange(ORDERS), _pick(_codes(answers)[orders], scores[orders], rule)].mean())


def accuracy_against_n(
    answers: Answers, scores: Scores, correct: Labels, groups: Groups, *, rule: Rule, n_max: int | None = None,
    n_orders: int = 100, seed: int
) -> Floats:  # fmt: skip
    """Expected credit of a rule over random subsets of ``N`` of a question's candidates: ``[questions, n_max]``.

    Subsets are the first ``N`` of random orders of a question (:func:`orders`), so that ties go to a random one.
    ``"random"`` and ``"oracle"`` are exact, as is every rule at ``N = 1``; with all candidates it is the rule's
    :func:`selection_accuracy`, up to ties. Candidates whose ``correct`` is ``None`` are left out. ``n_max`` is by
    default the fewest candidates of a question; questions with fewer are left out, and none left is an error.
    """
    kept, largest = large_questions(correct, groups, n_max)
    rng = np.random.default_rng(seed)
    curves = []
    for q in kept:
        own, right = ([answers[i] for i in q], [scores[i] for i in q]), np.array([bool(correct[i]) for i in q])
        curves.append(credits(*own, right, rule=rule, n_max=largest, orders=orders(rng, len(q), n_orders)))
    return np.array(curves)


def large_questions(correct: Labels, groups: Groups, n_max: int | None) -> tuple[list[list[int]], int]:
    """Rows of known correctness of the questions with ``n_max`` of them (``None``: the fewest of any), and that number.

    ``InnerjudgeError`` if there is no such question.
    """
    known = ([k for k in rows.tolist() if correct[k] is not None] for rows in rows_by_group(groups))
    questions = [rows for rows in known if rows]
    sizes = [len(rows) for rows in questions]
    largest = min(sizes, default=0) if n_max is None else n_max
    if not 1 <= largest <= max(sizes, default=0):
        raise InnerjudgeError.of("selection.few-candidates", max(sizes, default=0), max(largest, 1))
    return [rows for rows in questions if len(rows) >= largest], largest


def orders(rng: np.random.Generator, m: int, at_least: int) -> npt.NDArray[np.intp]:
    """Random orders of ``m`` candidates with all their rotations: each candidate is in every place equally often."""
    drawn = rng.permuted(np.tile(np.arange(m), (-(-at_least // m), 1)), axis=1)
    return np.asarray(drawn[:, (np.arange(m)[:, None] + np.arange(m)) % m].reshape(-1, m), dtype=np.intp)


def interval(each: Floats, limits: Limits = SHARE) -> tuple[Floats, Floats]:
    """95 % interval of the mean over questions (of one question all that can be): ``[questions, n]`` to two ``[n]``."""
    n, points = each.shape
    if n < 2:
        return np.full(points, limits[0]), np.full(points, limits[1])
    ends = []
    for column in each.T:
        mean = float(column.mean())
        degrees = degrees_of_freedom(column - mean, mean, limits, n)
        error = float(column.std()) / np.sqrt(n)
        ends.append(Evidence(value=mean, error=error, groups=n, degrees=degrees, limits=limits).ends() or limits)
    low, high = np.array(ends).T
    return low, high


def credits(
    answers: Answers, scores: Scores, correct: npt.NDArray[np.bool_], *, rule: Rule, n_max: int, orders: Index
) -> Floats:
    """Mean credit of ``rule`` on the first ``N`` candidates of each order, ``N = 1 .. n_max``: ``[n_max]``.

    ``answers``, ``scores`` and ``correct`` are ``[m]``, ``orders`` permutations of ``0..m-1``, ``[R, m]``.
    """
    m, right = len(correct), int(correct.sum())
    if rule.name == "random":
        return np.full(n_max, right / m)
    if rule.name == "oracle":  # 1 - C(wrong, N) / C(m, N)
        sizes = np.arange(1, n_max + 1)
        return np.asarray(1 - comb(m - right, sizes) / comb(m, sizes), dtype=np.float64)
    drawn_scores, drawn_codes, drawn_right = finite(scores)[orders], _codes(answers)[orders], correct[orders]
    result, rows = np.empty(n_max), np.arange(len(orders))
    for n in range(1, n_max + 1):
        result[n - 1] = drawn_right[rows, _pick(drawn_codes[:, :n], drawn_scores[:, :n], rule)].mean()
    return result


def _codes(answers: Answers) -> npt.NDArray[np.intp]:
    """Whole numbers for answers, -1 for ``None``."""
    names = {a: k for k, a in enumerate(dict.fromkeys(a for a in answers if a is not None))}
    return np.array([-1 if a is None else names[a] for a in answers], dtype=np.intp)


def _pick(codes: npt.NDArray[np.intp], scores: Floats, rule: Rule) -> npt.NDArray[np.intp]:
    """The column that the rule picks in each row of ``codes`` and ``scores``, both ``[R, N]``."""
    if rule.name == "majority":
        return _vote(codes, np.ones(codes.shape))
    if rule.name in WEIGHTED:
        weights = rule.weights(np.where(codes >= 0, scores, np.nan))
        none = ~weights.any(axis=1, keepdims=True)  # nobody to weigh: plain majority
        return _vote(np.where((weights > 0) | none, codes, -1), np.where(none, 1.0, weights))
    if rule.name == "best-of-majority":
        return _gated(codes, scores, rule)
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, : 1 if rule.name == "best-of-n" else rule.k]
    if ranked.shape[1] == 1:
        return ranked[:, 0]
    return ranked[np.arange(len(ranked)), _vote(np.take_along_axis(codes, ranked, axis=1), np.ones(ranked.shape))]


def _vote(codes: npt.NDArray[np.intp], weights: Floats) -> npt.NDArray[np.intp]:
    """First column with the answer of the greatest summed weight in each row; answers of -1 win only alone."""
    sums = _sums(codes, weights)
    sums[:, 0] = -1.0
    mine = np.take_along_axis(sums, codes + 1, axis=1)  # each column's own total
    return np.asarray(np.argmax(mine, axis=1), dtype=np.intp)


def _sums(codes: npt.NDArray[np.intp], weights: Floats) -> Floats:
    """Weights ``[R, N]`` summed by answer, ``[R, kinds]``; the first column is of answers of -1."""
    count, kinds = len(codes), int(codes.max()) + 2
    flat = np.arange(count)[:, None] * kinds + codes + 1
    return np.asarray(np.bincount(flat.ravel(), weights.ravel(), count * kinds).reshape(count, kinds), np.float64)


def _gated(codes: npt.NDArray[np.intp], scores: Floats, rule: Rule) -> npt.NDArray[np.intp]:
    """Best-of-Majority, see :func:`~.best_of_majority.best_of_majority`, with its best candidate in each row."""
    known = ~np.isnan(scores)
    given, scored = _sums(codes, np.ones(codes.shape)), _sums(codes, known.astype(np.float64))
    given[:, 0] = 0
    passed = (given > 0) & (given / codes.shape[1] >= rule.alpha) & (given >= rule.min_count)
    passed |= ~passed.any(axis=1, keepdims=True) & (given > 0)
    if rule.reward == "max":
        reward = np.full(given.shape, -np.inf)
        np.maximum.at(reward, (np.arange(len(codes))[:, None], codes + 1), np.where(known, scores, -np.inf))
    else:
        reward = _sums(codes, np.where(known, scores, 0.0))
        reward = reward / np.maximum(scored, 1) if rule.reward == "mean" else reward
    reward = np.where(passed & (scored > 0), reward, -np.inf)
    silent = np.isinf(reward).all(axis=1, keepdims=True)  # no answer that passed is scored: the most frequent one
    worth = np.where(silent, np.where(passed, given, -np.inf), reward)
    winner = np.take_along_axis(codes, np.take_along_axis(worth, codes + 1, axis=1).argmax(axis=1)[:, None], axis=1)
    # Its best candidate; where all answers are unparsable, the best of all of them.
    unscored_last = np.where(known, scores, -np.finfo(np.float64).max)
    return np.asarray(np.where(codes == winner, unscored_last, -np.inf).argmax(axis=1), dtype=np.intp)
