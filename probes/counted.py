"""A probe from counts: how many answers to each question are right is known, which ones is not."""

import warnings
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.special import comb, logsumexp
from sklearn.covariance import ledoit_wolf_shrinkage

from ..extraction.features import Features
from ..models.arguments import Count, Positive, PositiveShare, require_type
from ..models.errors import InnerjudgeError
from .estimator import parameters
from .labels import Floats, Ints, Known, best_threshold, centred
from .linear import Linear
from .regression import LOGISTIC_CANDIDATES, fit_logistic


@parameters
class CountedProbe(Linear):
    r"""A linear probe from counts alone: "3 of 8 answers to this question are right".

    The paper (label proportions by belief propagation, arXiv 2310.08056) alternates pseudo-labels that obey the counts
    with a learner on them, by message passing on a graph of neighbours. Candidates of a question are few, so the
    posterior given their count is exact here, and the learner is a shared shift: states are
    :math:`m_q + \delta y + e` with a free mean of each question and noise :math:`e \sim N(0, \Sigma)`, fitted by
    expectation maximisation from a logistic regression on shares and from its negative; the likelier result is kept. It
    ranks the answers of a question. ``positions`` and ``combine`` are as in :class:`.LogisticProbe`.

    Args:
        row: Row of the states, a number: there are no labels to choose it by.
        shrinkage: Shrinkage of the covariance towards the unit matrix: Ledoit and Wolf's, or a number in (0, 1].
        rounds: Most rounds of expectation maximisation.
        tolerance: The fit stops when no posterior changes by this much.

    Attributes:
        coef_: ``[F]`` float64, on the states as they are.
        intercept_: Puts zero at the best balanced accuracy against the posteriors.
        held_: ``[n]``, posteriors of the training items; those of a question sum up to its count. Not saved.
        n_rounds_: Number of rounds from the likelier start.
        log_likelihood_: Log-likelihoods from both starts; if they are close, the sign of the scores is in doubt.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = rng.random(160) < np.repeat(rng.random(40), 4)
        >>> x = 4 * y[:, None, None] + rng.normal(size=(160, 2, 1))
        >>> f = Features.from_arrays({"hidden/a": x}, provenance="m", groups=np.repeat(np.arange(40), 4).tolist())
        >>> probe = CountedProbe(positions=["a"]).fit(f, np.repeat(y.reshape(40, 4).sum(axis=1), 4))
        >>> float((probe.predict(f) == y).mean()) > 0.9
        True
    """

    row: int = -1
    shrinkage: PositiveShare | Literal["ledoit-wolf"] = "ledoit-wolf"
    rounds: Count = 200
    tolerance: Positive = 1e-3

    on_request = True  # whoever has labels has better judges
    learns_in_parts = False
    label_fields = ("n_correct", "n_sampled")

    def fit(self, features: Features, labels: npt.ArrayLike, n_sampled: npt.ArrayLike | None = None) -> Self:
        """Learn from counts ``[n]``: how many answers to the item's question are right.

        Booleans are counted. ``n_sampled`` ``[n]`` is how many answers the count is out of, if more than are given; the
        share is then rounded to a count of those. ``InnerjudgeError`` if counts of a question differ or are impossible,
        no question has both right and wrong answers, or all have half of each, so that neither can be told apart.
        """
        require_type(features, Features, "CountedProbe.fit")
        counts = np.asarray(labels)
        _, code, sizes = np.unique(np.array(features.groups), return_inverse=True, return_counts=True)
        if counts.dtype == bool and counts.shape == code.shape:
            counts = np.bincount(code, counts)[code]
        return super().fit(features, counts, sizes[code] if n_sampled is None else n_sampled)

    def _learn(self, x: Floats, labels: Known, groups: tuple[str, ...], weight: Floats | None = None) -> None:
        names, code, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
        k = _counts(labels, np.asarray(sizes[code] if weight is None else weight, float), names, code, sizes)
        z, freedom = centred(x, groups), int((sizes - 1).sum())
        if freedom < 4 * x.shape[1]:
            warnings.warn(
                f"given {len(z)} answers to {len(k)} questions for states of {x.shape[1]} numbers, expected four times "
                "as many answers: scores may be worth little",
                stacklevel=4,
            )
        scale = np.sqrt((z**2).sum(axis=0) / freedom)
        scale[scale == 0] = 1.0
        z /= scale
        start = z @ (fit_logistic(x, (k / sizes)[code], groups, LOGISTIC_CANDIDATES).coef * scale)
        if start.std() < 1e-9:  # all questions have one share
            start = z @ np.linalg.eigh(z.T @ z)[1][:, -1]
        shrunk = ledoit_wolf_shrinkage(z, assume_centered=True) if self.shrinkage == "ledoit-wolf" else self.shrinkage
        model = _SharedShift(z, code, sizes, k, max(float(shrunk), 1e-9))
        both = [model.fitted(sign * start / (start.std() or 1.0), self.rounds, self.tolerance) for sign in (1, -1)]
        self.log_likelihood_ = both[0][3], both[1][3]
        w, self.held_, self.n_rounds_, _ = max(both, key=lambda one: one[3])
        self.coef_ = w / scale
        self.intercept_ = -best_threshold(x @ self.coef_, self.held_)


