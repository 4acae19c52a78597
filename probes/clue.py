"""CLUE: nearest centroid on the change of hidden state over the reasoning."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, Self

import numpy as np

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from .centroids import CentroidJudge
from .description import Task
from .judge import Scores
from .labels import Floats


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
        embedding: Also use row ``h[0]``. Where both markers are fixed tokens it cannot change a decision.
        scale: Divide each layer's norm by that layer's spread, so that late layers with large norms do not decide
            alone. The spread is the root mean squared distance of the training deltas to the centroid of their own
            class; a layer without spread is divided by 1.
        balance: Give right and wrong equal weight within each question: a question with ``r`` right and ``w`` wrong
            traces adds each right one with weight ``1/r`` and each wrong one with ``1/w``; questions with one class
            only are left out. An extension: plain centroids also tell easy problems (mostly right traces) from hard.

    Attributes:
        classes_: ``[False, True]``.
        centroids_: ``[2, L, D]`` float64, in the order of ``classes_``.
        n_seen_: ``[2]``, traces that entered each centroid.
        spread_: ``[L]``, see ``scale``.
        separation_: ``[L]``, distance between the centroids in each layer (the paper's figure 4).
        n_excluded_: Training traces left out because they lack a position.

    Example:
        >>> from innerjudge.extraction import Features, Provenance
        >>> start = np.zeros((4, 3, 2), np.float32)  # 4 traces of 1 block (rows h[0], h[1], normed), width 2
        >>> end = start + np.array([3, 1, -1, -3], np.float32)[:, None, None]
        >>> f = Features(ids=tuple("abcd"), groups=tuple("pqpq"), provenance=Provenance("m", None, "f", "", "", ""),
        ...              arrays={"hidden/reasoning_start": start, "hidden/reasoning_end": end})
        >>> clue = CLUE().fit(f, [True, True, False, False])
        >>> clue.predict(f)
        array([ True,  True, False, False])
        >>> clue.decision_function(f).round(2) + 0.0  # centroids at (2, 2) and (-2, -2)
        array([-1.41, -1.41, -4.24, -7.07])
    """

    def __init__(
        self,
        *,
        start: str = "reasoning_start",
        end: str = "reasoning_end",
        rank_by: Literal["success", "margin"] = "success",
        last: Literal["normed", "raw"] = "normed",
        embedding: bool = False,
        scale: bool = False,
        balance: bool = False,
    ) -> None:
        if rank_by not in ("success", "margin") or last not in ("normed", "raw"):
            raise InnerjudgeError(f"given {rank_by=}, {last=}, expected 'success' or 'margin', 'normed' or 'raw'")
        self.start, self.end, self.rank_by, self.last = start, end, rank_by, last
        self.embedding, self.scale, self.balance = embedding, scale, balance
        self.needs = (f"hidden/{start}", f"hidden/{end}")

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Self]:
        """For traces: as published, and each extension of it."""
        if task.kind != "trace":
            return {}
        at = partial(cls, start=task.between[0], end=task.between[1])
        return {
            "clue": at(),
            "clue-margin": at(rank_by="margin"),
            "clue-margin-scaled": at(rank_by="margin", scale=True),
            "clue-margin-balanced": at(rank_by="margin", balance=True),
        }

    @classmethod
    def sweep_presets(cls, kind: str) -> Mapping[str, Self]:
        """For traces: of one state, the delta from the origin."""
        return {"nearest centroid": cls(start="origin", end="state", rank_by="margin")} if kind == "trace" else {}

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """Also the number of layers that are compared."""
        stopped = None if self.provenance_ is None else self.provenance_.last_block
        if stopped is None and "blocks" not in known:
            return dict(known)
        rows = self._rows(known["blocks"] + 2, True) if stopped is None else self._rows(stopped + 1, False)
        return {**known, "layers": len(rows)}

    def rows_read(self, total: int) -> frozenset[int]:
        """Every block once, the last one as ``last`` says; ``h[0]`` with ``embedding``."""
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
        scores = -success if self.rank_by == "success" else fail - success
        return np.asarray(scores), [bool(x) for x in success < fail]

    def _vectors(self, features: Features) -> Floats:
        """Deltas ``[n, L, D]`` in float64."""
        start, end = (features[name] for name in self.needs)
        rows = self._rows(start.shape[1], features.provenance.last_block is None)
        return end[:, rows].astype(np.float64) - start[:, rows]
