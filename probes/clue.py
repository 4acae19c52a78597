"""CLUE: nearest centroid on the change of hidden state over the reasoning."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from einops import einsum

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from .description import derived
from .estimator import parameters
from .judge import Scores, StreamingJudge
from .labels import Bools, Floats, Weights, balanced_weights, correctness, hard_rows

_SLICE = 256  # items a float64 copy is made of at a time


class CentroidJudge(StreamingJudge):
    """Centroids of incorrect and correct traces, learned from sums, all at once or chunk by chunk."""

    # Balanced, it weighs the items of a question by one another.
    keeps_questions_whole = derived(lambda self: getattr(self, "balance", False))
    fitted = ("n_seen_", "n_excluded_", "weight_", "sum_", "squares_", "groups_seen_")
    learns_in_parts = True  # sums are kept, states are not
    scale: bool
    balance: bool

    @abstractmethod
    def _vectors(self, features: Features) -> Floats:
        """Vectors ``[n, L, D]`` of items, float64."""

    def fit(self, features: Features, labels: npt.ArrayLike, sample_weight: Weights = None) -> Self:
        """Start anew and learn as one :meth:`partial_fit` does; ``InnerjudgeError`` if all traces are of one class.

        With ``balance``, also if no question has both classes, and in :meth:`partial_fit` if a question comes a second
        time: all its traces must be in one chunk. Labels from 0 to 1 and weights count as in
        :meth:`.LogisticProbe.fit`; with ``balance`` labels must be true or false.
        """
        reasons = [*(self._reasons(features) if isinstance(features, Features) else {}).values()]
        if reasons and len(reasons) == len(features):
            raise InnerjudgeError.of("probes.no-reasoning", type(self).__name__, reasons[0])
        return self.fit_parts([(features, labels, sample_weight)])

    def _add(self, part: Features, right: Bools | Floats, weight: Floats | None) -> None:
        if self.balance:
            right = correctness(right, both=False)
        weights = _weights(self, part, right) * (1.0 if weight is None else weight)
        sums, squares = _sums(self, part, right, weights)
        if not len(part):
            return
        state, (_, side, share) = self.__dict__, hard_rows(right, weights)
        self.n_seen_ = state.get("n_seen_", 0) + np.bincount(side, minlength=2)
        self.weight_ = state.get("weight_", 0.0) + np.bincount(side, weights=share, minlength=2)
        self.sum_, self.squares_ = state.get("sum_", 0.0) + sums, state.get("squares_", 0.0) + squares
        self.groups_seen_ = state.get("groups_seen_", ()) + (tuple(dict.fromkeys(part.groups)) if self.balance else ())

    @property
    def centroids_(self) -> Floats:
        """Mean deltas ``[2, L, D]`` of incorrect and of correct traces."""
        self._require_both()
        return np.asarray(self.sum_ / self.weight_[:, None, None])

    @property
    def spread_(self) -> Floats:
        """Root mean squared distance of training deltas to their own centroid, ``[L]``; 1 where it is 0."""
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
            excluded = getattr(self, "n_excluded_", 0)
            raise InnerjudgeError.of("probes.both-classes", type(self).__name__, success, fail, of, excluded)


@parameters
class CLUE(CentroidJudge):
    r"""Nearest centroid on the hidden-state delta, layer by layer (arXiv 2510.01591, sections 3.1 to 3.3).

    With the delta :math:`\Delta = h_{end} - h_{start}`, an ``[L, D]`` matrix, and the centroids of correct and of
    incorrect traces, the distance is the mean over layers of *unsquared* norms,
    :math:`d(\Delta, V) = \frac1L \sum_l \|\Delta_l - V_l\|_2`. A trace is called correct iff
    :math:`d_{succ} < d_{fail}` (a tie is incorrect); it is ranked by :math:`-d_{succ}` alone, as published.

    Args:
        start: Position before the reasoning. The paper takes the last token of ``<think>``; ``"prompt_end"`` with
            ``end="response_end"`` is an extension for models without reasoning markers.
        end: Position after it (the last token of ``</think>``).
        rank_by: ``"success"``, ``-d_succ`` as published, or ``"margin"``, ``d_fail - d_succ``, which cancels what a
            trace's norm adds to both.
        last: The last layer's row: ``"normed"``, ``final_norm(h[L])``, which is what Hugging Face returns, or
            ``"raw"``. Features of a pass that stopped early have raw rows only, and all of them are read.
        embedding: Also use row ``h[0]``. If both markers are fixed tokens this cannot change a decision.
        scale: Divide each layer's norm by that layer's spread, so that late layers with large norms do not decide
            alone. The spread is the root mean squared distance of the training deltas to the centroid of their own
            class; a layer without spread is divided by 1.
        balance: Give right and wrong equal weight within each question: of ``r`` right and ``w`` wrong traces each
            right one has weight ``1/r`` and each wrong one ``1/w``; questions with only one class are left out. An
            extension: plain centroids also separate easy problems (mostly right traces) from hard ones.

    Attributes:
        classes_: ``[False, True]``.
        centroids_: ``[2, L, D]`` float64, in the order of ``classes_``.
        n_seen_: ``[2]``, traces that entered each centroid.
        spread_: ``[L]``, see ``scale``.
        separation_: ``[L]``, distance between the centroids in each layer (the paper's figure 4).

    Example:
        >>> start = np.zeros((4, 3, 2))  # 4 traces of 1 block (rows h[0], h[1], normed), width 2
        >>> end = start + np.array([3, 1, -1, -3])[:, None, None]
        >>> states = {"hidden/reasoning_start": start, "hidden/reasoning_end": end}
        >>> f = Features.from_arrays(states, provenance="m", groups="pqpq")
        >>> clue = CLUE().fit(f, [True, True, False, False])
        >>> clue.predict(f)
        array([ True,  True, False, False])
        >>> clue.decision_function(f).round(2) + 0.0  # centroids at (2, 2) and (-2, -2)
        array([-1.41, -1.41, -4.24, -7.07])
    """

    start: str = "reasoning_start"
    end: str = "reasoning_end"
    rank_by: Literal["success", "margin"] = "success"
    last: Literal["normed", "raw"] = "normed"
    embedding: bool = False
    scale: bool = False
    balance: bool = False
    needs = derived(lambda self: (f"hidden/{self.start}", f"hidden/{self.end}"))

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """Adds the number of layers that are compared."""
        whole = self.provenance_ is None or self.provenance_.last_block is None
        if whole and "blocks" not in known:
            return dict(known)
        return {**known, "layers": len(self.rows_read(known.get("blocks", 0) + 2))}

    def rows_read(self, total: int) -> frozenset[int]:
        """The rows that it compares: every block, the last one as ``last`` says, and ``h[0]`` with ``embedding``."""
        stopped = None if self.provenance_ is None else self.provenance_.last_block
        return frozenset(self._rows(total, True) if stopped is None else self._rows(stopped + 1, False))

    def _rows(self, total: int, whole: bool) -> list[int]:
        """Rows of ``total`` that are read; a pass that stopped early (not ``whole``) has no final-normed one."""
        top = total - (2 if whole else 1)
        return [*([0] if self.embedding else []), *range(1, top), top + 1 if whole and self.last == "normed" else top]

    def _scores(self, features: Features) -> Scores:
        return self._judged(features)[0]

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return self._judged(features)[1]

    def _judged(self, features: Features) -> tuple[Scores, list[Any]]:
        """Both from the same distances: ``-d_succ`` alone does not say which is nearer."""
        fail, success = self.distances(features).T
        return np.asarray(-success if self.rank_by == "success" else fail - success), [bool(x) for x in success < fail]

    def _vectors(self, features: Features) -> Floats:
        """Deltas ``[n, L, D]`` in float64."""
        start, end = (features[f"hidden/{name}"] for name in (self.start, self.end))
        rows = self._rows(start.shape[1], features.provenance.last_block is None)
        return end[:, rows].astype(np.float64) - start[:, rows]


def _sums(judge: CentroidJudge, part: Features, right: Bools | Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted sums ``[2, L, D]`` and sums of squared norms ``[2, L]``, by class."""
    sums, squares = np.zeros(()), np.zeros(())
    for at in range(0, len(part), _SLICE):
        here = slice(at, at + _SLICE)
        share = np.stack([1.0 - right[here], right[here]]) * weights[here]
        delta = judge._vectors(part[at : at + _SLICE])
        sums = sums + einsum(share, delta, "side item, item layer dim -> side layer dim")
        squares = squares + share @ (delta**2).sum(axis=-1)
    return sums, squares


def _weights(judge: CentroidJudge, part: Features, right: Bools | Floats) -> Floats:
    if not judge.balance:
        return np.ones(len(part))
    again = set(getattr(judge, "groups_seen_", ())) & set(part.groups)
    if again:
        raise InnerjudgeError.of("probes.split-question", type(judge).__name__, min(again))
    return balanced_weights(part.groups, right.astype(bool))
