"""Baselines that keep us honest: token probabilities, the length of the text, and the question alone."""

from collections.abc import Callable
from dataclasses import field
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.special import entr, softmax
from scipy.stats import rankdata

from ..extraction.features import Features
from ..models.arguments import Count
from .description import derived
from .estimator import parameters
from .judge import LearningJudge, Scores, ThresholdJudge
from .labels import Floats, best_threshold, correctness, ratings
from .penalised import PenalisedProbe
from .regression import Candidates, Target
from .row_judge import ChooseRow

_KINDS: dict[str, tuple[str, ...]] = {"correct": ("trace", "rating", "pair"), "rating": ("rating", "pair", "trace")}
#: Which readout a statistic is made of, and how: higher is better.
_MADE: dict[str, tuple[str, Callable[[Floats], Floats]]] = {
    "log_probability": ("log_probability", lambda rows: rows),
    "perplexity": ("log_probability", lambda rows: rows),
    "entropy": ("entropy", lambda rows: -rows),
    "certainty": ("certainty", lambda rows: rows),
    "confidence": ("top(20)", lambda rows: -rows.mean(axis=1)),
    "max_probability": ("top(20)", lambda rows: rows[:, 0]),
    "top_entropy": ("top(50)", lambda rows: -entr(softmax(rows, axis=1)).mean(axis=1)),
}
_WHOLE: dict[str, Callable[[Floats], Any]] = {
    "mean": np.mean, "min": np.min, "sum": np.sum, "variance": lambda tokens: -np.var(tokens)
}  # fmt: skip


@parameters
class TokenLogProb(ThresholdJudge):
    """Mean log-probability of the response's tokens (GPTScore, and the control for claims like CLUE's). Needs no fit.

    Without a threshold there are no labels; ``fit`` on labelled traces is optional and only sets ``threshold_``.

    Args:
        total: Take the sum over tokens, which favours short responses, instead of the mean.

    Example:
        >>> f = Features.from_arrays({"logprob": [[-6, 3], [-4, 4]]}, provenance="m")
        >>> TokenLogProb().decision_function(f), TokenLogProb().predict(f)
        (array([-2., -1.]), array([None, None], dtype=object))
        >>> TokenLogProb().fit(f, [False, True]).predict(f)
        array([False,  True])
    """

    total: bool = False

    family = "baseline"
    needs = ("logprob",)

    def _unreadable(self, features: Features) -> dict[str, str]:
        return {i: "no response tokens" for i, n in zip(features.ids, features["logprob"][:, 1], strict=True) if n < 1}

    def _scores(self, features: Features) -> Scores:
        total, n = features["logprob"].astype(np.float64).T
        return np.asarray(total if self.total else total / n)


