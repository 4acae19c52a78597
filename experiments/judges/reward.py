"""A judge as a reward function, as TRL's trainers call it; nothing here needs TRL."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pair_judge import PairJudge

Reward = Callable[..., list[float | None]]
_log = logging.getLogger(__name__)


def as_reward(judge: PairJudge, *, name: str = "innerjudge", batch_size: int = 32) -> Reward:
    """A reward function ``(prompts, completions, **columns) -> list[float | None]``, as ``GRPOTrainer`` calls it.

    Prompts and completions are strings, or lists of messages, which go through the chat template of the judge's model
    (:mod:`~innerjudge.models.conversation`). What cannot be scored (an empty or over-long text, an image, messages that
    the template does not show) has the reward ``None``, "not applicable" in TRL; how many these were is logged as
    ``NAME/unscored``.

    Args:
        judge: The judge; it runs its own, frozen model, never the one that is trained.
        name: Name in TRL's logs.
        batch_size: Pairs a forward pass.

    Example:
        >>> from innerjudge import Judge, TokenLogProb, load
        >>> reward = as_reward(Judge(TokenLogProb(), load("reference")))
        >>> [score is None for score in reward(prompts=["2+2?", "2+2?"], completions=["4", ""])]
        [False, True]
    """

    def reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        verdicts = judge.verdicts(list(zip(prompts, completions, strict=True)), batch_size=batch_size)
        bad = [verdict for verdict in verdicts if verdict.unscored is not None]
        if bad:
            _log.warning("%s: %d of %d unscored (first: %s)", name, len(bad), len(verdicts), bad[0].unscored)
        if "log_metric" in columns:
            columns["log_metric"](f"{name}/unscored", len(bad))
        return [None if isinstance(verdict.score, list) else verdict.score for verdict in verdicts]

    reward.__name__ = reward.__qualname__ = name
    return reward