class _SharedShift:
    """The model of centred states ``z [n, F]``: ``k`` right ones of each question's ``sizes``, and one shift."""

    def __init__(self, z: Floats, code: Ints, sizes: Ints, k: Ints, shrinkage: float) -> None:
        self.z, self.code, self.sizes, self.k = z, code, sizes, k
        order = np.argsort(code, kind="stable")
        self.place = np.empty(len(z), dtype=np.intp)  # of an item within its question
        self.place[order] = np.arange(len(z)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        self.freedom, self.n = int((sizes - 1).sum()), float((k - k**2 / sizes).sum())
        self.total = z.T @ z
        self.spared = (1 - shrinkage) / self.freedom
        # The covariance is this less a multiple of the shift's square: what is inverted is the same in every round.
        self.base = cho_factor(self.spared * self.total + shrinkage * np.eye(z.shape[1]), lower=True)

    def fitted(self, s: Floats, rounds: int, tolerance: float) -> tuple[Floats, Floats, int, float]:
        """Coefficients, posteriors ``[n]``, rounds, and the log-likelihood, from log-odds ``[n]`` to begin with."""
        r, _ = self._posteriors(s)
        for done in range(1, rounds + 1):  # noqa: B007
            shift = r @ self.z / self.n
            u = cho_solve(self.base, shift)
            kept = max(1 - self.spared * self.n * float(shift @ u), 1e-12)  # Sherman and Morrison
            w = u / kept
            before, (r, log_e) = r, self._posteriors(self.z @ w)
            if np.abs(r - before).max() < tolerance:
                break
        log_det = 2 * np.log(np.diag(self.base[0])).sum() + np.log(kept)
        trace = np.trace(cho_solve(self.base, self.total)) + self.spared * self.n * float(u @ self.total @ u) / kept
        likelihood = (log_e - np.log(comb(self.sizes, self.k))).sum()
        likelihood -= (self.n * float(shift @ w) + trace + self.freedom * log_det) / 2
        return w, r, done, float(likelihood)

    def _posteriors(self, s: Floats) -> tuple[Floats, Floats]:
        padded = np.full((len(self.sizes), int(self.sizes.max())), -np.inf)
        padded[self.code, self.place] = s
        r, log_e = posteriors(padded, self.k)
        return r[self.code, self.place], log_e


def posteriors(s: Floats, k: Ints) -> tuple[Floats, Floats]:
    r"""Chance ``[Q, K]`` that each of ``K`` answers is right, given that ``k [Q]`` of them are, and :math:`\log e_k`.

    ``s`` are independent log-odds, ``-inf`` where a question has fewer answers. Exact, by the sums of products of the
    first and of the last of them; a constant added to a question's log-odds changes nothing.
    """
    first, last = _sums_of_products(s), _sums_of_products(s[:, ::-1])
    each, width = np.arange(len(k)), s.shape[1]
    others = k[:, None] - 1 - np.arange(width + 1)
    r = np.empty_like(s)
    log_e = first[width][each, k]
    for i in range(width):
        rest = np.take_along_axis(last[width - 1 - i], np.maximum(others, 0), axis=1)
        r[:, i] = np.exp(s[:, i] + logsumexp(np.where(others < 0, -np.inf, first[i] + rest), axis=1) - log_e)
    return r, log_e


def _sums_of_products(s: Floats) -> list[Floats]:
    """Logs ``[Q, K + 1]`` of the sums of products of 0, 1, ... of the first 0, 1, ... odds."""
    table = np.full((len(s), s.shape[1] + 1), -np.inf)
    table[:, 0] = 0.0
    found = [table]
    for column in s.T:
        table = table.copy()
        table[:, 1:] = np.logaddexp(table[:, 1:], found[-1][:, :-1] + column[:, None])
        found.append(table)
    return found


def _counts(given: Known, sampled: Floats, names: Known, code: Ints, sizes: Ints) -> Ints:
    """Right answers of each question ``[Q]``; refuses counts that cannot be, or that nothing can be learned from."""
    if given.dtype.kind not in "iuf" or not np.isfinite(given).all() or (given % 1).any():
        raise InnerjudgeError(f"given counts {given[:3].tolist()}, expected whole numbers: how many answers are right")
    first = np.unique(code, return_index=True)[1]
    k, n = given[first].astype(np.float64), sampled[first]
    for wrong, why in (
        ((given != k[code]) | (sampled != n[code]), "one count (and one n_sampled) in all answers to it"),
        (((k < 0) | (k > n) | (n < 1))[code], "0 to as many as its answers: pass n_sampled where more were sampled"),
    ):
        if wrong.any():
            at = int(wrong.argmax())
            raise InnerjudgeError.of("probes.count", names[code[at]], given[at], sampled[at], why)
    found: Ints = np.rint(k * sizes / n).astype(np.intp)
    mixed = (found > 0) & (found < sizes)
    if not mixed.any() or (2 * found == sizes)[mixed].all():
        what = "half of each in all of them: right and wrong look alike" if mixed.any() else "none of them with both"
        raise InnerjudgeError.of("probes.useless-counts", len(found), what)
    return found