@parameters
class TokenConfidence(ThresholdJudge):
    """One number per token of the response, and an aggregate of them (log-probabilities, self-certainty, DeepConf).

    ``"certainty"`` is ``KL(uniform || p)`` (self-certainty, arXiv 2502.18581); its released code drops the first token
    and takes one after the end instead, which is not done here. ``"confidence"`` is minus the mean of the 20 largest
    log-probabilities (DeepConf, arXiv 2508.15260). DeepConf's aggregates are means over windows of ``window`` tokens:
    the lowest of all windows, the mean of the lowest tenth, or the last window. A shorter response is one window.
    ``"perplexity"`` is minus the exponential of minus the mean log-probability, and ``"entropy"`` minus the entropy.
    ``"max_probability"`` is the log-probability of the likeliest token, ``"top_entropy"`` minus the entropy of the 50
    likeliest over 50 (LLM-Check). ``fit`` is optional and only sets ``threshold_``, the border between right and wrong.

    Args:
        statistic: The number to compute for each token.
        aggregate: Their mean, least, sum, or minus their variance; or the lowest window, lowest tenth of the windows,
            or last window.
        window: Number of tokens in a window.

    Example:
        >>> from innerjudge import Features, Ragged
        >>> rows = Ragged.of([[-0.1, -0.5, -2.0]])
        >>> f = Features.from_arrays({"tokens/response.log_probability": rows}, provenance="m")
        >>> TokenConfidence(statistic="perplexity").decision_function(f).round(4)  # methods.md, section 24
        array([-2.379])
    """

    statistic: Literal[
        "log_probability", "perplexity", "entropy", "certainty", "confidence", "max_probability", "top_entropy"
    ] = "certainty"
    aggregate: Literal["mean", "tail", "lowest_group", "bottom_groups", "min", "sum", "variance"] = "mean"
    window: Count = 2048

    family = "baseline"
    needs = derived(lambda self: (f"tokens/response.{_MADE[self.statistic][0]}",))

    def _scores(self, features: Features) -> Scores:
        made = _MADE[self.statistic][1]
        found = [self._one(made(rows.astype(np.float64))) for rows in features.ragged[self.needs[0]]]
        return -np.exp(-np.array(found)) if self.statistic == "perplexity" else np.array(found)

    def _one(self, tokens: Floats) -> float:
        if self.aggregate in _WHOLE or len(tokens) <= self.window:
            return float(_WHOLE.get(self.aggregate, np.mean)(tokens))
        if self.aggregate == "tail":
            return float(tokens[-self.window :].mean())
        sums = np.cumsum(np.concatenate(([0.0], tokens)))
        groups = np.sort(sums[self.window :] - sums[: -self.window]) / self.window
        share = 1 if self.aggregate == "lowest_group" else max(1, len(groups) // 10)
        return float(groups[:share].mean())


@parameters
class Length(LearningJudge):
    """The number of response tokens alone; ``fit`` learns only whether longer or shorter is better.

    Args:
        target: ``"correct"`` for traces (labels by a threshold) or ``"rating"`` (no labels).

    Attributes:
        sign_: 1 if longer is better on the training items, -1 if shorter is, or neither (all of one length): with it
            their AUROC is at least 0.5 (ratings: their Spearman correlation at least 0).
        threshold_: Score above which a trace is called correct, of the best balanced accuracy; ``None`` for ratings.

    Example:
        >>> f = Features.from_arrays({"logprob": [[-6, 3], [-4, 9]]}, provenance="m")
        >>> length = Length().fit(f, [True, False])
        >>> length.sign_, length.decision_function(f), length.predict(f)
        (-1, array([-3., -9.]), array([ True, False]))
    """

    target: Target = "correct"
    sign_: int = field(init=False)
    threshold_: float | None = field(init=False)

    kinds = derived(lambda self: _KINDS[self.target])
    family = "baseline"
    needs = ("logprob",)
    estimator_type = derived(lambda self: "classifier" if self.target == "correct" else "regressor")

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Learn the sign (and, for traces, the threshold).

        ``InnerjudgeError`` if no item can be read or the labels are all of one class.
        """
        part, raw, excluded = self._training(features, labels)
        right = correctness(raw) if self.target == "correct" else None
        y = ratings(raw) if right is None else right
        n = part["logprob"][:, 1].astype(np.float64)
        # Doubled ranks are whole numbers, so this covariance of ranks (times n) is exact and zero means zero.
        a, b = (2 * rankdata(v) for v in (n, y))
        self.sign_ = 1 if len(n) * (a @ b) > a.sum() * b.sum() else -1
        self.threshold_ = None if right is None else best_threshold(self.sign_ * n, right)
        return self._fitted_on(features, excluded)

    def _scores(self, features: Features) -> Scores:
        return self.sign_ * features["logprob"][:, 1].astype(np.float64)

    _labels = ThresholdJudge._labels


class QuestionOnly(PenalisedProbe):
    """A probe on the last state of the prompt, before any response: what the question alone gives away.

    All candidates of a question get the same score, so that its AUROC within questions is one half by construction. It
    is logistic regression for traces and ridge regression for ratings, with the penalty chosen as in
    :class:`~innerjudge.probes.LogisticProbe`.

    Args:
        target: ``"correct"`` for traces or ``"rating"``.
        row: See :class:`~innerjudge.probes.DifferenceOfMeans`.
        candidates: Values of ``C`` (``"correct"``) or ``alpha`` (``"rating"``); by default those of the two probes.

    Attributes:
        coef_: ``[D]`` float64, on the states as they are.
        intercept_: Score at the origin.
        penalty_: The chosen candidate.

    Example:
        >>> state = np.repeat(np.array([1, 1, 0, 0])[:, None, None], 3, axis=1)
        >>> f = Features.from_arrays({"hidden/prompt_end": state}, provenance="m", groups="ppqq")
        >>> scores = QuestionOnly().fit(f, [True, True, False, False]).decision_function(f)
        >>> bool(scores[0] == scores[1] > scores[2] == scores[3])
        True
    """

    kinds = derived(lambda self: _KINDS[self.target])
    family = "baseline"

    def __init__(
        self, *, target: Target = "correct", row: int | ChooseRow = -1, candidates: Candidates | None = None
    ) -> None:
        self.target, self.candidates = target, candidates
        super().__init__(positions=("prompt_end",), row=row)
