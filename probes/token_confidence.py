"""Scores from the distributions that the response's tokens were drawn from; nothing is learned but a threshold."""

from collections.abc import Callable, Mapping
from typing import Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from .description import Task
from .judge import Scores, ThresholdJudge

Statistic = Literal["log_probability", "perplexity", "entropy", "certainty", "confidence"]
Aggregate = Literal["mean", "tail", "lowest_group", "bottom_groups"]
Floats = npt.NDArray[np.float64]

#: Which readout a statistic is made of, and how: higher is better.
_MADE: dict[str, tuple[str, Callable[[Floats], Floats]]] = {
    "log_probability": ("log_probability", lambda rows: rows),
    "perplexity": ("log_probability", lambda rows: rows),
    "entropy": ("entropy", lambda rows: -rows),
    "certainty": ("certainty", lambda rows: rows),
    "confidence": ("top(20)", lambda rows: -rows.mean(axis=1)),
}


class TokenConfidence(ThresholdJudge):
    """One number a token of the response, and one aggregate of them (log-probabilities, self-certainty, DeepConf).

    ``"certainty"`` is ``KL(uniform || p)`` (self-certainty, arXiv 2502.18581); its released code drops the first token
    and takes one behind the end, which is not done here. ``"confidence"`` is minus the mean of the 20 largest
    log-probabilities (DeepConf, arXiv 2508.15260), with its aggregates: windows of ``window`` tokens at every place,
    the least of them, or the mean of the tenth of them that is least, or the last ``window`` tokens. A response
    shorter than a window is one. ``"perplexity"`` is minus the exponential of minus the mean log-probability, and
    ``"entropy"`` minus the mean entropy.

    Args:
        statistic: The number of a token.
        aggregate: What is made of them.
        window: Tokens of a group, and of the tail.

    Attributes:
        threshold_: Score above which a trace is called correct, of the best balanced accuracy; ``None`` without
            ``fit``.

    Example:
        >>> from innerjudge import Features, Ragged
        >>> rows = Ragged.of([[-0.1, -0.5, -2.0]])
        >>> f = Features.from_arrays({"tokens/response.log_probability": rows}, provenance="m")
        >>> TokenConfidence(statistic="perplexity").decision_function(f).round(4)  # methods.md, section 24
        array([-2.379])
    """

    family = "logits"

    def __init__(
        self, *, statistic: Statistic = "certainty", aggregate: Aggregate = "mean", window: int = 2048
    ) -> None:
        if statistic not in get_args(Statistic) or aggregate not in get_args(Aggregate) or window < 1:
            raise InnerjudgeError(
                f"given statistic={statistic!r}, aggregate={aggregate!r} and window={window!r}, expected one of "
                f"{', '.join(get_args(Statistic))}, one of {', '.join(get_args(Aggregate))}, and at least 1 token"
            )
        self.statistic, self.aggregate, self.window = statistic, aggregate, window

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """By ``statistic``."""
        return (f"tokens/response.{_MADE[self.statistic][0]}",)

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Self]:
        """For traces, where they are named."""
        if task.kind != "trace":
            return {}
        aggregates: dict[str, Aggregate] = {
            "deepconf-mean": "mean",
            "deepconf-tail": "tail",
            "deepconf-lowest-group": "lowest_group",
            "deepconf-bottom-groups": "bottom_groups",
        }
        return {
            "self-certainty": cls(),
            "perplexity": cls(statistic="perplexity"),
            "mean-entropy": cls(statistic="entropy"),
            **{name: cls(statistic="confidence", aggregate=one) for name, one in aggregates.items()},
        }

    @property
    def on_request(self) -> bool:
        """Its judges are many and alike."""
        return True

    def _scores(self, features: Features) -> Scores:
        made = _MADE[self.statistic][1]
        found = [self._one(made(rows.astype(np.float64))) for rows in features.ragged[self.needs[0]]]
        return -np.exp(-np.array(found)) if self.statistic == "perplexity" else np.array(found)

    def _one(self, tokens: Floats) -> float:
        if self.aggregate == "mean" or len(tokens) <= self.window:
            return float(tokens.mean())
        if self.aggregate == "tail":
            return float(tokens[-self.window :].mean())
        sums = np.cumsum(np.concatenate(([0.0], tokens)))
        groups = np.sort(sums[self.window :] - sums[: -self.window]) / self.window
        share = 1 if self.aggregate == "lowest_group" else max(1, len(groups) // 10)
        return float(groups[:share].mean())
