"""Baselines that keep us honest: how probable the text is, how long it is, and how the question looks."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from .description import Task
from .fitted_arrays import Form, Number
from .judge import LearningJudge, Scores, ThresholdJudge
from .labels import best_threshold, correctness, ratings
from .penalised import PenalisedProbe
from .regression import Target
from .row_judge import ChooseRow

_KINDS: dict[str, tuple[str, ...]] = {"correct": ("trace", "rating", "pair"), "rating": ("rating", "pair", "trace")}


class TokenLogProb(ThresholdJudge):
    """Mean log-probability of the response's tokens (GPTScore, and the control of CLUE-type claims). Needs no fit.

    Without a threshold there is no label: ``fit`` on labelled traces is optional and only sets one.

    Args:
        total: The sum over tokens instead of their mean, which favours short responses.

    Attributes:
        threshold_: Score above which a trace is called correct, of the best balanced accuracy; ``None`` without
            ``fit``.

    Example:
        >>> f = Features.from_arrays({"logprob": [[-6, 3], [-4, 4]]}, provenance="m")
        >>> TokenLogProb().decision_function(f), TokenLogProb().predict(f)
        (array([-2., -1.]), array([None, None], dtype=object))
        >>> TokenLogProb().fit(f, [False, True]).predict(f)
        array([False,  True])
    """

    family = "baseline"
    needs = ("logprob",)

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Self]:
        """For everything but choices."""
        return {} if task.kind == "choice" else {"token-log-probability": cls()}

    def __init__(self, *, total: bool = False) -> None:
        self.total = total

    def _unreadable(self, features: Features) -> dict[str, str]:
        counts = features["logprob"][:, 1]
        return {i: "no response tokens" for i, n in zip(features.ids, counts, strict=True) if n < 1}

    def _scores(self, features: Features) -> Scores:
        total, n = features["logprob"].astype(np.float64).T
        return np.asarray(total if self.total else total / n)


class Length(LearningJudge):
    """Number of response tokens alone; ``fit`` learns only whether longer or shorter is better.

    Args:
        target: ``"correct"`` for traces (labels by a threshold) or ``"rating"`` (no labels).

    Attributes:
        sign_: 1 where longer is better on the training items, so that their AUROC is at least 0.5 (ratings: their
            Spearman correlation at least 0); -1 where shorter is, and where neither is (all of one length).
        threshold_: Score above which a trace is called correct, of the best balanced accuracy; ``None`` for ratings.
        n_excluded_: Training items left out because they could not be read.

    Example:
        >>> f = Features.from_arrays({"logprob": [[-6, 3], [-4, 9]]}, provenance="m")
        >>> length = Length().fit(f, [True, False])
        >>> length.sign_, length.decision_function(f), length.predict(f)
        (-1, array([-3., -9.]), array([ True, False]))
    """

    family = "baseline"
    needs = ("logprob",)
    fitted: ClassVar[tuple[str, ...]] = ("sign_", "threshold_", "n_excluded_")
    forms: ClassVar[Mapping[str, Form]] = {**LearningJudge.forms, "sign_": Number(whole=True, among=(-1, 1))}
    sign_: int
    threshold_: float | None

    def __init__(self, *, target: Target = "correct") -> None:
        self.target = _checked_target(target)

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Self]:
        """For everything but choices."""
        return {} if task.kind == "choice" else {"length": cls(target="rating" if task.kind == "rating" else "correct")}

    @property
    def kinds(self) -> tuple[str, ...]:
        """By ``target``."""
        return _KINDS[self.target]

    @property
    def estimator_type(self) -> Literal["classifier", "regressor"]:
        """By ``target``."""
        return "classifier" if self.target == "correct" else "regressor"

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Learn the sign (and, for traces, the threshold).

        Raises:
            InnerjudgeError: If no item can be read or the labels are all of one class.
        """
        part, raw, excluded = self._training(features, labels)
        right = correctness(raw) if self.target == "correct" else None
        y = ratings(raw) if right is None else right
        n = part["logprob"][:, 1].astype(np.float64)
        # Doubled ranks are whole numbers, so this covariance of ranks (times n) is exact and zero means zero.
        a, b = (2 * rankdata(v) for v in (n, y))
        self.sign_ = 1 if len(n) * (a @ b) > a.sum() * b.sum() else -1
        self.threshold_ = None if right is None else best_threshold(self.sign_ * n, right)
        self.n_excluded_, self.provenance_ = excluded, features.provenance
        return self

    def _scores(self, features: Features) -> Scores:
        return self.sign_ * features["logprob"][:, 1].astype(np.float64)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [None if self.threshold_ is None else bool(s > self.threshold_) for s in scores]


class QuestionOnly(PenalisedProbe):
    """A probe on the prompt's last state, which has not seen the response: what the question alone gives away.

    All candidates of a question get one score, so that its AUROC within questions is one half by construction. Logistic
    regression for traces, ridge regression for ratings, with the penalty chosen as in
    :class:`~innerjudge.probes.LogisticProbe`.

    Args:
        target: ``"correct"`` for traces or ``"rating"``.
        row: See :class:`~innerjudge.probes.DifferenceOfMeans`.
        candidates: Values of ``C`` (``"correct"``) or ``alpha`` (``"rating"``); by default those of the two probes.

    Attributes:
        coef_: ``[D]`` float64, on the states as they are.
        intercept_: Score at the origin.
        penalty_: The chosen candidate.
        n_excluded_: Training items left out because they could not be read.

    Example:
        >>> state = np.repeat(np.array([1, 1, 0, 0])[:, None, None], 3, axis=1)
        >>> f = Features.from_arrays({"hidden/prompt_end": state}, provenance="m", groups="ppqq")
        >>> scores = QuestionOnly().fit(f, [True, True, False, False]).decision_function(f)
        >>> bool(scores[0] == scores[1] > scores[2] == scores[3])
        True
    """

    family = "baseline"
    fitted: ClassVar[tuple[str, ...]] = (*PenalisedProbe.fitted, "penalty_")
    forms: ClassVar[Mapping[str, Form]] = {**PenalisedProbe.forms, "penalty_": Number(low=0)}
    _chosen = "penalty_"

    def __init__(
        self, *, target: Target = "correct", row: int | ChooseRow = -1, candidates: Sequence[float] | None = None
    ) -> None:
        super().__init__(positions=("prompt_end",), combine="concat", row=row)
        self.target, self.candidates = _checked_target(target), candidates
        self._tried()

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Self]:
        """For traces and ratings."""
        targets: dict[str, Target] = {"trace": "correct", "rating": "rating"}
        return {"question-only": cls(target=targets[task.kind])} if task.kind in targets else {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """By ``target``."""
        return _KINDS[self.target]


def _checked_target(target: Target) -> Target:
    if target not in _KINDS:
        raise InnerjudgeError(f"given target={target!r}, expected 'correct' or 'rating'")
    return target
