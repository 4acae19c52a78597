"""A judge as a reward of TRL's trainers (extra ``trl``; the callable itself needs nothing of TRL)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .messages import reply_of, text_of

if TYPE_CHECKING:
    from ..plugin.face import CrossEncoderFace

Reward = Callable[..., list[float | None]]
_log = logging.getLogger(__name__)


def as_reward(judge: CrossEncoderFace, *, name: str = "innerjudge", batch_size: int = 32) -> Reward:
    """A reward function ``(prompts, completions, **columns) -> list[float | None]``, as ``GRPOTrainer`` calls it.

    Prompts and completions are strings, or lists of messages. Messages of a prompt are joined by blank lines; a
    completion is the one message of the assistant. What cannot be scored (an empty or over-long text, a completion of
    several messages) has the reward ``None``, "not applicable" in TRL; how many these were is logged as
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
        pairs = [(text_of(p), reply_of(c)) for p, c in zip(prompts, completions, strict=True)]
        verdicts = judge.verdicts(pairs, batch_size=batch_size)
        bad = [verdict for verdict in verdicts if verdict.unscored is not None]
        if bad:
            _log.warning("%s: %d of %d unscored (first: %s)", name, len(bad), len(verdicts), bad[0].unscored)
        if "log_metric" in columns:
            columns["log_metric"](f"{name}/unscored", len(bad))
        return [None if isinstance(verdict.score, list) else verdict.score for verdict in verdicts]

    reward.__name__ = reward.__qualname__ = name
    return reward
