"""Centroids of correct and of incorrect traces, learned from sums: of all traces at once, or chunk after chunk."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from einops import einsum

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from .fitted_arrays import Array, Form, Tuple
from .labels import Bools, Floats, balanced_weights, correctness
from .streaming import StreamingJudge

_SLICE = 256  # items a float64 copy is made of at a time


class CentroidJudge(StreamingJudge):
    """Two centroids ``[2, L, D]`` of what :meth:`_vectors` gives, and the distances to them.

    Attributes:
        scale: Whether each layer's norm is divided by that layer's spread.
        balance: Whether right and wrong weigh the same within each question.

    Example:
        >>> from innerjudge import CLUE
        >>> issubclass(CLUE, CentroidJudge), CLUE().learns_in_parts, CLUE(balance=True).keeps_questions_whole
        (True, True, True)
    """

    fitted: ClassVar[tuple[str, ...]] = ("n_seen_", "n_excluded_", "weight_", "sum_", "squares_", "groups_seen_")
    forms: ClassVar[Mapping[str, Form]] = {
        **StreamingJudge.forms,
        "n_seen_": Array((2,), dtype="int64", low=0, needed="sum_"),  # all of them come with the first trace
        "weight_": Array((2,), low=0, needed="n_seen_"),
        "sum_": Array((2, "layers", "width"), needed="n_seen_"),
        "squares_": Array((2, "layers"), low=0, needed="n_seen_"),
        "groups_seen_": Tuple("names", needed="n_seen_"),
    }
    scale: bool
    balance: bool

    @abstractmethod
    def _vectors(self, features: Features) -> Floats:
        """Vectors ``[n, L, D]`` of items, float64."""

    @property
    def learns_in_parts(self) -> bool:
        """Sums are kept, states are not."""
        return True

    @property
    def keeps_questions_whole(self) -> bool:
        """With ``balance``, which weighs the items of a question by one another."""
        return self.balance

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Centroids of labelled traces; the same as one :meth:`partial_fit` on a new judge.

        Raises:
            InnerjudgeError: If the usable traces are all of one class (``balance``: if no question has both).
        """
        return self.fit_parts([(features, labels)])

    def partial_fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Add labelled traces to the sums; chunks of any size and order give the centroids of one whole fit.

        A chunk may be of one class; judging then waits until both were seen. With ``balance`` every question must
        lie within one chunk.

        Raises:
            InnerjudgeError: If ``balance`` meets a question for the second time.
        """
        part, values, excluded = self._training(features, labels, some=False)
        if self.provenance_ is not None:
            self.provenance_.require(features.provenance, type(self).__name__)
        right = correctness(values, both=False)
        weights = _weights(self, part, right)
        sums, squares = _sums(self, part, right, weights)
        state = self.__dict__
        self.provenance_ = features.provenance
        self.n_excluded_ = state.get("n_excluded_", 0) + excluded
        if not len(part):
            return self
        rows = np.flatnonzero(weights)
        self.n_seen_ = state.get("n_seen_", 0) + np.bincount(right[rows], minlength=2)
        self.weight_ = state.get("weight_", 0.0) + np.bincount(right[rows], weights=weights[rows], minlength=2)
        self.sum_, self.squares_ = state.get("sum_", 0.0) + sums, state.get("squares_", 0.0) + squares
        self.groups_seen_ = state.get("groups_seen_", ()) + (tuple(dict.fromkeys(part.groups)) if self.balance else ())
        return self

    @property
    def centroids_(self) -> Floats:
        """Mean deltas ``[2, L, D]`` of incorrect and of correct traces."""
        self._require_both()
        return np.asarray(self.sum_ / self.weight_[:, None, None])

    @property
    def spread_(self) -> Floats:
        """Root mean squared distance to the own centroid ``[L]``; 1 where there is none."""
        raw = self.squares_.sum(axis=0)
        within = raw - (self.weight_[:, None] * (self.centroids_**2).sum(axis=-1)).sum(axis=0)
        flat = within <= 1e-12 * raw  # what rounding leaves of a layer that is constant within each class
        return np.asarray(np.sqrt(np.where(flat, 1.0, within / self.weight_.sum())))

    @property
    def separation_(self) -> Floats:
        """Distance between the two centroids in each layer, ``[L]``."""
        fail, success = self.centroids_
        return np.asarray(np.linalg.norm(success - fail, axis=-1))

    def distances(self, features: Features) -> Floats:
        """Distances ``[n, 2]`` to the incorrect and the correct centroid, for traces that have both positions."""
        self._check(features)
        centroids, divisor = self.centroids_, self.spread_ if self.scale else 1.0
        found = np.empty((len(features), 2))
        for at in range(0, len(features), _SLICE):
            delta = self._vectors(features[at : at + _SLICE])
            apart = [np.linalg.norm(delta - centroid, axis=-1) / divisor for centroid in centroids]
            found[at : at + _SLICE] = np.mean(apart, axis=-1).T
        return found

    def _check(self, features: Features) -> None:
        super()._check(features)
        self._require_both()

    def _require_both(self) -> None:
        fail, success = getattr(self, "n_seen_", (0, 0))
        if not fail or not success:
            of = "traces of questions that have both" if self.balance else "traces"
            raise InnerjudgeError(
                f"{type(self).__name__}: given {success} correct and {fail} incorrect {of}, expected at least one of "
                f"each ({getattr(self, 'n_excluded_', 0)} could not be read): add items or raise --limit"
            )


def _sums(judge: CentroidJudge, part: Features, right: Bools, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted sums ``[2, L, D]`` and sums of squared norms ``[2, L]``, by class."""
    sums, squares = np.zeros(()), np.zeros(())
    for at in range(0, len(part), _SLICE):
        here = slice(at, at + _SLICE)
        share = np.stack([~right[here], right[here]]) * weights[here]
        delta = judge._vectors(part[at : at + _SLICE])
        sums = sums + einsum(share, delta, "side item, item layer dim -> side layer dim")
        squares = squares + share @ (delta**2).sum(axis=-1)
    return sums, squares


def _weights(judge: CentroidJudge, part: Features, right: Bools) -> Floats:
    if not judge.balance:
        return np.ones(len(part))
    again = set(getattr(judge, "groups_seen_", ())) & set(part.groups)
    if again:
        raise InnerjudgeError(
            f"{type(judge).__name__}(balance=True): given traces of {min(again)!r} in a second chunk, expected "
            "whole questions: put all traces of a question into one partial_fit"
        )
    return balanced_weights(part.groups, right)
